//! Asks one store, or two in turn, the ten queries, each once to warm up and then several times, one at a time.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::truth::Truth;
use crate::{Query, procfs, report};

/// One of the ten.
#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) rows: Rows,
    logkeep: String,
    chdb: String,
}

/// When two answers are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Rows {
    /// Row by row.
    #[serde(rename = "ordered")]
    Ordered,
    /// As sets.
    #[serde(rename = "any order")]
    AnyOrder,
    /// Row by row, numbers within 1 %.
    #[serde(rename = "within 1 %")]
    Near,
}

/// The questions, for every store the same.
pub(crate) fn questions() -> anyhow::Result<Vec<Question>> {
    serde_json::from_str(include_str!("../queries.json")).context("queries.json")
}

impl Question {
    /// What to ask a store, with the parameters of the file.
    pub(crate) fn sql(&self, store: Store, truth: &Truth) -> String {
        let text = match store {
            Store::Logkeep => &self.logkeep,
            Store::Chdb => &self.chdb,
        };
        let fill = |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
        truth.parameters.iter().fold(text.clone(), fill)
    }
}

/// Runs the whole measurement. With a peer each question is put to both stores in turn, so that a machine that becomes
/// slower meanwhile is slower for both.
pub(crate) fn run(options: &Query) -> anyhow::Result<()> {
    let truth = Truth::load(&options.file)?;
    let mut askers = vec![Asker::new(Store::Logkeep, &options.url)];
    askers.extend(options.peer.as_ref().map(|url| Asker::new(Store::Chdb, url)));
    let mut answers = vec![Vec::new(); askers.len()];
    let mut table = vec![vec!["query, median and max ms".to_owned()]];
    table[0].extend(askers.iter().flat_map(|asker| [asker.store.name().to_owned(), "max".to_owned()]));
    for question in questions()? {
        let asked: Vec<(&Asker, String)> =
            askers.iter().map(|asker| (asker, question.sql(asker.store, &truth))).collect();
        let warm = warm_in_turn(&asked, options.repeats).with_context(|| question.title.clone())?;
        let mut row = vec![question.title.clone()];
        for (((_, sql), warm), answers) in asked.iter().zip(&warm).zip(&mut answers) {
            let (median, max) = (warm.median_ms(), report::quantile(&warm.ms, 1.0));
            row.extend([format!("{median:.1}"), format!("{max:.1}")]);
            answers.push(json!({
                "id": question.id, "sql": sql, "median_ms": median, "first_ms": warm.first_ms, "ms": warm.ms,
                "rows": warm.rows,
            }));
        }
        table.push(row);
    }
    report::table(&table)?;
    let mut answers = answers.into_iter();
    let mut ours = json!({"store": Store::Logkeep.name(), "queries": answers.next()});
    if let Some(pid) = options.pid {
        ours["query_peak_rss_bytes"] = json!(procfs::peak_rss(pid)?);
    }
    if let Some(path) = &options.json {
        report::result(Some(path), &ours)?;
    }
    match (&options.peer_json, answers.next()) {
        (Some(path), Some(answers)) => report::result(Some(path), &json!({"queries": answers})),
        _ => Ok(()),
    }
}

/// One query, asked once to warm up and then several times.
#[derive(Debug)]
pub(crate) struct Warm {
    pub(crate) rows: Value,
    pub(crate) first_ms: f64,
    pub(crate) ms: Vec<f64>,
}

impl Warm {
    pub(crate) fn median_ms(&self) -> f64 {
        report::quantile(&self.ms, 0.5)
    }
}

/// Warms each store up, and then asks one after the other, `repeats` rounds.
pub(crate) fn warm_in_turn(asked: &[(&Asker, String)], repeats: u16) -> anyhow::Result<Vec<Warm>> {
    let first = |(asker, sql): &(&Asker, String)| {
        let (rows, first_ms) = asker.ask_timed(sql)?;
        Ok(Warm { rows, first_ms, ms: Vec::new() })
    };
    let mut warm = asked.iter().map(first).collect::<anyhow::Result<Vec<Warm>>>()?;
    for _ in 0..repeats {
        for ((asker, sql), warm) in asked.iter().zip(&mut warm) {
            warm.ms.push(asker.ask_timed(sql)?.1);
        }
    }
    Ok(warm)
}

/// Whose answers they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Logkeep,
    Chdb,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Logkeep => "logkeep",
            Self::Chdb => "chdb",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Logkeep => "/api/v1/sql",
            Self::Chdb => "/",
        }
    }

    fn request(self, sql: &str) -> Vec<u8> {
        match self {
            Self::Logkeep => json!({"sql": sql}).to_string().into_bytes(),
            Self::Chdb => sql.as_bytes().to_vec(),
        }
    }

    /// Where an answer has its rows.
    fn rows(self) -> &'static str {
        match self {
            Self::Logkeep => "rows",
            Self::Chdb => "data",
        }
    }
}

/// Asks one server over one connection.
#[derive(Debug)]
pub(crate) struct Asker {
    agent: ureq::Agent,
    store: Store,
    url: String,
}

impl Asker {
    pub(crate) fn new(store: Store, server: &str) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { agent, store, url: format!("{}{}", server.trim_end_matches('/'), store.path()) }
    }

    /// The rows, and the milliseconds until they were here.
    pub(crate) fn ask_timed(&self, sql: &str) -> anyhow::Result<(Value, f64)> {
        let started = Instant::now();
        let rows = self.ask(sql)?;
        Ok((rows, started.elapsed().as_secs_f64() * 1e3))
    }

    fn ask(&self, sql: &str) -> anyhow::Result<Value> {
        let url = &self.url;
        let request = self.agent.post(url).header("content-type", "application/json");
        let mut response = request.send(&self.store.request(sql)[..]).with_context(|| url.clone())?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(256 << 20).read_to_string()?;
        ensure!(status == 200, "{url} answered {status} to {sql}: {}", text.chars().take(500).collect::<String>());
        let mut answer: Value = serde_json::from_str(&text)?;
        let rows = &mut answer[self.store.rows()];
        ensure!(rows.is_array(), "no rows in the answer to {sql}");
        Ok(rows.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_has_its_truth_and_its_parameters() {
        let file = tempfile::NamedTempFile::new().unwrap();
        crate::generate::run(file.path(), 2_000, 1).unwrap();
        let truth = Truth::load(file.path()).unwrap();
        let questions = questions().unwrap();
        assert_eq!(questions.len(), 10);
        for question in questions {
            assert!(truth.answers.contains_key(&question.id), "{}", question.id);
            for store in [Store::Logkeep, Store::Chdb] {
                let sql = question.sql(store, &truth).replace("[0-9]{5}", "");
                assert!(!sql.contains('{'), "{sql}");
            }
        }
        std::fs::remove_file(Truth::path(file.path())).unwrap();
    }
}
