//! The engine with a key provider that fails, or is silent.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use logkeep_cipher::{DataKey, WrappedKey};
use logkeep_record::{Class, Record, Resource, TenantId, Value};
use logkeep_store::{KeyProvider, KeyProviderError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::tests::{bodies, killed, parts, segments, store, texts, verify_folder, wait_until};
use crate::{Batch, BatchBuilder, CommitError, Committed, Ingest, IngestConfig, OpenError};

/// A key provider that can be away.
#[derive(Debug)]
struct Distant {
    keys: Arc<dyn KeyProvider>,
    away: Arc<AtomicBool>,
}

impl Distant {
    fn answer(&self) -> Result<(), KeyProviderError> {
        let cause = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        let away = || KeyProviderError::Unavailable { path: "provider".into(), what: "asked", cause: cause() };
        if self.away.load(Ordering::SeqCst) { Err(away()) } else { Ok(()) }
    }
}

#[async_trait::async_trait]
impl KeyProvider for Distant {
    fn key_id(&self) -> String {
        self.keys.key_id()
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
        self.answer()?;
        self.keys.wrap(key, context).await
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError> {
        self.answer()?;
        self.keys.unwrap(wrapped, context).await
    }
}

async fn open_distant(folder: &Path, away: &Arc<AtomicBool>, flush_bytes: usize) -> Result<Ingest, OpenError> {
    let mut parts = parts(folder).await;
    parts.keys = Arc::new(Distant { keys: parts.keys, away: away.clone() });
    let mut config = IngestConfig::new(&folder.join("data"));
    config.flush_bytes = flush_bytes;
    Ingest::open(config, parts).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_provider_that_is_away_delays_and_loses_nothing() {
    let (folder, away) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    let ingest = open_distant(folder.path(), &away, 1).await.unwrap();
    away.store(true, Ordering::SeqCst);
    let refused = ingest.commit(&TenantId::default(), &Class::default(), one("early"), None).await;
    assert!(matches!(refused, Err(CommitError::Unavailable(_))), "there is no key to seal it with: {refused:?}");
    away.store(false, Ordering::SeqCst);
    store(&ingest, &texts(0..5), None).await;
    wait_until("the flush", || segments(&ingest) == 1).await;

    away.store(true, Ordering::SeqCst);
    store(&ingest, &texts(5..10), None).await;
    assert_eq!(
        bodies(&ingest),
        texts(0..10),
        "the log's key is in memory, and what cannot be flushed stays searchable"
    );
    away.store(false, Ordering::SeqCst);
    wait_until("the flush that was put off", || segments(&ingest) == 2).await;
    ingest.close();
    let again = open_distant(folder.path(), &away, usize::MAX).await.unwrap();
    assert_eq!(bodies(&again), texts(0..10));
    again.close();
    assert_eq!(verify_folder(folder.path(), vec![]).await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_can_open_now_is_not_taken_for_a_damaged_one() {
    let (folder, away) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    let ingest = open_distant(folder.path(), &away, usize::MAX).await.unwrap();
    store(&ingest, &texts(0..5), None).await;
    let killed = killed(folder.path(), &ingest).await;
    away.store(true, Ordering::SeqCst);
    let refused = open_distant(killed.path(), &away, usize::MAX).await;
    assert!(matches!(refused, Err(OpenError::Key(_))));
    assert!(!killed.path().join("data/quarantine").exists());
    away.store(false, Ordering::SeqCst);
    let again = open_distant(killed.path(), &away, usize::MAX).await.unwrap();
    assert_eq!((bodies(&again), again.faults()), (texts(0..5), [].as_slice()));
    again.close();
}

fn one(text: &str) -> Batch {
    let mut batch = BatchBuilder::default();
    batch.push(&Record::new(1, Value::str(text), Resource::from_attributes(vec![])));
    batch.finish().unwrap().unwrap()
}

/// A key provider behind a gate: who asks while it is shut waits until it opens.
#[derive(Debug)]
struct Gated {
    keys: Arc<dyn KeyProvider>,
    gate: watch::Receiver<bool>,
    waiting: Arc<AtomicUsize>,
}

impl Gated {
    async fn pass(&self) {
        let mut gate = self.gate.clone();
        if *gate.borrow() {
            return;
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        gate.wait_for(|open| *open).await.unwrap();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl KeyProvider for Gated {
    fn key_id(&self) -> String {
        self.keys.key_id()
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
        self.pass().await;
        self.keys.wrap(key, context).await
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError> {
        self.pass().await;
        self.keys.unwrap(wrapped, context).await
    }
}

/// An engine that flushes at once, behind a gate that is open.
struct Behind {
    ingest: Ingest,
    gate: watch::Sender<bool>,
    waiting: Arc<AtomicUsize>,
}

impl Behind {
    async fn gate(folder: &Path) -> Self {
        let (gate, watched) = watch::channel(true);
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut parts = parts(folder).await;
        parts.keys = Arc::new(Gated { keys: parts.keys, gate: watched, waiting: waiting.clone() });
        let mut config = IngestConfig::new(&folder.join("data"));
        config.flush_bytes = 1;
        Self { ingest: Ingest::open(config, parts).await.unwrap(), gate, waiting }
    }

    async fn waiting(&self, askers: usize) {
        wait_until("a question to the provider", || self.waiting.load(Ordering::SeqCst) == askers).await;
    }

    /// A batch of a tenant whose key the log does not have yet.
    fn send(&self, tenant: &TenantId, text: &str) -> JoinHandle<Result<Committed, CommitError>> {
        let (ingest, tenant, batch) = (self.ingest.clone(), tenant.clone(), one(text));
        tokio::spawn(async move { ingest.commit(&tenant, &Class::default(), batch, Some(b"the same for both")).await })
    }
}

fn records_of(ingest: &Ingest, tenant: &TenantId) -> usize {
    let snapshot = ingest.snapshot();
    let Some(view) = snapshot.class(tenant, &Class::default()) else { return 0 };
    let segments: u64 = view.segments.iter().map(|segment| segment.row().records).sum();
    view.live.iter().map(|rows| rows.len()).sum::<usize>() + segments as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_provider_that_is_silent_stops_nobody_who_does_not_need_it() {
    let (folder, acme) = (tempfile::tempdir().unwrap(), TenantId::new("acme").unwrap());
    let behind = Behind::gate(folder.path()).await;
    store(&behind.ingest, &texts(0..5), None).await;
    wait_until("the flush", || segments(&behind.ingest) == 1).await;

    behind.gate.send_replace(false);
    let first = behind.send(&acme, "waits");
    behind.waiting(1).await;
    // The writer goes on, and so does whoever asks; the flusher waits as the second one, and senders do not notice.
    store(&behind.ingest, &texts(5..10), None).await;
    behind.waiting(2).await;
    let again = behind.send(&acme, "waits");
    store(&behind.ingest, &texts(10..20), None).await;
    assert_eq!(bodies(&behind.ingest), texts(0..20), "searchable, but not in segments");
    assert_eq!((segments(&behind.ingest), records_of(&behind.ingest, &acme)), (1, 0));
    assert!(!first.is_finished() && !again.is_finished(), "nothing is acknowledged that is not in the log");

    behind.gate.send_replace(true);
    let stored = [first.await.unwrap().unwrap().records, again.await.unwrap().unwrap().records];
    assert_eq!(stored.iter().sum::<usize>(), 1, "sent twice with one key, stored once");
    assert_eq!(records_of(&behind.ingest, &acme), 1);
    wait_until("the flush that was put off", || segments(&behind.ingest) >= 2).await;
    behind.ingest.close();

    let reopened = crate::tests::open(folder.path(), usize::MAX).await;
    assert_eq!((bodies(&reopened), records_of(&reopened, &acme)), (texts(0..20), 1));
    reopened.close();
    assert_eq!(verify_folder(folder.path(), vec![]).await.findings, []);
}

#[tokio::test(start_paused = true, flavor = "current_thread")]
async fn nobody_waits_for_a_key_for_ever() {
    let never = std::future::pending::<Result<(), KeyProviderError>>();
    let given_up = crate::log_keys::in_time(never).await;
    assert!(matches!(given_up, Err(KeyProviderError::Silent(_))), "{given_up:?}");
}
