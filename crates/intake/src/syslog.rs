//! Syslog over TCP and UDP.
//!
//! Nobody answers a syslog sender, so what it sends is either stored or lost. Over TCP it can be slowed down: while a batch
//! waits for the disk nothing is read, the sender's window fills, and a batch that cannot be stored is kept and tried again
//! for as long as we run. Over UDP messages queue up to a bound, and those beyond it are counted.
//!
//! Not here: TLS, framing and parsing (`wire::syslog`).

mod burst;
mod tcp;
mod udp;

use std::time::Duration;

use logkeep_record::TenantId;

use crate::Intake;
use crate::counters::{Protocol, add};
use crate::refusal::Refusal;
use burst::{Burst, Readers};

/// Bytes of messages that are stored together.
const BURST_BYTES: usize = 1 << 20;
/// How long to wait for more before what is there is stored.
const LULL: Duration = Duration::from_millis(5);
/// … though never longer than this, however steadily messages come.
const LONGEST_LULL: Duration = Duration::from_millis(50);
/// Between attempts to store a batch.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Intake {
    /// Stores a burst, trying again until it is stored or, while `stopping`, one attempt has failed.
    async fn store_burst(
        &self,
        mut burst: Burst,
        mut readers: Readers,
        shutdown: &tokio_util::sync::CancellationToken,
    ) -> (Burst, Readers) {
        let counts = self.inner.counters.of(Protocol::Syslog);
        add(&counts.requests, 1);
        add(&counts.bytes, burst.bytes());
        let received_ns = self.now_ns();
        let mut pause = FIRST_PAUSE;
        loop {
            let work = move || {
                let prepared = readers.prepare(&burst, received_ns);
                (burst, readers, prepared)
            };
            let prepared = match self.process(work).await {
                Ok((kept, used, prepared)) => {
                    (burst, readers) = (kept, used);
                    prepared
                }
                // The burst is gone with the thread that panicked over it.
                Err(_) => return (Burst::default(), Readers::default()),
            };
            let records = burst.len();
            let failure: Refusal = match prepared {
                Ok(prepared) => match self.commit_burst(prepared).await {
                    Ok(()) => break,
                    Err(refusal) => refusal,
                },
                Err(refusal) => refusal,
            };
            if shutdown.is_cancelled() {
                tracing::error!(records, error = %failure, "stopping with syslog messages that could not be stored");
                add(&counts.received, records);
                add(&counts.dropped, records);
                break;
            }
            tracing::warn!(records, error = %failure, "syslog messages wait to be stored");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        burst.clear();
        (burst, readers)
    }

    /// A burst is one batch, or nearly always: no part of it is stored twice, as the parts stored are remembered.
    async fn commit_burst(&self, prepared: crate::prepare::Prepared) -> Result<(), Refusal> {
        let stored = self.commit(Protocol::Syslog, &TenantId::default(), prepared, None).await;
        stored.whole().map(drop)
    }
}
