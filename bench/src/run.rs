//! The whole comparison: both stores filled with the same lines one after the other, and then asked in turn.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::evict::evict;
use crate::peer::Peer;
use crate::query::{Asker, Store, questions};
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
    let path = |name: &str| options.work.join(name);
    let ours = ["logkeep-ingest.json", "logkeep-query.json", "logkeep-cold.json"].map(path);
    let theirs = ["chdb.json", "chdb-query.json"].map(path);

    report::line("\nlogkeep")?;
    let home = Home::make(&options.server, &path("logkeep"))?;
    let server = Server::start(&home)?;
    ingest::run(&Ingest {
        url: server.url.clone(),
        file: file.clone(),
        connections: 4,
        body_mb: 2,
        protocol: Protocol::Bulk,
        pid: Some(server.pid()),
        data_dir: Some(home.data()),
        settle: SETTLE.as_secs(),
        idle: Some(options.idle),
        json: Some(ours[0].clone()),
    })?;
    report::line("\nchdb")?;
    let peer = Peer::fill(&options.python, &options.driver, &file, &path("chdb"), &theirs[0])?;
    report::line("")?;
    query::run(&Query {
        url: server.url.clone(),
        peer: Some(peer.ready.clone()),
        file: file.clone(),
        repeats: options.repeats,
        pid: Some(server.pid()),
        json: Some(ours[1].clone()),
        peer_json: Some(theirs[1].clone()),
    })?;
    peer.stop()?;
    server.stop()?;
    report::line("")?;
    report::result(Some(&ours[2]), &cold_queries(&home, &file)?)?;
    report::line("")?;
    let json = path("bench.json");
    let verdict = compare::run(&file, &ours, &theirs, Some(&json));
    report::line(&format!("\n{}: all of it", json.display()))?;
    verdict
}

/// Queries whose cold time has a goal: asked once of a server that has just started, with every file of its data folder
/// dropped from the page cache.
fn cold_queries(home: &Home, file: &Path) -> anyhow::Result<Value> {
    let truth = Truth::load(file)?;
    let mut answers = Vec::new();
    for question in
        questions()?.iter().filter(|question| goals::of(&question.id).is_some_and(|goal| goal.cold.is_some()))
    {
        let sql = question.sql(Store::Logkeep, &truth);
        let (mut times, mut rows) = (Vec::new(), Value::Null);
        for _ in 0..COLD_ROUNDS {
            let server = Server::start(home)?;
            procfs::settle(server.pid(), SETTLE)?;
            evict(&home.data())?;
            let (answer, ms) = Asker::new(Store::Logkeep, &server.url).ask_timed(&sql)?;
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
