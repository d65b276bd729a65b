//! Pipelines are replaced while records come in.
//!
//! All of a new set is taken or nothing of it: the old one goes on where the new one has a fault, and where the audit trail
//! cannot say what is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logkeep_access::Access;
use logkeep_intake::{Intake, Refusals, WATCH_PERIOD};
use logkeep_pipeline::PipelineSet;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Where pipelines are written. Both calls block as long as the disk takes.
pub trait PipelineSource: Send + Sync + std::fmt::Debug {
    /// SHA-256 of all files they are made of.
    ///
    /// # Errors
    /// Which file cannot be read, and why.
    fn digest(&self) -> Result<[u8; 32], String>;

    /// The pipelines as they are written now.
    ///
    /// # Errors
    /// Everything wrong with them, over several lines.
    fn read(&self) -> Result<PipelineSet, String>;
}

/// How often pipelines were taken up, and how often they could not be.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) taken: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Why files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Period,
    Hangup,
}

impl Trigger {
    fn as_str(self) -> &'static str {
        match self {
            Self::Period => "changed files",
            Self::Hangup => "SIGHUP",
        }
    }
}

/// What takes up changed pipelines.
pub(crate) struct Reloading {
    source: Arc<dyn PipelineSource>,
    intake: Intake,
    access: Access,
    reloads: Arc<Reloads>,
    refusals: Refusals,
    /// Of the files whose pipelines are in use.
    digest: Option<[u8; 32]>,
}

impl Reloading {
    pub(crate) fn new(source: Arc<dyn PipelineSource>, intake: Intake, access: Access, reloads: Arc<Reloads>) -> Self {
        Self { source, intake, access, reloads, refusals: Refusals::default(), digest: None }
    }

    /// Takes up what is written until `stop`, at once when told by SIGHUP.
    pub(crate) async fn watch(mut self, stop: CancellationToken) {
        let mut hangup =
            signal(SignalKind::hangup()).inspect_err(|error| error!(%error, "SIGHUP cannot be watched")).ok();
        self.note_start().await;
        loop {
            let trigger = tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(WATCH_PERIOD) => Trigger::Period,
                () = told(&mut hangup) => Trigger::Hangup,
            };
            self.look(trigger).await;
        }
    }

    async fn note_start(&self) {
        let set = self.intake.pipelines();
        if !set.is_empty()
            && let Err(error) = self.note("audit.pipelines.loaded", "start", &set, String::new()).await
        {
            error!(%error, "the audit trail does not say which pipelines are in use");
        }
    }

    async fn look(&mut self, trigger: Trigger) {
        let source = self.source.clone();
        let digest =
            tokio::task::spawn_blocking(move || source.digest()).await.unwrap_or_else(|ended| Err(ended.to_string()));
        let digest = match digest {
            Ok(digest) => digest,
            Err(fault) => return self.refuse(trigger, [0; 32], &fault).await,
        };
        if self.digest == Some(digest) && trigger == Trigger::Period {
            return self.refusals.clear();
        }
        let source = self.source.clone();
        let read =
            tokio::task::spawn_blocking(move || source.read()).await.unwrap_or_else(|ended| Err(ended.to_string()));
        match read {
            Ok(set) => self.take(trigger, digest, set).await,
            Err(fault) => self.refuse(trigger, digest, &fault).await,
        }
    }

    /// Puts a set to use, once the trail says so.
    async fn take(&mut self, trigger: Trigger, digest: [u8; 32], set: PipelineSet) {
        let before = self.intake.pipelines();
        if before.version() != set.version() {
            let replaced = before.short_version();
            if let Err(error) = self.note("audit.pipelines.loaded", trigger.as_str(), &set, replaced.clone()).await {
                error!(%error, "changed pipelines are not in use yet; it is tried again");
                return;
            }
            let version = set.short_version();
            self.intake.set_pipelines(Arc::new(set));
            self.reloads.taken.fetch_add(1, Ordering::Relaxed);
            info!(version, replaced, trigger = trigger.as_str(), "changed pipelines are in use");
        } else if trigger == Trigger::Hangup {
            info!(version = set.short_version(), "the pipelines are as they were");
        }
        self.digest = Some(digest);
        self.refusals.clear();
    }

    async fn refuse(&self, trigger: Trigger, digest: [u8; 32], fault: &str) {
        if !self.refusals.is_to_be_said(digest) && trigger == Trigger::Period {
            return;
        }
        self.reloads.refused.fetch_add(1, Ordering::Relaxed);
        let in_use = self.intake.pipelines();
        error!(fault, version = in_use.short_version(), "changed pipelines cannot be used; those before stay in use");
        let first = fault.lines().next().unwrap_or_default().chars().take(500).collect();
        if let Err(error) = self.note("audit.pipelines.refused", trigger.as_str(), &in_use, first).await {
            error!(%error, "the audit trail does not say that pipelines were refused");
        }
    }

    async fn note(
        &self,
        event: &'static str,
        trigger: &str,
        in_use: &PipelineSet,
        detail: String,
    ) -> Result<(), String> {
        let names: Vec<_> = in_use.counts().map(|count| count.name.to_string()).collect();
        let mut subject = vec![
            ("audit.trigger", trigger.to_owned()),
            ("pipelines.version", in_use.version_hex()),
            ("pipelines.names", names.join(" ")),
        ];
        let is_refused = event == "audit.pipelines.refused";
        let body = match (is_refused, detail.is_empty()) {
            (true, _) => format!("changed pipelines refused, {} stays in use", in_use.short_version()),
            (false, true) => format!("pipelines {} in use", in_use.short_version()),
            (false, false) => format!("pipelines {} in use instead of {detail}", in_use.short_version()),
        };
        if is_refused {
            subject.push(("audit.reason", detail));
        }
        self.access.note(event, body, subject).await.map_err(|error| error.to_string())
    }
}

/// Waits for the signal; for ever, if it cannot be watched.
async fn told(hangup: &mut Option<Signal>) {
    let Some(signal) = hangup else { return std::future::pending().await };
    if signal.recv().await.is_none() {
        std::future::pending().await
    }
}
