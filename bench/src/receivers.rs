//! What every receiver takes, each with a server of its own, beside NDJSON over HTTP.
//!
//! All get the same lines, in the way of their usual senders. Requests are encoded to a file before the clock starts. It stops
//! when all are acknowledged, or where there are no acks when all are stored; then the server is stopped, which flushes,
//! and its processor time is that of its whole life without its start. Client and server share the machine, so processor time
//! a record is the honest figure. NDJSON is measured again at the end, which tells how steady the machine was.

mod batch;
mod cases;
mod counts;
mod encode;
mod payload;
mod queues;
mod send;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::generate::{DAY_NS, Lines, Plan, START_NS};
use crate::server::{Home, Server};
use crate::{Receivers, procfs, report};
use cases::{CASES, Case, MAIN};
use counts::Counts;
use payload::Payload;
use send::Target;

/// What one receiver took.
#[derive(Clone, Debug)]
struct Taken {
    name: String,
    /// Where the protocol has requests.
    records_a_request: Option<u64>,
    /// Where it is not the server that connects.
    connections: Option<usize>,
    records: u64,
    /// Of the lines as NDJSON.
    raw_bytes: u64,
    /// As they were sent.
    sent_bytes: u64,
    seconds: f64,
    cpu_seconds: f64,
}

/// Measures all, or some, prints the table and writes `receivers.json`.
pub(crate) fn run(options: &Receivers) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.work).with_context(|| options.work.display().to_string())?;
    let (base, others) = CASES.split_first().context("there is no receiver")?;
    let wanted = |name: &str| {
        let name = name.to_lowercase();
        options.only.is_empty() || options.only.iter().any(|only| name.contains(&only.to_lowercase()))
    };
    let authority = make_authority(options)?;
    let names = CASES.iter().map(|case| case.name).chain(queues::KINDS);
    ensure!(names.into_iter().any(wanted), "`--only` names no receiver");
    let mut taken = vec![measure(options, &authority, base)?];
    for case in others.iter().filter(|case| wanted(case.name)) {
        taken.push(measure(options, &authority, case)?);
    }
    let mut left_out = Vec::new();
    for kind in queues::KINDS.into_iter().filter(|kind| wanted(kind)) {
        match (&options.python, &options.driver) {
            (Some(python), Some(driver)) => taken.push(said(queues::measure(options, [python, driver], kind)?)?),
            _ => left_out.push(kind),
        }
    }
    let again = measure(options, &authority, base)?;
    taken.push(Taken { name: format!("{}, again", again.name), ..again });
    print(&taken)?;
    for kind in &left_out {
        report::line(&format!("{kind}: left out without `--python` and `--driver`"))?;
    }
    let path = options.work.join("receivers.json");
    let receivers: Vec<Value> = taken.iter().map(|one| one.json(&taken[0])).collect();
    let result = json!({
        "machine": procfs::machine()?, "lines": options.lines, "seed": options.seed, "receivers": receivers,
        "left_out": left_out,
    });
    report::result(Some(&path), &result)?;
    report::line(&format!("\n{}: all of it", path.display()))
}

/// The same lines for everyone.
fn lines(options: &Receivers) -> Lines {
    Lines::new(Plan {
        seed: options.seed,
        start_ns: START_NS,
        ns_per_line: DAY_NS as u64 / options.lines.max(1),
        needles_over: options.lines,
    })
}

fn measure(options: &Receivers, authority: &Path, case: &Case) -> anyhow::Result<Taken> {
    let path = options.work.join("receivers.payload");
    let payload = Payload::make(&path, case, &mut lines(options), options.lines).context(case.name)?;
    let taken = take(options, authority, case, &payload).context(case.name)?;
    std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
    said(taken)
}

