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

/// Puts the parameters of the file into a query.
fn fill(template: &str, truth: &Truth) -> String {
    truth.parameters.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Runs the whole measurement.
pub(crate) fn run(options: &Query) -> anyhow::Result<()> {
    let truth = Truth::load(&options.file)?;
    let url = format!("{}/api/v1/sql", options.url.trim_end_matches('/'));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answers = Vec::new();
    let mut table = vec![vec!["query".to_owned(), "median ms".to_owned(), "max ms".to_owned(), "rows".to_owned()]];
    for question in questions()? {
        let sql = fill(&question.logkeep, &truth);
        let first = Instant::now();
        let rows = ask(&agent, &url, &sql).with_context(|| question.title.clone())?;
        let cold_ms = first.elapsed().as_secs_f64() * 1e3;
        let mut times = Vec::with_capacity(options.repeats.into());
        for _ in 0..options.repeats {
            let started = Instant::now();
            ask(&agent, &url, &sql)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let median = report::quantile(&times, 0.5);
        let count = rows.as_array().map_or(0, Vec::len);
        let max = report::quantile(&times, 1.0);
        table.push(vec![question.title.clone(), format!("{median:.1}"), format!("{max:.1}"), count.to_string()]);
        answers.push(json!({
            "id": question.id, "sql": sql, "median_ms": median, "first_ms": cold_ms, "ms": times, "rows": rows,
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

fn ask(agent: &ureq::Agent, url: &str, sql: &str) -> anyhow::Result<Value> {
    let body = serde_json::to_vec(&json!({"sql": sql}))?;
    let request = agent.post(url).header("content-type", "application/json");
    let mut response = request.send(body.as_slice()).with_context(|| url.to_owned())?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(256 << 20).read_to_string()?;
    ensure!(status == 200, "{url} answered {status} to {sql}: {}", text.chars().take(500).collect::<String>());
    let mut answer: Value = serde_json::from_str(&text)?;
    ensure!(answer["rows"].is_array(), "no rows in the answer to {sql}");
    Ok(answer["rows"].take())
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
            let sql = fill(&question.logkeep, &truth).replace("[0-9]{5}", "");
            assert!(!sql.contains('{'), "{sql}");
        }
        std::fs::remove_file(Truth::path(file.path())).unwrap();
    }
}
