//! Reading a body within bounds of size and time.

use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::refusal::{Kind, Refusal};

/// A sender that is silent in the middle of a body for so long is gone.
const SILENCE: Duration = Duration::from_secs(15);
/// How much of a refused body is read and thrown away, so that the sender gets to read why.
const DRAIN_BYTES: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The whole body. `declared` is its Content-Length; `waits` says that the sender waits for `100 Continue`.
pub(crate) async fn read(
    mut body: Body,
    declared: Option<u64>,
    waits: bool,
    max_bytes: usize,
) -> Result<Bytes, Refusal> {
    if declared.is_some_and(|declared| declared > max_bytes as u64) {
        discard(body, waits).await;
        return Err(too_large(max_bytes));
    }
    let mut whole = BytesMut::with_capacity(declared.unwrap_or(0) as usize);
    while let Some(data) = next(&mut body).await? {
        if whole.len() + data.len() > max_bytes {
            drain(body).await;
            return Err(too_large(max_bytes));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Takes a refused body off the connection, so that the sender gets to read why instead of a reset connection. One that
/// waits for `100 Continue` has not sent it.
pub(crate) async fn discard(body: Body, waits: bool) {
    if !waits {
        drain(body).await;
    }
}

fn too_large(max_bytes: usize) -> Refusal {
    Refusal::new(Kind::TooLarge, format!("the body is larger than {max_bytes} bytes; send smaller batches"))
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        match frame {
            Err(_) => {
                return Err(Refusal::new(Kind::Unavailable, "the body did not arrive in time; nothing was stored"));
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                return Err(Refusal::new(Kind::Malformed, format!("the body broke off ({error}); nothing was stored")));
            }
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

async fn drain(mut body: Body) {
    let started = Instant::now();
    let mut left = DRAIN_BYTES;
    while let Some(rest) = DRAIN_TIME.checked_sub(started.elapsed()) {
        match tokio::time::timeout(rest, next(&mut body)).await {
            Ok(Ok(Some(data))) if data.len() <= left => left -= data.len(),
            _ => return,
        }
    }
}
