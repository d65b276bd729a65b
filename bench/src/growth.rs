//! How one store slows down as it fills.
//!
//! The mesh writes two million lines a day, so twenty million are ten days. They are made and sent a slice at a time, so
//! that only one slice is on the disk beside the data. A machine is not as fast in an hour as it is now; so the full
//! store is not compared with what it was, but with a new one beside it: each of the last slices is followed by a first
//! slice into an empty store, and two questions, whose answers are as long both times, are asked of the full store and
//! the last new one in turn. In the end the server is restarted, once after a clean stop and once after `kill -9` under
//! load.

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
use crate::query::{Asker, Store, warm_in_turn};
use crate::run::SETTLE;
use crate::server::{Home, Server};
use crate::{Growth, Ingest, Protocol, ingest, procfs, report};

const LINES_A_DAY: u64 = 2_000_000;
/// Records of the answer that does not grow.
const LAST: usize = 100;
const REPEATS: u16 = 21;
const COUNT: &str = "select count(*) from logs";
/// Slices at the end that are each followed by a first slice into a new store.
const PAIRS: u64 = 3;

/// Fills, compares, restarts, prints.
pub(crate) fn run(options: &Growth) -> anyhow::Result<()> {
    let mut full = Filling::begin(options, "growth", options.millions)?;
    let (mut slices, mut pairs, mut new) = (Vec::new(), Vec::new(), None);
    for slice in 1..=options.millions {
        let sent = full.send()?;
        report::line(&progress(full.fill.records, &sent))?;
        if slice + PAIRS > options.millions {
            drop(new.take());
            let mut empty = Filling::begin(options, "growth-new", 1)?;
            let first = empty.send()?;
            report::line(&format!("{}, into an empty store", progress(empty.fill.records, &first)))?;
            new = Some(empty);
            pairs.push([first, sent.clone()]);
        }
        slices.push(sent);
    }
    let new = new.context("`--millions` is 0")?;
    std::thread::sleep(Duration::from_secs(options.idle));
    let [new_rss, full_rss] = [procfs::rss(new.server.pid())?, procfs::rss(full.server.pid())?];
    let [new_ms, full_ms] = ask_in_turn([(&new.fill, &new.server), (&full.fill, &full.server)])?;
    let [first, last] = [Look::at(&new, new_rss, new_ms)?, Look::at(&full, full_rss, full_ms)?];
    new.server.stop()?;
    let Filling { home, server, mut fill } = full;
    server.stop()?;
    let server = Server::start(&home)?;
    let clean = server.ready;
    ask_in_turn([(&fill, &server)])?;
    let killed = fill.kill_under_load(server, &home)?;
    let mut result = print(&pairs, [&first, &last], [clean, killed])?;
    result["slices"] = slices.into();
    let path = options.work.join("growth.json");
    report::result(Some(&path), &result)?;
    std::fs::remove_file(&fill.file).with_context(|| fill.file.display().to_string())?;
    report::line(&format!("\n{}: all of it", path.display()))
}

/// A store that is being filled.
struct Filling {
    home: Home,
    server: Server,
    fill: Fill,
}

impl Filling {
    fn begin(options: &Growth, name: &str, slices: u64) -> anyhow::Result<Self> {
        let home = Home::make(&options.server, &options.work.join(name))?;
        Ok(Self { server: Server::start(&home)?, fill: Fill::new(options, slices), home })
    }

    /// Makes the next slice and sends it; what the server does afterwards for it is in its CPU time.
    fn send(&mut self) -> anyhow::Result<Value> {
        self.fill.make()?;
        ingest::measure(&self.fill.options(&self.server))
    }
}

/// What a store of one size does.
struct Look {
    records: u64,
    needle_ms: f64,
    last_ms: f64,
    disk_bytes: u64,
    rss_bytes: u64,
}

impl Look {
    fn at(store: &Filling, rss_bytes: u64, [_, needle_ms, last_ms]: [f64; 3]) -> anyhow::Result<Self> {
        Ok(Self {
            records: store.fill.records,
            needle_ms,
            last_ms,
            disk_bytes: procfs::folder_bytes(&store.home.data())?,
            rss_bytes,
        })
    }
}

/// Asks stores in turn, and fails if an answer is wrong. Median milliseconds of each question, a store a row.
fn ask_in_turn<const N: usize>(stores: [(&Fill, &Server); N]) -> anyhow::Result<[[f64; 3]; N]> {
    let askers = stores.map(|(_, server)| Asker::new(Store::Logkeep, &server.url));
    let questions = stores.map(|(fill, _)| fill.questions());
    let mut times = [[0.0; 3]; N];
    for question in 0..3 {
        let asked: Vec<(&Asker, String)> =
            askers.iter().zip(&questions).map(|(asker, questions)| (asker, questions[question].0.clone())).collect();
        for (store, warm) in warm_in_turn(&asked, REPEATS)?.iter().enumerate() {
            let (sql, expected) = &questions[store][question];
            ensure!(warm.rows == *expected, "{sql} gave {}, expected {expected}", warm.rows);
            times[store][question] = warm.median_ms();
        }
    }
    Ok(times)
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

    /// What to ask, and what the answer is: all, the needle, the last of a service.
    fn questions(&self) -> [(String, Value); 3] {
        let needle = format!("select count(*) from logs where match_phrase(body, '{}')", self.needle);
        let last = format!(
            "select time, body from logs where \"service.name\" = '{BAD_SERVICE}' order by time desc limit {LAST}"
        );
        [
            (COUNT.to_owned(), json!([[self.records]])),
            (needle, json!([[NEEDLES]])),
            (last, json!(self.last.iter().rev().collect::<Vec<_>>())),
        ]
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
            let asker = Asker::new(Store::Logkeep, &server.url);
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
        let after = count(&Asker::new(Store::Logkeep, &ready.url))?;
        ensure!(after >= stored, "{stored} records were visible before kill -9, and {after} after it");
        let time = ready.ready;
        ready.stop()?;
        Ok(time)
    }
}

fn count(asker: &Asker) -> anyhow::Result<u64> {
    let (rows, _) = asker.ask_timed(COUNT)?;
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

/// Prints the table and returns what is in it.
fn print(pairs: &[[Value; 2]], looks: [&Look; 2], ready: [Duration; 2]) -> anyhow::Result<Value> {
    let [first, last] = looks;
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
        let mean = |store: usize| {
            let rates = pairs.iter().map(|pair| pair[store][key].as_f64().unwrap_or(f64::NAN));
            rates.sum::<f64>() / pairs.len() as f64
        };
        let (a, b) = (mean(0), mean(1));
        row(&format!("{title}, mean of {} slices", pairs.len()), a, b, Some((format!(">= {LEFT} x"), b >= a * LEFT)));
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
    Ok(json!({
        "machine": procfs::machine()?, "pairs": pairs, "looks": looks.map(Look::json),
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