fn take(options: &Receivers, authority: &Path, case: &Case, payload: &Payload) -> anyhow::Result<Taken> {
    let [certificate, key] = ["host.pem", "host.key"].map(|name| authority.join(name));
    let address = if case.listener.ends_with("-tls") {
        format!("{{address: \"127.0.0.1:0\", certificate: {certificate:?}, key: {key:?}}}")
    } else {
        "\"127.0.0.1:0\"".to_owned()
    };
    let setting = case.listener.replace('-', "_");
    let receiver = (case.listener != MAIN).then_some((setting.as_str(), address.as_str()));
    let home = Home::with(&options.server, &options.work.join("receiver"), receiver, "")?;
    let server = Server::start(&home)?;
    let counts = Counts::new(&server.url, case.protocol);
    let target = Target { address: server.receiver(case.listener)?, authority: authority.join("ca.pem"), counts };
    let before = procfs::cpu_seconds(server.pid())?;
    let started = Instant::now();
    send::send(case, &target, payload, options.lines)?;
    let seconds = started.elapsed().as_secs_f64();
    target.counts.check(options.lines)?;
    Ok(Taken {
        name: case.name.to_owned(),
        records_a_request: case.records_a_request(options.lines),
        connections: Some(case.connections),
        records: options.lines,
        raw_bytes: payload.raw_bytes,
        sent_bytes: payload.sent_bytes,
        seconds,
        cpu_seconds: server.stop()? - before,
    })
}

/// Makes an authority of our own with a certificate for `localhost`; returns its folder.
fn make_authority(options: &Receivers) -> anyhow::Result<PathBuf> {
    let folder = options.work.join("certs");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    for arguments in [&["init"][..], &["issue", "--file", "host", "--dns", "localhost", "--ip", "127.0.0.1"]] {
        let mut command = Command::new(&options.server);
        let made = command.arg("certs").args(arguments).arg("--dir").arg(&folder).output()?;
        ensure!(made.status.success(), "`logkeep certs`: {}", String::from_utf8_lossy(&made.stderr));
    }
    Ok(folder.canonicalize()?)
}

fn said(taken: Taken) -> anyhow::Result<Taken> {
    report::line(&format!(
        "{}: {:.1} MB/s, {:.0} records/s, {:.1} us of CPU a record",
        taken.name,
        taken.mb_per_second(),
        taken.records_per_second(),
        taken.cpu_us_a_record()
    ))?;
    Ok(taken)
}

fn print(taken: &[Taken]) -> anyhow::Result<()> {
    let head =
        ["", "a request", "connections", "records", "sent MB", "MB/s", "records/s", "ratio", "CPU us/record", "ratio"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for one in taken {
        let [faster, dearer] = one.ratios(&taken[0]);
        rows.push(vec![
            one.name.clone(),
            one.records_a_request.map_or("-".to_owned(), |records| records.to_string()),
            one.connections.map_or("-".to_owned(), |connections| connections.to_string()),
            one.records.to_string(),
            format!("{:.1}", one.sent_bytes as f64 / 1e6),
            format!("{:.1}", one.mb_per_second()),
            format!("{:.0}", one.records_per_second()),
            format!("{faster:.2} x"),
            format!("{:.1}", one.cpu_us_a_record()),
            format!("{dearer:.2} x"),
        ]);
    }
    report::line("")?;
    report::table(&rows)
}

impl Taken {
    fn mb_per_second(&self) -> f64 {
        self.raw_bytes as f64 / 1e6 / self.seconds
    }

    fn records_per_second(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    fn cpu_us_a_record(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.records as f64
    }

    /// Of records a second, and of processor time a record.
    fn ratios(&self, base: &Self) -> [f64; 2] {
        [self.records_per_second() / base.records_per_second(), self.cpu_us_a_record() / base.cpu_us_a_record()]
    }

    fn json(&self, base: &Self) -> Value {
        let [faster, dearer] = self.ratios(base);
        json!({
            "name": self.name,
            "records_a_request": self.records_a_request, "connections": self.connections,
            "records": self.records, "raw_bytes": self.raw_bytes, "sent_bytes": self.sent_bytes,
            "seconds": self.seconds, "mb_per_second": self.mb_per_second(),
            "records_per_second": self.records_per_second(), "records_per_second_ratio": faster,
            "cpu_us_a_record": self.cpu_us_a_record(), "cpu_ratio": dearer,
        })
    }
}
