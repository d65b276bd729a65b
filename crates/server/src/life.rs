//! That the server starts and stops, in the audit trail: which program, under which configuration and policies, whether these are others
//! than before, and whether the one before ended by itself.
//!
//! What was in force last lies in the catalog, sealed, marked as running from before the record of a start until after that of a
//! stop: so an end that nobody wrote down is seen by the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logkeep_access::Access;
use logkeep_catalog::{Catalog as _, CatalogError, SqliteCatalog};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::server::StartError;

const SECRET: &str = "server/last";
/// How long until a start that the trail could not take is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What a server runs with: versions and digests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InForce {
    pub(crate) program: String,
    /// SHA-256 of the configuration as `logkeep config print` has it, in base 16.
    pub(crate) configuration: String,
    /// Of all policies ([`logkeep_access::Policies::digest`]).
    pub(crate) policies: String,
}

impl InForce {
    /// What is another thing in `other`.
    fn changed(&self, other: &Self) -> Vec<&'static str> {
        let parts = |one: &Self| [one.program.clone(), one.configuration.clone(), one.policies.clone()];
        let names = ["program", "configuration", "policies"];
        let both = parts(self).into_iter().zip(parts(other));
        names.into_iter().zip(both).filter(|(_, (one, other))| one != other).map(|(name, _)| name).collect()
    }

    fn subject(&self, action: &str) -> Vec<(&'static str, String)> {
        vec![
            ("audit.action", action.to_owned()),
            ("audit.object", "server".to_owned()),
            ("server.version", self.program.clone()),
            ("server.configuration", self.configuration.clone()),
            ("server.policies", self.policies.clone()),
        ]
    }
}

/// What the catalog keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    is_running: bool,
    in_force: InForce,
}

/// How the server before this one ended.
fn ended(last: Option<&Last>) -> &'static str {
    match last {
        None => "none",
        Some(Last { is_running: true, .. }) => "unclean",
        Some(_) => "stopped",
    }
}

/// The record of a start, as text and attributes.
fn start(now: &InForce, last: Option<&Last>) -> (String, Vec<(&'static str, String)>) {
    let changed = last.map(|last| now.changed(&last.in_force)).unwrap_or_default();
    let mut text = format!("logkeep {} started", now.program);
    if ended(last) == "unclean" {
        text.push_str("; the server before ended without a stop");
    }
    if !changed.is_empty() {
        text.push_str(&format!("; changed since the last start: {}", changed.join(", ")));
    }
    let mut subject = now.subject("start");
    subject.extend([("server.before", ended(last).to_owned()), ("audit.changed", changed.join(" "))]);
    subject.retain(|(_, value)| !value.is_empty());
    (text, subject)
}

/// The life of one server.
pub(crate) struct Life {
    catalog: Arc<SqliteCatalog>,
    access: Access,
    now: InForce,
    last: Option<Last>,
    /// For how long nothing could be opened, because the provider of the key was away.
    waited: Duration,
    is_said: AtomicBool,
}

impl Life {
    /// Says that the server starts. Where the trail cannot be written yet that is left to [`Self::say_later`]: nobody can read
    /// meanwhile, and what is sent is to be taken in.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn begin(
        catalog: Arc<SqliteCatalog>,
        access: Access,
        now: InForce,
        waited: Duration,
    ) -> Result<Arc<Self>, StartError> {
        // What cannot be read is of a later program, and says nothing of an end.
        let unknown = || Last { is_running: true, in_force: InForce::default() };
        let read = |bytes: Vec<u8>| serde_json::from_slice(&bytes).unwrap_or_else(|_| unknown());
        let last = catalog.secret(SECRET).await?.map(read);
        let life = Arc::new(Self { catalog, access, now, last, waited, is_said: AtomicBool::new(false) });
        let before = life.last.as_ref().map_or_else(InForce::default, |last| last.in_force.clone());
        life.mark(true, before).await?;
        if let Err(error) = life.say().await {
            warn!(%error, "the audit trail does not say yet that the server has started; it is tried again");
        }
        Ok(life)
    }

    /// Goes on trying, if it has not been said.
    pub(crate) async fn say_later(self: Arc<Self>, stop: CancellationToken) {
        while !self.is_said.load(Ordering::Relaxed) {
            if tokio::time::timeout(RETRY, stop.cancelled()).await.is_ok() {
                return;
            }
            // Why it failed was said.
            drop(self.say().await);
        }
    }

    async fn say(&self) -> Result<(), StartError> {
        let seconds = self.waited.as_secs();
        if seconds > 0 {
            let text = format!("the provider of the key could not be reached for {seconds} s at the start");
            let subject = vec![
                ("audit.action", "start".to_owned()),
                ("audit.object", "keys".to_owned()),
                ("audit.seconds", seconds.to_string()),
            ];
            self.access.note("audit.keys.unreachable", text, subject).await?;
        }
        let (text, subject) = start(&self.now, self.last.as_ref());
        self.access.note("audit.server.started", text, subject).await?;
        self.is_said.store(true, Ordering::Relaxed);
        self.mark(true, self.now.clone()).await?;
        Ok(())
    }

    /// Says that the server stops. If it cannot be said, the next start tells of an end without a stop.
    pub(crate) async fn end(&self) {
        let text = format!("logkeep {} stopped", self.now.program);
        if let Err(error) = self.stop(text).await {
            warn!(%error, "the audit trail does not say that the server has stopped");
        }
    }

    async fn stop(&self, text: String) -> Result<(), StartError> {
        self.access.note("audit.server.stopped", text, self.now.subject("stop")).await?;
        Ok(self.mark(false, self.now.clone()).await?)
    }

    async fn mark(&self, is_running: bool, in_force: InForce) -> Result<(), CatalogError> {
        let bytes = serde_json::to_vec(&Last { is_running, in_force }).expect("texts and a flag are JSON");
        self.catalog.set_secret(SECRET, &bytes).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_force(configuration: &str, policies: &str) -> InForce {
        InForce { program: "1.0.0".into(), configuration: configuration.into(), policies: policies.into() }
    }

    fn check(last: Option<(bool, InForce)>, text: &str, before: &str, changed: Option<&str>) {
        let last = last.map(|(is_running, in_force)| Last { is_running, in_force });
        let (said, subject) = start(&in_force("aa", "bb"), last.as_ref());
        let value = |name| subject.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        assert_eq!(said, text);
        assert_eq!(value("server.before"), Some(before), "{text}");
        assert_eq!(value("audit.changed"), changed, "{text}");
        assert_eq!(value("server.configuration"), Some("aa"));
    }

    #[test]
    fn a_start_says_what_is_another_thing_than_before() {
        check(None, "logkeep 1.0.0 started", "none", None);
        check(Some((false, in_force("aa", "bb"))), "logkeep 1.0.0 started", "stopped", None);
        let unclean = "logkeep 1.0.0 started; the server before ended without a stop";
        check(Some((true, in_force("aa", "bb"))), unclean, "unclean", None);
        let changed = "logkeep 1.0.0 started; changed since the last start: configuration";
        check(Some((false, in_force("a", "bb"))), changed, "stopped", Some("configuration"));
        let both = format!("{unclean}; changed since the last start: configuration, policies");
        check(Some((true, in_force("a", "b"))), &both, "unclean", Some("configuration policies"));
        let old = InForce { program: "0.9.0".into(), ..in_force("aa", "bb") };
        check(
            Some((false, old)),
            "logkeep 1.0.0 started; changed since the last start: program",
            "stopped",
            Some("program"),
        );
    }
}
