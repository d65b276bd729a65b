//! Asks the ten queries, each once to warm up and then several times, one at a time.

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
    /// What to ask Logkeep, with the parameters of the file.
    pub(crate) fn sql(&self, truth: &Truth) -> String {
        let fill = |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
        truth.parameters.iter().fold(self.logkeep.clone(), fill)
    }
}

/// Runs the whole measurement.
pub(crate) fn run(options: &Query) -> anyhow::Result<()> {
    let truth = Truth::load(&options.file)?;
    let asker = Asker::new(&options.url);
    let mut answers = Vec::new();
    let mut table = vec![vec!["query".to_owned(), "median ms".to_owned(), "max ms".to_owned(), "rows".to_owned()]];
    for question in questions()? {
        let sql = question.sql(&truth);
        let warm = asker.warm(&sql, options.repeats).with_context(|| question.title.clone())?;
        let (median, count) = (warm.median_ms(), warm.rows.as_array().map_or(0, Vec::len));
        let max = report::quantile(&warm.ms, 1.0);
        table.push(vec![question.title.clone(), format!("{median:.1}"), format!("{max:.1}"), count.to_string()]);
        answers.push(json!({
            "id": question.id, "sql": sql, "median_ms": median, "first_ms": warm.first_ms, "ms": warm.ms,
            "rows": warm.rows,
        }));
    }
    report::table(&table)?;
    let mut result = json!({"store": "logkeep", "queries": answers});
    if let Some(pid) = options.pid {
        result["query_peak_rss_bytes"] = json!(procfs::peak_rss(pid)?);
    }
    match &options.json {
        Some(path) => report::result(Some(path), &result),
        None => Ok(()),
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

/// Asks one server over one connection.
#[derive(Debug)]
pub(crate) struct Asker {
    agent: ureq::Agent,
    url: String,
}

impl Asker {
    pub(crate) fn new(server: &str) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { agent, url: format!("{}/api/v1/sql", server.trim_end_matches('/')) }
    }

    pub(crate) fn warm(&self, sql: &str, repeats: u16) -> anyhow::Result<Warm> {
        let (rows, first_ms) = self.ask_timed(sql)?;
        let ms = (0..repeats).map(|_| Ok(self.ask_timed(sql)?.1)).collect::<anyhow::Result<Vec<f64>>>()?;
        Ok(Warm { rows, first_ms, ms })
    }

    /// The rows, and the milliseconds until they were here.
    pub(crate) fn ask_timed(&self, sql: &str) -> anyhow::Result<(Value, f64)> {
        let started = Instant::now();
        let rows = self.ask(sql)?;
        Ok((rows, started.elapsed().as_secs_f64() * 1e3))
    }

    fn ask(&self, sql: &str) -> anyhow::Result<Value> {
        let url = &self.url;
        let body = serde_json::to_vec(&json!({"sql": sql}))?;
        let request = self.agent.post(url).header("content-type", "application/json");
        let mut response = request.send(body.as_slice()).with_context(|| url.clone())?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(256 << 20).read_to_string()?;
        ensure!(status == 200, "{url} answered {status} to {sql}: {}", text.chars().take(500).collect::<String>());
        let mut answer: Value = serde_json::from_str(&text)?;
        ensure!(answer["rows"].is_array(), "no rows in the answer to {sql}");
        Ok(answer["rows"].take())
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
            let sql = question.sql(&truth).replace("[0-9]{5}", "");
            assert!(!sql.contains('{'), "{sql}");
        }
        std::fs::remove_file(Truth::path(file.path())).unwrap();
    }
}
