//! Tells the audit trail who was not let in to send.
//!
//! A sender that is not let in comes again, some of them a thousand times a second: so the trail hears of each once a minute,
//! with how often it was.

use std::time::Duration;

use logkeep_access::Access;
use logkeep_intake::{Intake, TurnedAway};
use tokio_util::sync::CancellationToken;
use tracing::warn;

const EVERY: Duration = Duration::from_secs(60);

/// Tells until `stop`, and a last time then.
pub(crate) async fn tell(intake: Intake, access: Access, stop: CancellationToken) {
    while tokio::time::timeout(EVERY, stop.cancelled()).await.is_err() {
        tell_now(&intake, &access).await;
    }
    tell_now(&intake, &access).await;
}

async fn tell_now(intake: &Intake, access: &Access) {
    for (who, times) in intake.take_turned_away() {
        let TurnedAway { protocol, address, identity, reason } = &who;
        let address = address.map_or_else(|| "many addresses".to_owned(), |address| address.to_string());
        let body = format!("{protocol} from {address} was not let in, {times} times: {reason}");
        let mut subject = vec![
            ("audit.object", (*protocol).to_owned()),
            ("audit.decision", "deny".to_owned()),
            ("audit.action", "write".to_owned()),
            ("audit.reason", (*reason).to_owned()),
            ("audit.count", times.to_string()),
            ("client.address", address),
        ];
        subject.extend(identity.as_ref().map(|identity| ("enduser.id", identity.clone())));
        if let Err(error) = access.note("audit.sender.refused", body, subject).await {
            warn!(%error, "that senders were not let in could not be written down yet");
            intake.turned_away_again(who, times);
        }
    }
}
