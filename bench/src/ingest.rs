//! Sends a file as fast as the server takes it.
//!
//! The file is cut into request bodies by one thread that keeps a few ahead; the clock starts when the first are ready,
//! so that building them is not measured. Each connection is one thread with one request under way, as a shipper's
//! workers are: more requests at once would measure a queue.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::{Ingest, Protocol, procfs, report};

/// How often a busy answer is taken for an answer.
const ATTEMPTS: u32 = 20;

/// One request body.
#[derive(Debug)]
struct Body {
    bytes: Vec<u8>,
    /// Of the lines alone, line feeds included.
    raw_bytes: u64,
    lines: u64,
}

/// What one connection saw.
#[derive(Debug, Default)]
struct Tally {
    raw_bytes: u64,
    lines: u64,
    busy: u64,
    acks_ms: Vec<f64>,
}

/// Runs the whole measurement and shows it.
pub(crate) fn run(options: &Ingest) -> anyhow::Result<()> {
    let result = measure(options)?;
    print(&result)?;
    report::result(options.json.as_deref(), &json!({"store": "logkeep", "ingest": result}))
}

/// Sends everything, waits for the server to come to rest, and reads what it took.
pub(crate) fn measure(options: &Ingest) -> anyhow::Result<Value> {
    let cpu_before = options.pid.map(procfs::cpu_seconds).transpose()?;
    let (tally, seconds) = send(options)?;
    let mut result = summary(options, &tally, seconds);
    if let (Some(pid), Some(before)) = (options.pid, cpu_before) {
        result["server_settled"] = json!(come_to_rest(pid, options)?);
        let cpu = procfs::cpu_seconds(pid)? - before;
        result["server_cpu_seconds"] = json!(cpu);
        result["mb_per_cpu_second"] = json!(tally.raw_bytes as f64 / 1e6 / cpu.max(0.01));
        result["peak_rss_bytes"] = json!(procfs::peak_rss(pid)?);
        if options.idle.is_some() {
            result["idle_rss_bytes"] = json!(procfs::rss(pid)?);
        }
    }
    if let Some(folder) = &options.data_dir {
        let bytes = procfs::folder_bytes(folder)?;
        result["disk_bytes"] = json!(bytes);
        result["raw_per_stored"] = json!(tally.raw_bytes as f64 / bytes.max(1) as f64);
    }
    Ok(result)
}

/// Whether the server has nothing more to do, also not what waits for a timer if there was time for that.
fn come_to_rest(pid: u32, options: &Ingest) -> anyhow::Result<bool> {
    let limit = Duration::from_secs(options.settle);
    let settled = procfs::settle(pid, limit)?;
    let Some(idle) = options.idle else { return Ok(settled) };
    std::thread::sleep(Duration::from_secs(idle));
    procfs::settle(pid, limit)
}

fn summary(options: &Ingest, tally: &Tally, seconds: f64) -> Value {
    json!({
        "protocol": format!("{:?}", options.protocol).to_lowercase(),
        "connections": options.connections,
        "body_mb": options.body_mb,
        "raw_bytes": tally.raw_bytes,
        "lines": tally.lines,
        "seconds": seconds,
        "mb_per_second": tally.raw_bytes as f64 / 1e6 / seconds,
        "lines_per_second": tally.lines as f64 / seconds,
        "ack_p50_ms": report::quantile(&tally.acks_ms, 0.5),
        "ack_p99_ms": report::quantile(&tally.acks_ms, 0.99),
        "busy_answers": tally.busy,
    })
}

fn print(result: &Value) -> anyhow::Result<()> {
    let Value::Object(fields) = result else { return Ok(()) };
    let cell = |value: &Value| match value.as_f64() {
        Some(number) if value.is_f64() => format!("{number:.2}"),
        _ => value.to_string(),
    };
    let rows: Vec<Vec<String>> = fields.iter().map(|(name, value)| vec![name.clone(), cell(value)]).collect();
    report::table(&rows)
}

