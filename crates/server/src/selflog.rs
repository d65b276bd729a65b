//! The server's own log, which also goes into its own store: tenant `logkeep`.
//!
//! Events wait in a bounded queue until the engine is there, and are dropped and counted when it is full: a server that
//! cannot write must not stop because it cannot write that it cannot write.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logkeep_ingest::{BatchBuilder, Ingest};
use logkeep_record::{Class, Record, Resource, Severity, TenantId, Value};
use logkeep_redact::{Redaction, Redactor};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

const QUEUE: usize = 4_096;
const MOST_PER_BATCH: usize = 1_024;

/// The tenant of our own log.
const TENANT: &str = "logkeep";

struct Own {
    time_ns: i64,
    level: Level,
    target: String,
    message: String,
    fields: Vec<(&'static str, String)>,
}

/// The end of the queue that [`SelfLogLayer`] fills.
pub struct SelfLog {
    receiver: Arc<Mutex<Option<mpsc::Receiver<Own>>>>,
    dropped: Arc<AtomicU64>,
    task: Mutex<Option<(JoinHandle<()>, tokio_util::sync::CancellationToken)>>,
}

/// A tracing layer that copies our own events of level info and above.
pub struct SelfLogLayer {
    sender: mpsc::Sender<Own>,
    dropped: Arc<AtomicU64>,
}

impl SelfLog {
    /// The layer to install, and the log to attach once the engine runs.
    pub fn new() -> (SelfLogLayer, Self) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let layer = SelfLogLayer { sender, dropped: dropped.clone() };
        (layer, Self { receiver: Arc::new(Mutex::new(Some(receiver))), dropped, task: Mutex::new(None) })
    }

    /// Begins to store what was logged and will be.
    pub(crate) fn attach(&self, ingest: Ingest, redactor: Arc<Redactor>) {
        let Some(mut receiver) = self.receiver.lock().take() else { return };
        let Ok(tenant) = TenantId::new(TENANT) else { return };
        // An error may quote what a sender sent.
        let mut redaction = Redaction::new(redactor, tenant.clone());
        let stop = tokio_util::sync::CancellationToken::new();
        let (stopped, dropped) = (stop.clone(), self.dropped.clone());
        let task = tokio::spawn(async move {
            let mut events = Vec::new();
            loop {
                let count = tokio::select! {
                    count = receiver.recv_many(&mut events, MOST_PER_BATCH) => count,
                    () = stopped.cancelled() => receiver.len().min(MOST_PER_BATCH),
                };
                if events.is_empty() && count > 0 {
                    receiver.recv_many(&mut events, count).await;
                }
                if events.is_empty() {
                    return;
                }
                let records =
                    redacted(&mut redaction, &events, dropped.swap(0, Ordering::Relaxed), ingest.clock().now_ns());
                if let Ok(Some(batch)) = records.finish() {
                    // Saying here that it failed would be one more event to fail.
                    drop(ingest.commit(&tenant, &Class::default(), batch, None).await);
                }
                events.clear();
            }
        });
        *self.task.lock() = Some((task, stop));
    }

    /// Stores what is left and ends.
    pub(crate) async fn detach(&self) {
        let Some((task, stop)) = self.task.lock().take() else { return };
        stop.cancel();
        // A task that panicked has nothing left to store.
        drop(task.await);
    }
}

fn redacted(redaction: &mut Redaction, events: &[Own], dropped: u64, now_ns: i64) -> BatchBuilder {
    let resource = Resource::from_attributes(vec![
        ("service.name".into(), Value::str("logkeep")),
        ("service.version".into(), Value::str(env!("CARGO_PKG_VERSION"))),
        ("process.pid".into(), Value::Int(i64::from(std::process::id()))),
    ]);
    let mut builder = BatchBuilder::default();
    for event in events {
        let mut record = record(event, &resource);
        if redaction.apply(&mut record).is_ok() {
            builder.push(&record);
        }
    }
    if dropped > 0 {
        let mut record = Record::new(now_ns, Value::from(format!("{dropped} log events were dropped")), resource);
        record.severity = Severity::WARN;
        builder.push(&record);
    }
    builder
}

fn record<'a>(event: &'a Own, resource: &Arc<Resource>) -> Record<'a> {
    let mut record = Record::new(event.time_ns, Value::str(&event.message), resource.clone());
    record.time_ns = Some(event.time_ns);
    record.severity = match event.level {
        Level::ERROR => Severity::ERROR,
        Level::WARN => Severity::WARN,
        _ => Severity::INFO,
    };
    record.severity_text = event.level.as_str().into();
    record.attributes.push(("code.namespace".into(), Value::str(&event.target)));
    for (name, value) in &event.fields {
        record.attributes.push(((*name).into(), Value::str(value)));
    }
    record
}

#[derive(Default)]
struct Fields {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.add(field, text);
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.push((field.name(), value));
        }
    }
}

impl<S: Subscriber> Layer<S> for SelfLogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || !metadata.target().starts_with("logkeep") {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let own = Own {
            time_ns: i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default(),
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            message: fields.message,
            fields: fields.fields,
        };
        if self.sender.try_send(own).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
