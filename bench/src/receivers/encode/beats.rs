//! Lumberjack, version 2: a window of Filebeat's events in one compressed frame.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use logkeep_meshsim::{Event, render};
use serde_json::{Value, json};

use super::line;
use crate::receivers::batch::Batch;

/// Filebeat's `compression_level`, by default.
const LEVEL: u32 = 3;

/// A window and its events.
pub(in crate::receivers) fn window(batch: &Batch) -> anyhow::Result<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(LEVEL));
    for (sequence, (number, event)) in (1_u32..).zip(batch.numbered()) {
        let document = document(number, event).to_string();
        zlib.write_all(b"2J")?;
        zlib.write_all(&sequence.to_be_bytes())?;
        zlib.write_all(&(document.len() as u32).to_be_bytes())?;
        zlib.write_all(document.as_bytes())?;
    }
    let events = zlib.finish()?;
    let (count, length) = (batch.events.len() as u32, events.len() as u32);
    Ok([b"2W", &count.to_be_bytes()[..], b"2C", &length.to_be_bytes(), &events].concat())
}

/// The ack of all events of a window.
pub(in crate::receivers) fn ack(batch: &Batch) -> Vec<u8> {
    [b"2A", &(batch.events.len() as u32).to_be_bytes()[..]].concat()
}

/// What Filebeat makes of a container's line.
fn document(number: u64, event: &Event) -> Value {
    let pod = &event.pod;
    json!({
        "@timestamp": render::rfc3339(event.time_ns),
        "@metadata": {"beat": "filebeat", "type": "_doc", "version": "8.17.0"},
        "message": line(event), "stream": "stdout", "input": {"type": "container"}, "ecs": {"version": "8.0.0"},
        "log": {"offset": number * 800, "file": {"path": format!("/var/log/containers/{}.log", pod.name)}},
        "host": {"name": pod.node}, "agent": {"type": "filebeat", "version": "8.17.0", "name": pod.node},
        "kubernetes": {
            "namespace": pod.namespace, "pod": {"name": pod.name}, "node": {"name": pod.node},
            "labels": {"app": pod.service, "version": pod.version},
        },
    })
}