fn send(options: &Ingest) -> anyhow::Result<(Tally, f64)> {
    let path = match options.protocol {
        Protocol::Bulk => "/es/logs/_bulk",
        Protocol::Ndjson => "/api/v1/ingest/ndjson",
    };
    let url = format!("{}{path}", options.url.trim_end_matches('/'));
    let ahead = usize::from(options.connections) * 2;
    let (sender, receiver) = sync_channel(ahead);
    let receiver = Arc::new(Mutex::new(receiver));
    let failed = AtomicBool::new(false);
    let file = File::open(&options.file).with_context(|| options.file.display().to_string())?;
    std::thread::scope(|scope| {
        let ready = Arc::new(std::sync::Barrier::new(2));
        let at_start = Arc::clone(&ready);
        let target = usize::from(options.body_mb) * 1_000_000;
        let builder = scope.spawn(move || build(file, target, options.protocol, &sender, ahead, &at_start));
        ready.wait();
        let started = Instant::now();
        let connect = |_| {
            let (receiver, url, failed) = (Arc::clone(&receiver), url.as_str(), &failed);
            scope.spawn(move || connection(url, options.protocol, &receiver, failed))
        };
        let connections: Vec<_> = (0..options.connections).map(connect).collect();
        let mut total = Tally::default();
        let mut fault = None;
        for handle in connections {
            match handle.join() {
                Ok(Ok(tally)) => total.add(tally),
                Ok(Err(error)) => fault = Some(error),
                Err(_) => fault = Some(anyhow::anyhow!("a sending thread panicked")),
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        // The builder may wait for a taker: without receivers it sees the channel closed.
        drop(receiver);
        let built = builder.join().map_err(|_| anyhow::anyhow!("the building thread panicked"))?;
        match fault {
            Some(error) => Err(error),
            None => built.map(|()| (total, seconds)),
        }
    })
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.raw_bytes += other.raw_bytes;
        self.lines += other.lines;
        self.busy += other.busy;
        self.acks_ms.extend(other.acks_ms);
    }
}

/// Cuts `file` into bodies of about `target` bytes of lines. Releases `ready` once as many are built as fit.
fn build(
    file: impl std::io::Read,
    target: usize,
    protocol: Protocol,
    sender: &SyncSender<Body>,
    ahead: usize,
    ready: &std::sync::Barrier,
) -> anyhow::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut built = 0;
    let outcome = loop {
        match next_body(&mut reader, target, protocol) {
            Ok(Some(body)) => match sender.send(body) {
                Ok(()) => built += 1,
                // No one takes any more: the fault is reported where it happened.
                Err(_) => break Ok(()),
            },
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if built == ahead {
            ready.wait();
        }
    };
    if built < ahead {
        ready.wait();
    }
    outcome
}

fn next_body(reader: &mut impl BufRead, target: usize, protocol: Protocol) -> anyhow::Result<Option<Body>> {
    let mut body = Body { bytes: Vec::with_capacity(target + target / 16), raw_bytes: 0, lines: 0 };
    while (body.raw_bytes as usize) < target {
        if protocol == Protocol::Bulk {
            body.bytes.extend_from_slice(b"{\"create\":{}}\n");
        }
        let before = body.bytes.len();
        let read = reader.read_until(b'\n', &mut body.bytes)?;
        if read == 0 {
            if protocol == Protocol::Bulk {
                body.bytes.truncate(before - b"{\"create\":{}}\n".len());
            }
            break;
        }
        if body.bytes.last() != Some(&b'\n') {
            body.bytes.push(b'\n');
        }
        body.raw_bytes += read as u64;
        body.lines += 1;
    }
    Ok((body.lines > 0).then_some(body))
}

fn connection(
    url: &str,
    protocol: Protocol,
    bodies: &Mutex<Receiver<Body>>,
    failed: &AtomicBool,
) -> anyhow::Result<Tally> {
    let agent = agent();
    let mut tally = Tally::default();
    while !failed.load(Ordering::Relaxed) {
        let next = bodies.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(body) = next else { break };
        let started = Instant::now();
        let headers = [("content-type", "application/x-ndjson")];
        let answer = post(&agent, url, &headers, &body.bytes, &mut tally.busy);
        if let Err(error) = answer.and_then(|text| accepted(&text, protocol, body.lines)) {
            failed.store(true, Ordering::Relaxed);
            return Err(error);
        }
        tally.acks_ms.push(started.elapsed().as_secs_f64() * 1e3);
        tally.raw_bytes += body.raw_bytes;
        tally.lines += body.lines;
    }
    Ok(tally)
}

/// Sends until the answer is a success, and returns its text. A busy server is given the time it asks for; that time
/// counts as its own.
pub(crate) fn post(
    agent: &ureq::Agent,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    busy: &mut u64,
) -> anyhow::Result<String> {
    for _ in 0..ATTEMPTS {
        let request = headers.iter().fold(agent.post(url), |request, (name, value)| request.header(*name, *value));
        let mut response = request.send(body).with_context(|| url.to_owned())?;
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.body_mut().with_config().limit(256 << 20).read_to_string().context("reading the answer")?;
        match status {
            200..300 => return Ok(text),
            429 | 503 => {
                *busy += 1;
                std::thread::sleep(Duration::from_secs(after.unwrap_or(1).min(30)));
            }
            _ => bail!("{url} answered {status}: {}", excerpt(&text)),
        }
    }
    bail!("{url} was busy {ATTEMPTS} times in a row")
}

/// A client that keeps a connection and gives back every answer.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// Whether the answer says that every line was stored.
fn accepted(text: &str, protocol: Protocol, lines: u64) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_str(text).with_context(|| excerpt(text))?;
    let stored = match protocol {
        Protocol::Bulk => {
            answer["errors"] == false && answer["items"].as_array().is_none_or(|items| items.len() as u64 == lines)
        }
        Protocol::Ndjson => answer["stored"] == lines,
    };
    anyhow::ensure!(stored, "not all of {lines} lines were stored: {}", excerpt(text));
    Ok(())
}

fn excerpt(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, target: usize, protocol: Protocol, expected: &[&str]) {
        let mut reader = BufReader::new(text.as_bytes());
        let mut bodies = Vec::new();
        while let Some(body) = next_body(&mut reader, target, protocol).unwrap() {
            bodies.push(String::from_utf8(body.bytes).unwrap());
        }
        assert_eq!(bodies, expected);
    }

    #[test]
    fn bodies_end_at_lines() {
        check("", 10, Protocol::Ndjson, &[]);
        check("aaaa\nbbbb\nc", 6, Protocol::Ndjson, &["aaaa\nbbbb\n", "c\n"]);
        check("a\nb\n", 100, Protocol::Bulk, &["{\"create\":{}}\na\n{\"create\":{}}\nb\n"]);
    }

    #[test]
    fn only_full_acceptance_counts() {
        for (text, protocol, expected) in [
            (r#"{"took":1,"errors":false,"items":[{},{}]}"#, Protocol::Bulk, true),
            (r#"{"took":1,"errors":false,"items":[{}]}"#, Protocol::Bulk, false),
            (r#"{"took":1,"errors":true,"items":[{},{}]}"#, Protocol::Bulk, false),
            (r#"{"received":2,"stored":2}"#, Protocol::Ndjson, true),
            (r#"{"received":2,"stored":1}"#, Protocol::Ndjson, false),
            ("nothing", Protocol::Bulk, false),
        ] {
            assert_eq!(accepted(text, protocol, 2).is_ok(), expected, "{text}");
        }
    }
}
