//! Fluentd's Forward protocol over TCP, and the heartbeat over UDP.
//!
//! A sender that gives its events a chunk id waits for an ack, and sends them again over another connection if there is
//! none; one that gives none is never answered. So events of the first kind are acked when they are durable, known again
//! by chunk and content, and refused by closing the connection; events of the second kind are kept until they are stored.
//! What a connection has sent by now is stored together, or a sender of one event a message would wait for the disk each
//! time.
//!
//! A port either asks for the shared key or does not: who is not asked must hear nothing.

use std::sync::Arc;

use bytes::Bytes;
use logkeep_cipher::random_bytes;
use logkeep_wire::forward::handshake::{PING_BYTES, helo, ping, refused};
use logkeep_wire::forward::{ForwardError, ack, message};
use logkeep_wire::msgpack::{Extent, ExtentError};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::account::reason;
use crate::connection::{Connection, Read, Unsent};
use crate::counters::{Protocol, add};
use crate::entry::Entry;
use crate::joining::{Held, Normalizers};
use crate::options::ForwardSecurity;
use crate::origin::Origin;
use crate::prepare::Preparing;
use crate::receivers::Task;
use crate::refusal::{Kind, Refusal};

/// Messages that are stored together, and their bytes.
const MESSAGES: usize = 1_024;
const MESSAGES_BYTES: usize = 1 << 20;

/// Why a connection ends before its sender ends it.
struct Closed {
    what: String,
    /// As the ledger counts it.
    reason: &'static str,
}

impl From<String> for Closed {
    fn from(what: String) -> Self {
        Self { what, reason: reason::CONNECTION_CLOSED }
    }
}

impl From<Unsent> for Closed {
    fn from(unsent: Unsent) -> Self {
        unsent.to_string().into()
    }
}

impl From<ExtentError> for Closed {
    fn from(error: ExtentError) -> Self {
        match error {
            ExtentError::Malformed(error) => error.to_string().into(),
            error @ ExtentError::TooLarge(_) => Refusal::new(Kind::TooLarge, error.to_string()).into(),
        }
    }
}

impl From<Refusal> for Closed {
    fn from(refusal: Refusal) -> Self {
        if refusal.kind != Kind::TooLarge {
            return refusal.message.into();
        }
        // It will be sent again and again, and never be taken: whoever runs its sender has to know.
        let what = format!(
            "{}; its sender will try for ever, and nothing behind it arrives: keep Fluentd's `chunk_limit_size` below \
            `limits.request_bytes`, and what a chunk holds unpacked below `limits.request_decompressed_bytes`",
            refusal.message
        );
        Self { what, reason: refusal.reason() }
    }
}

impl From<ForwardError> for Refusal {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::Malformed(error) => Self::new(Kind::Malformed, error.to_string()),
            ForwardError::Compress(error) => error.into(),
        }
    }
}

/// Serves a connection to its end.
pub(crate) fn tcp(intake: Intake, mut connection: Connection) -> Task {
    Box::pin(async move {
        let (peer, origin) = (connection.peer(), connection.origin());
        if let Err(Closed { what, reason }) = intake.forward(&mut connection).await {
            intake.count_refused(&origin, reason);
            tracing::warn!(%peer, reason = what, "a forward connection was closed");
            connection.close().await;
        }
    })
}

/// Answers heartbeats: one byte for each datagram, whatever it holds.
pub(crate) fn heartbeat(_: Intake, socket: UdpSocket, shutdown: CancellationToken) -> Task {
    Box::pin(async move {
        let mut datagram = [0; 64];
        loop {
            let received = tokio::select! {
                received = socket.recv_from(&mut datagram) => received,
                () = shutdown.cancelled() => return,
            };
            // Who does not get it is told by silence, as it would be by a lost datagram.
            if let Ok((_, peer)) = received {
                let _ = socket.send_to(b"\0", peer).await;
            }
        }
    })
}

/// One message, cut off the stream.
struct Sent {
    bytes: Bytes,
    chunk: Option<Bytes>,
}

impl Intake {
    async fn forward(&self, connection: &mut Connection) -> Result<(), Closed> {
        let mut origin = connection.origin();
        if let Some(security) = self.inner.options.forward.clone() {
            let Some(client) = self.shake_hands(connection, &security).await? else { return Ok(()) };
            origin = origin.called(&self.inner.options.redactor.masked(&client));
        }
        let mut held = Held::default();
        let served = self.messages(connection, &origin, &mut held).await;
        if held.is_due(true) {
            // However the connection ended.
            self.keep_on(connection, &origin, Vec::new(), &mut held, true).await?;
        }
        served
    }

