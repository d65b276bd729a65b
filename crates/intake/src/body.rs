//! Reading a body within bounds of size and time.

mod room;

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use crate::Intake;
use crate::refusal::{Kind, Refusal};

pub(crate) use room::{Held, Room};

/// A sender that is silent in the middle of a body for so long is gone.
const SILENCE: Duration = Duration::from_secs(15);
/// … and one that takes so long over it never ends.
const LONGEST: Duration = Duration::from_secs(600);
/// Taken at first for a body that says how long it will be: a length costs its sender nothing.
const FIRST_BYTES: u64 = 256 << 10;
/// Each byte that has come vouches for so many of those that were declared.
const VOUCHED: usize = 8;
/// How much of a refused body is read and thrown away, so that the sender gets to read why.
const DRAIN_BYTES: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// A body that is here in full, and the room that it takes.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) held: Held,
}

impl Intake {
    /// The whole body. `declared` is its Content-Length; `waits` says that the sender waits for `100 Continue`.
    pub(crate) async fn read_body<B>(
        &self,
        mut body: B,
        declared: Option<u64>,
        waits: bool,
        max_bytes: usize,
    ) -> Result<Whole, Refusal>
    where
        B: Body + Unpin,
        B::Error: std::fmt::Display,
    {
        if declared.is_some_and(|declared| declared > max_bytes as u64) {
            discard(body, waits).await;
            return Err(too_large(max_bytes));
        }
        let mut held = self.inner.bodies.begin();
        let mut bytes = BytesMut::with_capacity(declared.unwrap_or(0).min(FIRST_BYTES) as usize);
        let until = tokio::time::Instant::now() + LONGEST;
        loop {
            let next = tokio::select! {
                next = next(&mut body) => next?,
                () = held.gives_way().cancelled() => return Err(no_room()),
                () = tokio::time::sleep_until(until) => return Err(too_slow()),
            };
            let Some(data) = next else { break };
            let length = bytes.len() + data.len();
            if length > max_bytes {
                drain(body).await;
                return Err(too_large(max_bytes));
            }
            if !held.grow(length, self.inner.options.max_wait).await {
                drain(body).await;
                return Err(no_room());
            }
            if bytes.capacity() < length {
                // What has come so far vouches for more of what was declared: to grow by doubling would copy most of it.
                let declared = declared.unwrap_or(0) as usize;
                bytes.reserve(declared.min(VOUCHED * length).max(length) - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        held.is_whole();
        Ok(Whole { bytes: bytes.freeze(), held })
    }
}

/// Takes a refused body off the connection, so that the sender gets to read why instead of a reset connection. One that
/// waits for `100 Continue` has not sent it.
pub(crate) async fn discard<B>(body: B, waits: bool)
where
    B: Body + Unpin,
    B::Error: std::fmt::Display,
{
    if !waits {
        drain(body).await;
    }
}

fn too_large(max_bytes: usize) -> Refusal {
    Refusal::new(Kind::TooLarge, format!("the body is larger than {max_bytes} bytes; send smaller batches"))
}

fn too_slow() -> Refusal {
    Refusal::new(Kind::Unavailable, "the body did not arrive in time; nothing was stored")
}

fn no_room() -> Refusal {
    Refusal::new(Kind::Busy, "there is no room for bodies that take so long; nothing was stored, send again later")
}

async fn next<B>(body: &mut B) -> Result<Option<Bytes>, Refusal>
where
    B: Body + Unpin,
    B::Error: std::fmt::Display,
{
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        match frame {
            Err(_) => return Err(too_slow()),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                return Err(Refusal::new(Kind::Malformed, format!("the body broke off ({error}); nothing was stored")));
            }
            Ok(Some(Ok(frame))) => {
                if let Ok(mut data) = frame.into_data() {
                    return Ok(Some(data.copy_to_bytes(data.remaining())));
                }
            }
        }
    }
}

async fn drain<B>(mut body: B)
where
    B: Body + Unpin,
    B::Error: std::fmt::Display,
{
    let started = Instant::now();
    let mut left = DRAIN_BYTES;
    while let Some(rest) = DRAIN_TIME.checked_sub(started.elapsed()) {
        match tokio::time::timeout(rest, next(&mut body)).await {
            Ok(Ok(Some(data))) if data.len() <= left => left -= data.len(),
            _ => return,
        }
    }
}
