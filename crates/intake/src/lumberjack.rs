//! Beats and Logstash, over the Lumberjack protocol.
//!
//! A window is acked when all of its events are durable. Meanwhile the sender hears every few seconds that we are at work,
//! or it would give up after thirty and send everything again to a server that has it already; that is also why a window
//! that cannot be stored is tried again here instead of being refused. What a sender sends again over a new connection
//! has no number that says so, and is stored again.

use std::time::Duration;

use bytes::Bytes;
use logkeep_record::{Record, Resource, Value, limits};
use logkeep_wire::lumberjack::{Frame, LumberjackError, ack, events, frame, open, record};

use crate::Intake;
use crate::account::{Fate, reason};
use crate::connection::{Connection, Read};
use crate::counters::{Protocol, add};
use crate::entry::Entry;
use crate::prepare::{Prepared, Preparing};
use crate::receivers::Task;
use crate::refusal::{self, Refusal};

/// How often a sender that waits is told that we are at work.
const STILL_HERE: Duration = Duration::from_secs(3);

/// Serves a connection to its end.
pub(crate) fn tcp(intake: Intake, mut connection: Connection) -> Task {
    Box::pin(async move {
        let (peer, origin) = (connection.peer(), connection.origin());
        if let Err(reason) = intake.lumberjack(&mut connection).await {
            intake.count_refused(&origin, reason::CONNECTION_CLOSED);
            tracing::warn!(%peer, reason, "a connection of Beats was closed");
            connection.close().await;
        }
    })
}

/// The events of a window as they arrived.
#[derive(Default)]
struct Window {
    announced: u32,
    /// Frames, decompressed.
    frames: Vec<Bytes>,
    /// Events in them.
    count: u32,
    /// The number of the last.
    last: u32,
    /// Of the frames.
    bytes: usize,
    /// Bytes as they arrived.
    arrived: usize,
}

impl Window {
    fn add(&mut self, frames: Bytes, count: usize, last: u32, max_bytes: usize) -> Result<(), String> {
        if self.announced == 0 {
            return Err("an event outside of a window".to_owned());
        }
        self.bytes += frames.len();
        self.count = self.count.saturating_add(count as u32);
        self.last = last;
        if self.bytes > max_bytes {
            return Err(format!("a window of more than {max_bytes} bytes; set a smaller `bulk_max_size`"));
        }
        if self.count > self.announced {
            return Err(format!("a window of {} events has {}", self.announced, self.count));
        }
        self.frames.push(frames);
        Ok(())
    }

    fn begin(&mut self, announced: u32) -> Result<(), String> {
        if self.announced > 0 {
            return Err(format!("a window begins after {} of {} events", self.count, self.announced));
        }
        if announced as usize > limits::RECORDS_PER_REQUEST {
            return Err(format!("a window of {announced} events, more than {}", limits::RECORDS_PER_REQUEST));
        }
        self.announced = announced;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.announced > 0 && self.count == self.announced
    }
}

/// What a frame is, without its content.
enum Kind {
    Window,
    Event(u32),
    Compressed,
}

impl From<LumberjackError> for Refusal {
    fn from(error: LumberjackError) -> Self {
        Self::new(refusal::Kind::Malformed, error.to_string())
    }
}

impl Intake {
    async fn lumberjack(&self, connection: &mut Connection) -> Result<(), String> {
        let mut window = Window::default();
        loop {
            let max_bytes = self.inner.options.request_bytes;
            let found = frame(&connection.buffer, max_bytes).map_err(|error| error.to_string())?;
            let Some((found, length)) = found else {
                if connection.read(window.announced > 0, None).await == Read::End {
                    return Ok(());
                }
                continue;
            };
            let (kind, head) = match found {
                Frame::Window(announced) => {
                    window.begin(announced)?;
                    (Kind::Window, length)
                }
                Frame::Event { sequence, .. } => (Kind::Event(sequence), 0),
                Frame::Compressed(content) => (Kind::Compressed, length - content.len()),
            };
            let bytes = connection.buffer.split_to(length).freeze().slice(head..);
            connection.message_taken();
            add(&self.inner.counters.of(Protocol::Beats).bytes, length);
            self.take(&mut window, kind, bytes).await?;
            window.arrived += length;
            connection.holds(window.bytes);
            if window.is_full() {
                self.store_window(connection, std::mem::take(&mut window)).await?;
                connection.holds(0);
            }
        }
    }

