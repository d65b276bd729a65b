//! One connection: what it has sent and not been taken yet, within bounds of memory and time.
//!
//! What a connection holds beyond a little is taken out of room that all connections share, as it arrives and not as it is
//! announced: a length field costs a sender nothing, so it must cost us nothing either. Who is out of room is not read
//! from, which slows its sender down.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::reason;
use crate::door::{ALERT, Guest, HANDSHAKE, Keeper, Stream};
use crate::origin::{Origin, Peer};
use crate::seats::Taken;

/// What every connection may hold without asking.
const FREE_BYTES: usize = 64 << 10;
/// Read at once, from a connection that is in the middle of a message or was idle.
const READ_BYTES: usize = 64 << 10;
const FIRST_READ_BYTES: usize = 8 << 10;
/// A sender that is silent in the middle of a message for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// … and one that takes so long over a message holds room that others need.
const LONGEST_MESSAGE: Duration = Duration::from_secs(600);
/// A sender that does not read its answers for so long is gone.
const UNREAD: Duration = Duration::from_secs(30);
/// The room is counted in these.
const UNIT: usize = 1 << 10;

/// One connection of a sender.
pub struct Connection {
    io: Box<dyn Stream>,
    peer: Peer,
    origin: Origin,
    keeper: Arc<Keeper>,
    seat: Taken,
    /// Whether the sender has said anything.
    heard: bool,
    shutdown: CancellationToken,
    /// What was read and not yet taken.
    pub(crate) buffer: BytesMut,
    /// Since when there is an unfinished message.
    message_since: Option<Instant>,
    room: Option<OwnedSemaphorePermit>,
    /// Bytes taken off the buffer and still held.
    held: usize,
}

/// What came of waiting for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// There is more in the buffer.
    Bytes,
    /// Nothing more came in the time asked for.
    Lull,
    /// Nothing more will be read: the sender has ended, or has to.
    End,
}

/// The sender is gone, or does not read what it is sent.
#[derive(Debug, thiserror::Error)]
#[error("an answer could not be sent: {0}")]
pub(crate) struct Unsent(String);

/// Room for what connections hold, of `bytes` in all.
pub(crate) fn room(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / UNIT))
}

impl Connection {
    pub(crate) fn new(guest: Guest, origin: Origin, keeper: Arc<Keeper>, shutdown: CancellationToken) -> Self {
        let Guest { io, peer, seat } = guest;
        let buffer = BytesMut::new();
        let (heard, message_since, room, held) = (false, None, None, 0);
        Self { io, peer, origin, keeper, seat, heard, shutdown, buffer, message_since, room, held }
    }

    /// Address of the sender.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer.address.ip().to_canonical()
    }

    /// Who sends, and for which tenant.
    pub(crate) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// Cancelled when the server stops.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Waits for more, in the middle of a message if the buffer or `unfinished` says so, and until `lull` at most.
    pub(crate) async fn read(&mut self, unfinished: bool, lull: Option<Instant>) -> Read {
        let unfinished = unfinished || !self.buffer.is_empty();
        if !self.make_room().await {
            tracing::warn!(peer = %self.peer.address, "a connection was closed: no room for its message within the time allowed");
            return Read::End;
        }
        let now = Instant::now();
        if lull.is_some_and(|lull| lull <= now) {
            return Read::Lull;
        }
        self.message_since = unfinished.then(|| self.message_since.unwrap_or(now));
        let silent = self.message_since.map(|since| (now + SILENCE).min(since + LONGEST_MESSAGE));
        let until = lull.or(silent);
        self.buffer.reserve(if self.buffer.is_empty() { FIRST_READ_BYTES } else { READ_BYTES });
        self.seat.seat.set_idle(!unfinished);
        let read = tokio::select! {
            read = self.io.read_buf(&mut self.buffer) => match read {
                Ok(0) | Err(_) => Read::End,
                Ok(_) => Read::Bytes,
            },
            () = self.shutdown.cancelled() => Read::End,
            () = self.seat.seat.closing().cancelled() => Read::End,
            () = tokio::time::sleep_until(until.unwrap_or(now)), if until.is_some() => {
                if lull.is_some() { Read::Lull } else { Read::End }
            }
        };
        self.seat.seat.set_idle(false);
        if read == Read::Bytes && !self.heard {
            self.heard = true;
            return self.first_heard().await;
        }
        read
    }

    /// TLS where none is spoken would be taken for a message, and its sender would wait for an answer that it can read.
    async fn first_heard(&mut self) -> Read {
        if !self.buffer.starts_with(&[HANDSHAKE, 3]) {
            return Read::Bytes;
        }
        self.buffer.clear();
        self.keeper.refuse(&self.peer, reason::UNEXPECTED_TLS, "it speaks TLS, this listener does not");
        // It ends in any case.
        let _ = self.send(&ALERT).await;
        Read::End
    }

    /// A message was taken off the buffer, so that the next one has its own time.
    pub(crate) fn message_taken(&mut self) {
        self.message_since = None;
    }

    /// So much is held beside the buffer, and needs room.
    pub(crate) fn holds(&mut self, bytes: usize) {
        self.held = bytes;
    }

    /// Sends an answer.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Unsent> {
        let sending = async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        };
        match tokio::time::timeout(UNREAD, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Unsent(error.to_string())),
            Err(_) => Err(Unsent("the sender does not read".to_owned())),
        }
    }

    /// Ends what we send, and reads what the sender still has under way, so that it gets to read our last answer.
    pub(crate) async fn close(mut self) {
        const LEFT: Duration = Duration::from_secs(2);
        if tokio::time::timeout(UNREAD, self.io.shutdown()).await.is_ok() {
            let mut unread = [0; 4096];
            let _ =
                tokio::time::timeout(LEFT, async { while matches!(self.io.read(&mut unread).await, Ok(1..)) {} }).await;
        }
    }

    /// Takes room for what is in the buffer, or gives back what it no longer needs.
    async fn make_room(&mut self) -> bool {
        let wanted = (self.buffer.len() + self.held).saturating_sub(FREE_BYTES).div_ceil(UNIT);
        let held = self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= held {
            if let Some(room) = &mut self.room {
                drop(room.split(held - wanted));
            }
            return true;
        }
        let more = self.keeper.intake.inner.room.clone().acquire_many_owned((wanted - held) as u32);
        let Ok(Ok(more)) = tokio::time::timeout(self.keeper.intake.inner.options.max_wait, more).await else {
            return false;
        };
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
        true
    }
}

/// The end of TLS is a message of its own, without which the other end cannot tell it from a connection that was cut. It is sent
/// as far as that needs no waiting.
impl Drop for Connection {
    fn drop(&mut self) {
        let _ = Pin::new(&mut self.io).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}
