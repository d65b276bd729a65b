//! How one store slows down as it fills.
//!
//! The mesh writes two million lines a day, so twenty million are ten days. They are made and sent a slice at a time, so
//! that only one slice is on the disk beside the data. After the first slice and after the last the same two questions
//! are asked, whose answers are as long both times; in the end the server is restarted, once after a clean stop and once
//! after `kill -9` under load.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use logkeep_meshsim::{Event, render};
use serde_json::{Value, json};

use crate::generate::{BAD_SERVICE, DAY_NS, Lines, NEEDLES, Plan, START_NS, needle};
use crate::query::Asker;
use crate::run::SETTLE;
use crate::server::{Home, Server};
use crate::{Growth, Ingest, Protocol, ingest, procfs, report};

const LINES_A_DAY: u64 = 2_000_000;
/// Records of the answer that does not grow.
const LAST: usize = 100;
const REPEATS: u16 = 21;

/// What a store of one size does.
struct Look {
    records: u64,
    needle_ms: f64,
    last_ms: f64,
    disk_bytes: u64,
    rss_bytes: u64,
}

/// Fills, looks, restarts, prints.
pub(crate) fn run(options: &Growth) -> anyhow::Result<()> {
    let slices = options.millions;
    let home = Home::make(&options.server, &options.work.join("growth"))?;
    let server = Server::start(&home)?;
    let mut fill = Fill::new(options, slices);
    let (mut sent, mut looks) = (Vec::new(), Vec::new());
    for slice in 1..=slices {
        fill.make()?;
        sent.push(fill.send(&server)?);
        report::line(&progress(fill.records, &sent[sent.len() - 1]))?;
        if slice == 1 || slice == slices {
            looks.push(fill.look(&server, &home, Duration::from_secs(options.idle))?);
        }
    }
    server.stop()?;
    let server = Server::start(&home)?;
    let clean = server.ready;
    fill.check(&Asker::new(&server.url))?;
    let killed = fill.kill_under_load(server, &home)?;
    let result = print(&sent, &looks, [clean, killed])?;
    let path = options.work.join("growth.json");
    report::result(Some(&path), &result)?;
    std::fs::remove_file(&fill.file).with_context(|| fill.file.display().to_string())?;
    report::line(&format!("\n{}: all of it", path.display()))
}

/// The lines on their way into the store, and what it must answer.
struct Fill {
    lines: Lines,
    file: PathBuf,
    slice: u64,
    /// Made so far; all of them have been sent when the store is asked.
    records: u64,
    needle: String,
    /// Time and message of the last records of [`BAD_SERVICE`].
    last: VecDeque<[String; 2]>,
}

impl Fill {
    fn new(options: &Growth, slices: u64) -> Self {
        let ns_per_line = DAY_NS as u64 / LINES_A_DAY;
        // The last day is the one of every other measurement.
        let before_ns = (slices * options.million).saturating_sub(LINES_A_DAY) * ns_per_line;
        let plan = Plan {
            seed: options.seed,
            start_ns: START_NS - before_ns as i64,
            ns_per_line,
            needles_over: options.million,
        };
        Self {
            lines: Lines::new(plan),
            file: options.work.join("growth.ndjson"),
            slice: options.million,
            records: 0,
            needle: needle(options.seed),
            last: VecDeque::new(),
        }
    }

    /// The next slice, in place of the one before.
    fn make(&mut self) -> anyhow::Result<()> {
        let file = File::create(&self.file).with_context(|| self.file.display().to_string())?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let last = &mut self.last;
        self.lines.write(&mut out, self.slice, |_, event| remember(last, event))?;
        out.flush()?;
        self.records += self.slice;
        Ok(())
    }

    fn options(&self, server: &Server) -> Ingest {
        Ingest {
            url: server.url.clone(),
            file: self.file.clone(),
            connections: 4,
            body_mb: 2,
            protocol: Protocol::Bulk,
            pid: Some(server.pid()),
            data_dir: None,
            settle: SETTLE.as_secs(),
            idle: None,
            json: None,
        }
    }

    /// Sends the slice; what the server does afterwards for it is in its CPU time.
    fn send(&self, server: &Server) -> anyhow::Result<Value> {
        ingest::measure(&self.options(server))
    }

    fn look(&self, server: &Server, home: &Home, idle: Duration) -> anyhow::Result<Look> {
        std::thread::sleep(idle);
        let rss_bytes = procfs::rss(server.pid())?;
        let asker = Asker::new(&server.url);
        let [needle_ms, last_ms] = self.check(&asker)?;
        Ok(Look {
            records: self.records,
            needle_ms,
            last_ms,
            disk_bytes: procfs::folder_bytes(&home.data())?,
            rss_bytes,
        })
    }

    /// Asks both questions, and fails if an answer is wrong. Median milliseconds of each.
    fn check(&self, asker: &Asker) -> anyhow::Result<[f64; 2]> {
        let (count, _) = asker.ask_timed("select count(*) from logs")?;
        ensure!(count == json!([[self.records]]), "{} records were sent, there are {count}", self.records);
        let sql = format!("select count(*) from logs where match_phrase(body, '{}')", self.needle);
        let needle = asker.warm(&sql, REPEATS)?;
        ensure!(needle.rows == json!([[NEEDLES]]), "{NEEDLES} records have the needle, found {}", needle.rows);
        let sql = format!(
            "select time, body from logs where \"service.name\" = '{BAD_SERVICE}' order by time desc limit {LAST}"
        );
        let last = asker.warm(&sql, REPEATS)?;
        let expected = json!(self.last.iter().rev().collect::<Vec<_>>());
        ensure!(last.rows == expected, "the last {LAST} are {}, expected {expected}", last.rows);
        Ok([needle.median_ms(), last.median_ms()])
    }