    async fn take(&self, window: &mut Window, kind: Kind, bytes: Bytes) -> Result<(), String> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        match kind {
            Kind::Window => Ok(()),
            Kind::Event(sequence) => window.add(bytes, 1, sequence, max_bytes),
            Kind::Compressed => {
                let left = max_bytes.saturating_sub(window.bytes);
                let open = move || {
                    let opened = open(&bytes, left)?.into_owned();
                    let events = events(&opened)?;
                    let (count, last) = (events.len(), events.last().map_or(0, |(sequence, _)| *sequence));
                    Ok::<_, LumberjackError>((Bytes::from(opened), count, last))
                };
                let opened = self.process(open).await.map_err(|refusal| refusal.message)?;
                let (frames, count, last) = opened.map_err(|error| error.to_string())?;
                window.add(frames, count, last.max(window.last), max_bytes)
            }
        }
    }

    async fn store_window(&self, connection: &mut Connection, window: Window) -> Result<(), String> {
        let last = window.last;
        let (intake, shutdown) = (self.clone(), connection.shutdown().clone());
        let origin = connection.origin().of_bytes(window.arrived);
        let storing = tokio::spawn(async move {
            let received_ns = intake.now_ns();
            let entry = intake.entry(&origin);
            add(&intake.inner.counters.of(Protocol::Beats).requests, 1);
            let prepare = move || prepare(entry.clone(), &window.frames, received_ns);
            intake.persist(&origin, prepare, Fate::Deferred, &shutdown).await
        });
        tokio::pin!(storing);
        let stored = loop {
            tokio::select! {
                stored = &mut storing => break stored,
                () = tokio::time::sleep(STILL_HERE) => {
                    connection.send(&ack(0)).await.map_err(|unsent| unsent.to_string())?;
                }
            }
        };
        if let Err(unstored) = stored.map_err(|error| Refusal::defect(error).message)? {
            return Err(unstored.refusal.message);
        }
        connection.send(&ack(last)).await.map_err(|unsent| unsent.to_string())
    }
}

fn prepare(entry: Entry, frames: &[Bytes], received_ns: i64) -> Result<Prepared, Refusal> {
    let resource = Resource::from_attributes(Vec::new());
    let mut preparing = Preparing::new(entry);
    let mut sender: Option<Option<String>> = None;
    for bytes in frames {
        for (_, json) in events(bytes)? {
            let record = record(json, received_ns, resource.clone());
            let agent = agent_of(&record);
            if sender.as_ref().is_none_or(|sender| sender.as_deref() != agent) {
                // The first one; a window of several is Logstash's, and has no name.
                sender = Some(if sender.is_none() { agent.map(str::to_owned) } else { None });
            }
            preparing.push(record)?;
        }
    }
    Ok(Prepared { sender: sender.flatten(), ..preparing.finish()? })
}

/// The name of the agent that shipped an event, or of its host.
fn agent_of<'r>(record: &'r Record<'_>) -> Option<&'r str> {
    let name_in = |key| {
        let named = member(&record.body, key)?;
        named.as_str().or_else(|| member(named, "name")?.as_str())
    };
    name_in("agent").or_else(|| name_in("host"))
}

fn member<'r>(value: &'r Value<'_>, key: &str) -> Option<&'r Value<'r>> {
    let Value::Map(pairs) = value else { return None };
    pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}
