//! Two stores side by side, and both against the truth.
//!
//! A fast wrong answer is worth nothing: any difference is printed with the first row that differs, and ends the run
//! with a failure.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::goals::{Figure, Goal};
use crate::query::{Question, Rows, questions};
use crate::truth::Truth;
use crate::{goals, procfs, report};

/// Prints the table, writes everything to `json`, and fails where an answer differs.
pub(crate) fn run(file: &Path, ours: &[PathBuf], peer: &[PathBuf], json: Option<&Path>) -> anyhow::Result<()> {
    let truth = Truth::load(file)?;
    let (ours, peer) = (merge(ours)?, merge(peer)?);
    let (our_name, peer_name) = (name(&ours), name(&peer));
    report::line(&format!("{} lines, {} bytes", truth.lines, truth.bytes))?;
    let mut figures = ingest_figures(&ours, &peer);
    let mut table = vec![Figure::head(our_name, peer_name)];
    table.extend(figures.iter().map(Figure::row));
    let mut faults = Vec::new();
    for question in questions()? {
        let (warm, cold) = (answer(&ours, "queries", &question.id), answer(&ours, "cold", &question.id));
        let theirs = answer(&peer, "queries", &question.id);
        let goal = goals::of(&question.id).with_context(|| format!("{} has no goal", question.id))?;
        let title = format!("{}, ms", question.title);
        let figure = Figure::new(&title, number(warm, "median_ms"), number(theirs, "median_ms"), goal.warm);
        let found = verdicts(&question, &truth, &[(our_name, warm), (peer_name, theirs)]);
        add(&mut table, &mut figures, figure, &found);
        faults.extend(found);
        if let Some(most) = goal.cold {
            let figure = Figure::new(&format!("{title}, cold"), number(cold, "median_ms"), None, Goal::AtMost(most));
            let found = cold.map_or_else(Vec::new, |cold| verdicts(&question, &truth, &[(our_name, Some(cold))]));
            add(&mut table, &mut figures, figure, &found);
            faults.extend(found);
        }
    }
    let ms = |result: &Value, id: &str| number(answer(result, "queries", id), "median_ms");
    let mean = goals::to_best_peers(|id| Some((ms(&ours, id)?, ms(&peer, id)?)));
    let mean =
        Figure::new("geometric mean of the ten to the best peer of each", mean, Some(1.0), Goal::AtMostTimes(1.2));
    table.push(mean.row());
    figures.push(mean);
    report::table(&table)?;
    if let Some(path) = json {
        let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
        let all = json!({
            "machine": procfs::machine()?, "seed": truth.seed, "lines": truth.lines, "bytes": truth.bytes,
            "figures": figures, "faults": faults, "ours": ours, "peer": peer,
        });
        report::result(Some(path), &all)?;
    }
    for fault in &faults {
        report::line(fault)?;
    }
    if !faults.is_empty() {
        bail!("{} answers are wrong", faults.len());
    }
    Ok(())
}

/// Adds a query's line.
fn add(table: &mut Vec<Vec<String>>, figures: &mut Vec<Figure>, figure: Figure, faults: &[String]) {
    let mut row = figure.row();
    row.push(match (figure.ours, faults) {
        (None, []) => String::new(),
        (_, []) => "equal".to_owned(),
        _ => "DIFFER".to_owned(),
    });
    table.push(row);
    figures.push(figure);
}

/// The fields of all result files of one store.
fn merge(paths: &[PathBuf]) -> anyhow::Result<Value> {
    let mut all = Map::new();
    for path in paths {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        let fields: Map<String, Value> = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        all.extend(fields);
    }
    Ok(Value::Object(all))
}

fn name(result: &Value) -> &str {
    result["store"].as_str().unwrap_or("?")
}

fn ingest_figures(ours: &Value, peer: &Value) -> Vec<Figure> {
    let mib = 1_048_576.0;
    let measures = [
        ("ingest, MB/s", "mb_per_second", 1.0, Goal::AtLeastTimes(1.2)),
        ("ingest, MB per CPU s", "mb_per_cpu_second", 1.0, Goal::AtLeastTimes(1.2)),
        ("disk, MB", "disk_bytes", 1e6, Goal::AtMostTimes(0.75)),
        ("peak RSS in ingest, MiB", "peak_rss_bytes", mib, Goal::AtMost(400.0)),
        ("RSS idle, MiB", "idle_rss_bytes", mib, Goal::AtMost(120.0)),
        ("ingest, lines/s", "lines_per_second", 1.0, Goal::None),
        ("ack p50, ms", "ack_p50_ms", 1.0, Goal::None),
        ("ack p99, ms", "ack_p99_ms", 1.0, Goal::None),
        ("server CPU, s", "server_cpu_seconds", 1.0, Goal::None),
        ("raw / stored", "raw_per_stored", 1.0, Goal::None),
    ];
    let figure = |(title, key, unit, goal)| {
        let value = |result: &Value| number(Some(&result["ingest"]), key).map(|value| value / unit);
        Figure::new(title, value(ours), value(peer), goal)
    };
    measures.into_iter().map(figure).collect()
}

