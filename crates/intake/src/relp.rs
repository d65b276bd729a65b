//! RELP: syslog of which each message is answered.
//!
//! A sender keeps a message until its answer comes, and blocks its queue when too many are open. So messages that are here
//! are stored together, none is answered before it is durable, and one that cannot be stored is tried again while its
//! sender waits.

use bytes::Bytes;
use logkeep_wire::relp::{Command, SERVER_CLOSE, frame, opened, response};
use logkeep_wire::{frame::Frame, syslog::Parser};

use crate::Intake;
use crate::account::{Fate, reason};
use crate::connection::{Connection, Read};
use crate::counters::{Protocol, add};
use crate::entry::Entry;
use crate::prepare::{Prepared, Preparing};
use crate::receivers::Task;
use crate::refusal::Refusal;

/// Messages that are stored together, and their bytes.
const MESSAGES: usize = 4_096;
const MESSAGES_BYTES: usize = 1 << 20;

/// Serves a connection to its end.
pub(crate) fn tcp(intake: Intake, mut connection: Connection) -> Task {
    Box::pin(async move {
        let (peer, origin) = (connection.peer(), connection.origin());
        if let Err(reason) = intake.relp(&mut connection).await {
            intake.count_refused(&origin, reason::CONNECTION_CLOSED);
            tracing::warn!(%peer, reason, "a connection of RELP was closed");
            connection.close().await;
        }
    })
}

/// Messages of one connection that came together, and what to answer once they are durable.
#[derive(Default)]
struct Group {
    messages: Vec<Bytes>,
    bytes: usize,
    answers: Vec<u8>,
    closing: bool,
}

impl Intake {
    async fn relp(&self, connection: &mut Connection) -> Result<(), String> {
        let mut is_open = false;
        loop {
            let mut group = Group::default();
            let taken = take(connection, &mut group, &mut is_open);
            let is_idle = group.answers.is_empty();
            if !is_idle {
                self.store_group(connection, group.messages, group.bytes).await?;
                connection.send(&group.answers).await.map_err(|unsent| unsent.to_string())?;
            }
            taken?;
            if group.closing || is_idle && connection.read(false, None).await == Read::End {
                return Ok(());
            }
        }
    }

    async fn store_group(&self, connection: &mut Connection, messages: Vec<Bytes>, bytes: usize) -> Result<(), String> {
        if messages.is_empty() {
            return Ok(());
        }
        let counts = self.inner.counters.of(Protocol::Relp);
        add(&counts.requests, 1);
        add(&counts.bytes, bytes);
        let received_ns = self.now_ns();
        let origin = connection.origin().of_bytes(bytes);
        let entry = self.entry(&origin);
        let (intake, shutdown) = (self.clone(), connection.shutdown().clone());
        let prepare = move || prepare(entry.clone(), &messages, received_ns);
        let stored = Self::to_the_end(async move { intake.persist(&origin, prepare, Fate::Deferred, &shutdown).await });
        let stored = stored.await.map_err(|refusal| refusal.message)?;
        stored.map_err(|unstored| unstored.refusal.message)
    }
}

/// Takes what is in the buffer.
fn take(connection: &mut Connection, group: &mut Group, is_open: &mut bool) -> Result<(), String> {
    while group.messages.len() < MESSAGES && group.bytes < MESSAGES_BYTES && !group.closing {
        let Some((found, length)) = frame(&connection.buffer).map_err(|error| error.to_string())? else { break };
        match found.command {
            Command::Open => {
                *is_open = true;
                group.answers.extend(opened(found.number));
            }
            Command::Syslog if *is_open => {
                group.bytes += found.data.len();
                group.messages.push(Bytes::copy_from_slice(found.data));
                group.answers.extend(response(found.number, "200 OK"));
            }
            Command::Syslog => return Err("a message before the session was opened".to_owned()),
            Command::Close => {
                group.answers.extend(response(found.number, ""));
                group.answers.extend_from_slice(SERVER_CLOSE);
                group.closing = true;
            }
            Command::Unknown => group.answers.extend(response(found.number, "500 this command was not offered")),
        }
        let _ = connection.buffer.split_to(length);
        connection.message_taken();
    }
    Ok(())
}

fn prepare(entry: Entry, messages: &[Bytes], received_ns: i64) -> Result<Prepared, Refusal> {
    let mut preparing = Preparing::new(entry);
    let mut parser = Parser::default();
    for message in messages {
        preparing.push(parser.record(&Frame::new(message), received_ns))?;
    }
    preparing.finish()
}
