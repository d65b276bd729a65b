//! The whole comparison: both stores on the same lines in the same run, one after the other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::evict::evict;
use crate::query::{Asker, questions};
use crate::server::{Home, Server};
use crate::truth::Truth;
use crate::{Ingest, Protocol, Query, Run, compare, generate, goals, ingest, procfs, query, report};

/// Restarts for each cold figure.
const COLD_ROUNDS: usize = 3;
/// How long a server may work on in the background.
pub(crate) const SETTLE: Duration = Duration::from_secs(120);

/// Prepares what is missing, measures both stores and prints the table.
pub(crate) fn run(options: &Run) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.work).with_context(|| options.work.display().to_string())?;
    let file = options.work.join(format!("mesh-{}-{}.ndjson", options.lines, options.seed));
    // The truth is written last: where it is, the lines are whole.
    if !Truth::path(&file).exists() {
        generate::run(&file, options.lines, options.seed)?;
    }
    report::line("\nlogkeep")?;
    let ours = ours(options, &file)?;
    report::line("\nchdb")?;
    let peer = peer(options, &file)?;
    report::line("")?;
    let json = options.work.join("bench.json");
    let verdict = compare::run(&file, &ours, &[peer], Some(&json));
    report::line(&format!("\n{}: all of it", json.display()))?;
    verdict
}

/// The result files of Logkeep.
fn ours(options: &Run, file: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let paths = ["ingest", "query", "cold"].map(|name| options.work.join(format!("logkeep-{name}.json")));
    let [ingested, asked, cold] = &paths;
    let home = Home::make(&options.server, &options.work.join("logkeep"))?;
    let server = Server::start(&home)?;
    ingest::run(&Ingest {
        url: server.url.clone(),
        file: file.to_owned(),
        connections: 4,
        body_mb: 2,
        protocol: Protocol::Bulk,
        pid: Some(server.pid()),
        data_dir: Some(home.data()),
        settle: SETTLE.as_secs(),
        idle: Some(options.idle),
        json: Some(ingested.clone()),
    })?;
    report::line("")?;
    query::run(&Query {
        url: server.url.clone(),
        file: file.to_owned(),
        repeats: options.repeats,
        pid: Some(server.pid()),
        json: Some(asked.clone()),
    })?;
    server.stop()?;
    report::line("")?;
    report::result(Some(cold), &cold_queries(&home, file)?)?;
    Ok(paths.to_vec())
}

/// Queries whose cold time has a goal: asked once of a server that has just started, with every file of its data folder
/// dropped from the page cache.
fn cold_queries(home: &Home, file: &Path) -> anyhow::Result<Value> {
    let truth = Truth::load(file)?;
    let mut answers = Vec::new();
    for question in
        questions()?.iter().filter(|question| goals::of(&question.id).is_some_and(|goal| goal.cold.is_some()))
    {
        let sql = question.sql(&truth);
        let (mut times, mut rows) = (Vec::new(), Value::Null);
        for _ in 0..COLD_ROUNDS {
            let server = Server::start(home)?;
            procfs::settle(server.pid(), SETTLE)?;
            evict(&home.data())?;
            let (answer, ms) = Asker::new(&server.url).ask_timed(&sql)?;
            times.push(ms);
            rows = answer;
            server.stop()?;
        }
        let median = report::quantile(&times, 0.5);
        report::line(&format!("{}, cold: {median:.1} ms", question.title))?;
        answers.push(json!({"id": question.id, "sql": sql, "median_ms": median, "ms": times, "rows": rows}));
    }
    Ok(json!({"cold": answers}))
}

/// The result file of the peer.
fn peer(options: &Run, file: &Path) -> anyhow::Result<PathBuf> {
    let (json, data) = (options.work.join("chdb.json"), options.work.join("chdb"));
    if data.exists() {
        std::fs::remove_dir_all(&data).with_context(|| data.display().to_string())?;
    }
    let mut driver = Command::new(&options.python);
    driver.arg(&options.driver).arg("--file").arg(file).arg("--data-dir").arg(&data).arg("--json").arg(&json);
    driver.arg("--repeats").arg(options.repeats.to_string());
    let status = driver.status().with_context(|| options.python.display().to_string())?;
    ensure!(status.success(), "the peer's driver ended with {status}");
    Ok(json)
}