fn answer<'a>(result: &'a Value, kind: &str, id: &str) -> Option<&'a Value> {
    result[kind].as_array()?.iter().find(|query| query["id"] == id)
}

fn number(value: Option<&Value>, key: &str) -> Option<f64> {
    value?.get(key)?.as_f64()
}

fn verdicts(question: &Question, truth: &Truth, answers: &[(&str, Option<&Value>)]) -> Vec<String> {
    let Some(expected) = truth.answers.get(&question.id) else {
        return vec![format!("{}: the truth is not known", question.title)];
    };
    let expected: Vec<Value> = expected.iter().cloned().map(Value::Array).collect();
    let judge = |(store, answer): &(&str, Option<&Value>)| {
        let fault = match answer.and_then(|answer| answer["rows"].as_array()) {
            Some(rows) => difference(rows, &expected, question.rows)?,
            None => "no answer".to_owned(),
        };
        Some(format!("{}: {store}: {fault}", question.title))
    };
    answers.iter().filter_map(judge).collect()
}

/// The first difference, if there is one.
fn difference(rows: &[Value], expected: &[Value], how: Rows) -> Option<String> {
    let flat = |rows: &[Value]| {
        let mut rows: Vec<Vec<Value>> = rows.iter().map(flatten).collect();
        if how == Rows::AnyOrder {
            rows.sort_by_key(|row| row.iter().map(Value::to_string).collect::<Vec<_>>());
        }
        rows
    };
    let (rows, expected) = (flat(rows), flat(expected));
    if rows.len() != expected.len() {
        return Some(format!("{} rows, expected {}", rows.len(), expected.len()));
    }
    let wrong = rows.iter().zip(&expected).find(|(row, expected)| {
        row.len() != expected.len() || !row.iter().zip(*expected).all(|(cell, expected)| same(cell, expected, how))
    });
    wrong.map(|(row, expected)| format!("row {row:?}, expected {expected:?}"))
}

/// A peer gives several quantiles as one list: its cells stand for themselves. Times lose their notation.
fn flatten(row: &Value) -> Vec<Value> {
    match row {
        Value::Array(cells) => cells.iter().flat_map(flatten).collect(),
        Value::String(text) => vec![Value::String(plain_time(text).unwrap_or_else(|| text.clone()))],
        other => vec![other.clone()],
    }
}

/// A date and time without what stores write differently: `T` or a space, a zone of UTC, zeros at the end.
fn plain_time(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digits =
        |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let shaped = digits(0..4) && bytes.get(4) == Some(&b'-') && digits(11..13) && bytes.get(13) == Some(&b':');
    if !shaped || text.len() > 40 || !matches!(bytes[10], b'T' | b' ') {
        return None;
    }
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    Some(text.replacen(' ', "T", 1))
}

fn same(cell: &Value, expected: &Value, how: Rows) -> bool {
    // ClickHouse writes 64-bit integers as text.
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    match (number(cell), number(expected)) {
        (Some(a), Some(b)) if how == Rows::Near => (a - b).abs() <= b.abs() * 0.01 + 1e-9,
        (Some(a), Some(b)) => a == b,
        _ => cell == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(rows: Value, expected: Value, how: Rows, equal: bool) {
        let (rows, expected) = (rows.as_array().unwrap(), expected.as_array().unwrap());
        assert_eq!(difference(rows, expected, how).is_none(), equal, "{rows:?} {expected:?}");
    }

    #[test]
    fn answers() {
        check(json!([[1, "a"]]), json!([["1", "a"]]), Rows::Ordered, true);
        check(json!([[1], [2]]), json!([[2], [1]]), Rows::Ordered, false);
        check(json!([[1], [2]]), json!([[2], [1]]), Rows::AnyOrder, true);
        check(json!([[1]]), json!([[1], [1]]), Rows::AnyOrder, false);
        check(json!([["a", [100.5, 2]]]), json!([["a", 100, 2]]), Rows::Near, true);
        check(json!([["a", 102]]), json!([["a", 100]]), Rows::Near, false);
        check(json!([[100.5]]), json!([[100]]), Rows::Ordered, false);
        check(json!([["2026-11-20 10:00:00"]]), json!([["2026-11-20T10:00:00.000000000Z"]]), Rows::Ordered, true);
        check(json!([["2026-11-20 10:00:01"]]), json!([["2026-11-20T10:00:00Z"]]), Rows::Ordered, false);
        check(json!([[null]]), json!([[0]]), Rows::Ordered, false);
    }
}
