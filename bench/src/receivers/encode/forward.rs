//! Fluentd's Forward: a chunk of packed events with an id to be acknowledged.

use super::{fields, gzip, msgpack};
use crate::receivers::batch::Batch;

type Bytes = anyhow::Result<Vec<u8>>;

/// `PackedForward`.
pub(in crate::receivers) fn packed(batch: &Batch) -> Bytes {
    Ok(message(batch, &events(batch)?, false))
}

/// `CompressedPackedForward`.
pub(in crate::receivers) fn compressed(batch: &Batch) -> Bytes {
    Ok(message(batch, &gzip(&events(batch)?)?, true))
}

/// The answer to a chunk.
pub(in crate::receivers) fn ack(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::map(&mut out, 1);
    msgpack::text(&mut out, "ack");
    msgpack::text(&mut out, &chunk(batch));
    out
}

/// As long as the base64 of 16 bytes, which is usual.
fn chunk(batch: &Batch) -> String {
    format!("{:022}==", batch.id())
}

fn events(batch: &Batch) -> Bytes {
    let mut out = Vec::with_capacity(batch.events.len() * 1_000);
    for event in &batch.events {
        msgpack::array(&mut out, 2);
        // An `EventTime`: an extension of type 0 with seconds and nanoseconds.
        out.extend([0xd7, 0]);
        out.extend(((event.time_ns / 1_000_000_000) as u32).to_be_bytes());
        out.extend(((event.time_ns % 1_000_000_000) as u32).to_be_bytes());
        let mut document = fields(event)?;
        document.remove("@timestamp");
        msgpack::value(&mut out, &document.into());
    }
    Ok(out)
}

fn message(batch: &Batch, events: &[u8], is_compressed: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.len() + 100);
    msgpack::array(&mut out, 3);
    msgpack::text(&mut out, "kube.mesh");
    msgpack::binary(&mut out, events);
    msgpack::map(&mut out, 2 + usize::from(is_compressed));
    msgpack::text(&mut out, "size");
    msgpack::unsigned(&mut out, batch.events.len() as u64);
    msgpack::text(&mut out, "chunk");
    msgpack::text(&mut out, &chunk(batch));
    if is_compressed {
        msgpack::text(&mut out, "compressed");
        msgpack::text(&mut out, "gzip");
    }
    out
}