    async fn messages(&self, connection: &mut Connection, origin: &Origin, held: &mut Held) -> Result<(), Closed> {
        let max_bytes = self.inner.options.request_bytes;
        let mut extent = Extent::new(max_bytes);
        loop {
            let mut sent = Vec::new();
            let mut bytes = 0;
            let mut faulty = Ok(());
            while sent.len() < MESSAGES && bytes < MESSAGES_BYTES {
                match next(connection, &mut extent, max_bytes) {
                    Ok(Some(message)) => {
                        bytes += message.bytes.len();
                        sent.push(message);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        faulty = Err(error);
                        break;
                    }
                }
            }
            if !sent.is_empty() {
                add(&self.inner.counters.of(Protocol::Forward).bytes, bytes);
                self.forwarded(connection, origin, sent, held).await?;
            } else if faulty.is_ok() {
                match connection.read(false, held.until()).await {
                    Read::Bytes => {}
                    Read::Lull => self.keep_on(connection, origin, Vec::new(), held, false).await?,
                    Read::End => return Ok(()),
                }
            }
            faulty?;
        }
    }

    /// Stores messages, and sends their acks in their order.
    async fn forwarded(
        &self,
        connection: &mut Connection,
        origin: &Origin,
        sent: Vec<Sent>,
        held: &mut Held,
    ) -> Result<(), Closed> {
        let (acked, plain): (Vec<_>, Vec<_>) = sent.into_iter().partition(|sent| sent.chunk.is_some());
        if !plain.is_empty() || held.is_due(false) {
            let plain = plain.into_iter().map(|sent| sent.bytes).collect();
            self.keep_on(connection, origin, plain, held, false).await?;
        }
        let mut storing = JoinSet::new();
        let chunks: Vec<_> = acked.iter().filter_map(|sent| sent.chunk.clone()).collect();
        for (place, sent) in acked.into_iter().enumerate() {
            let (intake, origin) = (self.clone(), origin.of_bytes(sent.bytes.len()));
            storing.spawn(async move { (place, intake.store_chunk(&origin, sent).await) });
        }
        let mut failures = vec![None; chunks.len()];
        while let Some(stored) = storing.join_next().await {
            let (place, stored) = stored.map_err(Refusal::defect)?;
            failures[place] = stored.err();
        }
        let stored = chunks.iter().zip(&failures).filter(|(_, failure)| failure.is_none());
        let acks: Vec<u8> = stored.flat_map(|(chunk, _)| ack(chunk)).collect();
        connection.send(&acks).await?;
        failures.into_iter().flatten().next().map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Stores events whose sender will not send them again, even if it hangs up meanwhile.
    async fn keep_on(
        &self,
        connection: &mut Connection,
        origin: &Origin,
        messages: Vec<Bytes>,
        held: &mut Held,
        is_end: bool,
    ) -> Result<(), Closed> {
        let (intake, shutdown, before) = (self.clone(), connection.shutdown().clone(), std::mem::take(held));
        let origin = origin.of_bytes(messages.iter().map(Bytes::len).sum());
        let keeping = async move { intake.keep(&origin, messages, before, is_end, &shutdown).await };
        *held = Self::to_the_end(keeping).await?;
        connection.holds(held.bytes());
        Ok(())
    }

    /// Gives what waits for its rest then.
    async fn keep(
        self,
        origin: &Origin,
        messages: Vec<Bytes>,
        held: Held,
        is_end: bool,
        shutdown: &CancellationToken,
    ) -> Held {
        let counts = self.inner.counters.of(Protocol::Forward);
        add(&counts.requests, 1);
        let (max_bytes, received_ns) = (self.inner.options.request_decompressed_bytes, self.now_ns());
        let Entry { arrival, policies } = self.entry(origin);
        let (waited, next) = (held.peers().len(), Arc::new(Mutex::new(None)));
        let left = next.clone();
        let prepare = move || {
            let mut preparing = Preparing::resume(&policies, Normalizers::one(arrival.clone()), held.clone())?;
            take(&mut preparing, messages.iter(), received_ns, max_bytes)?;
            let (prepared, _, held) = preparing.pause(is_end)?;
            *left.lock() = Some(held);
            Ok(prepared)
        };
        self.store_for_sure(origin, prepare, shutdown).await;
        let next = next.lock().take();
        if next.is_none() {
            // By a defect of ours.
            self.count_dropped(origin, None, reason::FAILED, waited);
        }
        next.unwrap_or_default()
    }

    async fn store_chunk(self, origin: &Origin, sent: Sent) -> Result<(), Refusal> {
        let Sent { bytes, chunk } = sent;
        let admission = self.admit(Protocol::Forward).await?;
        let (max_bytes, received_ns) = (self.inner.options.request_decompressed_bytes, self.now_ns());
        let entry = self.entry(origin);
        let peer = entry.arrival.source.clone();
        let work = move || {
            let mut preparing = Preparing::new(entry);
            take(&mut preparing, [&bytes], received_ns, max_bytes)?;
            Ok::<_, Refusal>((preparing.finish()?, Sha256::digest(&bytes)))
        };
        let (prepared, content) = self.process(work).await??;
        // Two senders may choose the same id, and a sender may use one again for other events.
        let chunk = chunk.unwrap_or_default();
        let key = [b"forward\0", peer.as_bytes(), b"\0", &content, &chunk].concat();
        self.commit(origin, prepared, Some(&key)).await?;
        drop(admission);
        Ok(())
    }

    /// What the client calls itself, if it is one of those who may send.
    async fn shake_hands(
        &self,
        connection: &mut Connection,
        security: &ForwardSecurity,
    ) -> Result<Option<String>, Closed> {
        let (nonce, auth) = (random_bytes(), random_bytes::<16>());
        let auth: &[u8] = if security.users.is_empty() { b"" } else { &auth };
        connection.send(&helo(&nonce, auth)).await?;
        let mut extent = Extent::new(PING_BYTES);
        let length = loop {
            if let Some(length) = extent.find(&connection.buffer)? {
                break length;
            }
            if connection.read(true, None).await == Read::End {
                // Connections that say nothing are how senders see whether a port is open.
                return if connection.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err("it ended in the middle of PING".to_owned().into())
                };
            }
        };
        let bytes = connection.buffer.split_to(length).freeze();
        connection.message_taken();
        let ping = ping(&bytes).map_err(|error| error.to_string())?;
        let reason = if !ping.knows_key(&nonce, security.shared_key.reveal()) {
            "shared key mismatch"
        } else if !security.users.is_empty() && !security.knows(&ping, auth) {
            "username/password mismatch"
        } else {
            let accepted = ping.accepted("logkeep", &nonce, security.shared_key.reveal());
            connection.send(&accepted).await?;
            return Ok(Some(ping.host()));
        };
        // Whoever is refused is told why before the connection ends.
        let _ = connection.send(&refused(reason)).await;
        Err(reason.to_owned().into())
    }
}