    /// Sends one more slice, ends the server once half of it is stored, and times the next start.
    fn kill_under_load(&mut self, server: Server, home: &Home) -> anyhow::Result<Duration> {
        let before = self.records;
        self.make()?;
        let (options, over) = (self.options(&server), AtomicBool::new(false));
        let (ready, stored) = std::thread::scope(|scope| {
            // It fails when the server is gone, and that is what is wanted.
            let load = scope.spawn(|| {
                let sent = ingest::measure(&options);
                over.store(true, Ordering::Relaxed);
                sent
            });
            let asker = Asker::new(&server.url);
            let mut stored = before;
            while stored < before + self.slice / 2 && !over.load(Ordering::Relaxed) {
                stored = count(&asker)?;
                std::thread::sleep(Duration::from_millis(20));
            }
            server.kill()?;
            if let Ok(Ok(_)) = load.join() {
                bail!("the slice was sent before the server could be killed under it: `--million` is too small");
            }
            anyhow::Ok((Server::start(home)?, stored))
        })?;
        let after = count(&Asker::new(&ready.url))?;
        ensure!(after >= stored, "{stored} records were visible before kill -9, and {after} after it");
        let time = ready.ready;
        ready.stop()?;
        Ok(time)
    }
}

fn count(asker: &Asker) -> anyhow::Result<u64> {
    let (rows, _) = asker.ask_timed("select count(*) from logs")?;
    rows[0][0].as_u64().with_context(|| format!("the count is {rows}"))
}

fn remember(last: &mut VecDeque<[String; 2]>, event: &Event) {
    if event.pod.service != BAD_SERVICE {
        return;
    }
    if last.len() == LAST {
        last.pop_front();
    }
    let mut message = String::new();
    render::message(event, &mut message);
    last.push_back([render::rfc3339(event.time_ns), message]);
}

fn progress(records: u64, sent: &Value) -> String {
    let [rate, per_cpu] = RATES.map(|(key, _)| sent[key].as_f64().unwrap_or(f64::NAN));
    format!("{:>6.1} M records: {rate:.1} MB/s, {per_cpu:.1} MB per CPU s", records as f64 / 1e6)
}

const RATES: [(&str, &str); 2] = [("mb_per_second", "ingest, MB/s"), ("mb_per_cpu_second", "ingest, MB per CPU s")];
/// What growth may cost, and what of a rate must be left.
const SLOWER: f64 = 1.5;
const LEFT: f64 = 0.9;
const READY_S: f64 = 2.0;

/// Prints the table and returns everything.
fn print(sent: &[Value], looks: &[Look], ready: [Duration; 2]) -> anyhow::Result<Value> {
    let [Some(first), Some(last)] = [looks.first(), looks.last()] else { bail!("nothing was sent") };
    let millions = |look: &Look| format!("{} M", look.records as f64 / 1e6);
    let mut table =
        vec![["", &millions(first), &millions(last), "ratio", "must be", "reached"].map(str::to_owned).to_vec()];
    let mut row = |title: &str, a: f64, b: f64, bound: Option<(String, bool)>| {
        let (bound, reached) = bound.map_or((String::new(), ""), |(bound, ok)| (bound, if ok { "yes" } else { "NO" }));
        let cells = [title, &format!("{a:.1}"), &format!("{b:.1}"), &format!("{:.2} x", b / a), &bound, reached];
        table.push(cells.map(str::to_owned).to_vec());
    };
    for (title, of) in [
        ("needle, ms", (|look| look.needle_ms) as fn(&Look) -> f64),
        ("last 100 of a service, ms", |look| look.last_ms),
    ] {
        let (a, b) = (of(first), of(last));
        row(title, a, b, Some((format!("<= {SLOWER} x"), b <= a * SLOWER)));
    }
    for (key, title) in RATES {
        let at = |sent: Option<&Value>| sent.and_then(|sent| sent[key].as_f64()).unwrap_or(f64::NAN);
        let (a, b) = (at(sent.first()), at(sent.last()));
        row(&format!("{title}, slice"), a, b, Some((format!(">= {LEFT} x"), b >= a * LEFT)));
    }
    row("disk, MB", first.disk_bytes as f64 / 1e6, last.disk_bytes as f64 / 1e6, None);
    row("RSS idle, MiB", first.rss_bytes as f64 / 1_048_576.0, last.rss_bytes as f64 / 1_048_576.0, None);
    for (title, time) in ["ready after a clean stop, s", "ready after kill -9 under load, s"].into_iter().zip(ready) {
        let seconds = time.as_secs_f64();
        let reached = if seconds < READY_S { "yes" } else { "NO" };
        let cells = [title, "", &format!("{seconds:.2}"), "", &format!("< {READY_S}"), reached];
        table.push(cells.map(str::to_owned).to_vec());
    }
    report::line("")?;
    report::table(&table)?;
    let looks: Vec<Value> = looks.iter().map(Look::json).collect();
    Ok(json!({
        "machine": procfs::machine()?, "slices": sent, "looks": looks,
        "ready_clean_seconds": ready[0].as_secs_f64(), "ready_killed_seconds": ready[1].as_secs_f64(),
    }))
}

impl Look {
    fn json(&self) -> Value {
        json!({
            "records": self.records, "needle_ms": self.needle_ms, "last_ms": self.last_ms,
            "disk_bytes": self.disk_bytes, "rss_bytes": self.rss_bytes,
        })
    }
}