/// The next message in the buffer, if it is there in full.
fn next(connection: &mut Connection, extent: &mut Extent, max_bytes: usize) -> Result<Option<Sent>, Closed> {
    let Some(length) = extent.find(&connection.buffer)? else { return Ok(None) };
    *extent = Extent::new(max_bytes);
    let bytes = connection.buffer.split_to(length).freeze();
    connection.message_taken();
    let Some(message) = message(&bytes).map_err(|error| error.to_string())? else {
        // A heartbeat.
        return next(connection, extent, max_bytes);
    };
    let chunk = message.chunk.map(|chunk| bytes.slice_ref(chunk));
    Ok(Some(Sent { bytes, chunk }))
}

/// Takes the events of messages.
fn take<'a>(
    preparing: &mut Preparing,
    messages: impl IntoIterator<Item = &'a Bytes>,
    received_ns: i64,
    max_bytes: usize,
) -> Result<(), Refusal> {
    for bytes in messages {
        let Some(message) = message(bytes)? else { continue };
        if !message.is_logs() {
            preparing.reject(reason::UNSUPPORTED, "it holds metrics or traces, not log records");
            continue;
        }
        let body = match message.body(max_bytes) {
            Ok(body) => body,
            Err(error) if message.chunk.is_some() => return Err(error.into()),
            Err(error) => {
                preparing.reject(reason::MALFORMED, &error.to_string());
                continue;
            }
        };
        for event in message.events(&body, received_ns) {
            match event {
                Ok(record) => preparing.push(record)?,
                Err(reason) => preparing.reject(reason::MALFORMED, &reason),
            }
        }
    }
    Ok(())
}
