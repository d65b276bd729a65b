//! Who sends, and what became of what each sent: the loss ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use logkeep_access::Action;
use logkeep_ingest::{Counts, Ledger, Source, minute};
use serde_json::{Value, json};

use super::answer::{JSON, release};
use super::caller::Caller;
use super::search::Parameters;
use super::{ApiError, AppState, render};

/// Sources of one answer unless `limit` says otherwise, and at most.
const LIMIT: (usize, usize) = (200, 5_000);
/// Sources that are told apart while they are counted.
const SOURCES: usize = 20_000;
/// Lines that are told apart if there is a series.
const LINES: usize = 200_000;
const MINUTE_NS: i64 = 60_000_000_000;

/// One source: its counts, and those of its minutes if they were asked for.
#[derive(Default)]
struct Whole {
    counts: Counts,
    series: Vec<(i64, Counts)>,
}

pub(crate) async fn sources(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let range = params.range_since("-24h")?;
    let minutes = minute(range.start_ns())..=minute(range.end_ns().saturating_sub(1));
    let step = match params.text("series") {
        "" => None,
        "minute" => Some(1),
        "hour" => Some(60),
        other => return Err(ApiError::bad_request(format!("`series` is `{other}`; it must be `minute` or `hour`"))),
    };
    let (limit, protocol) = (params.count("limit", LIMIT.0, LIMIT.1)?, params.text("protocol"));
    let grant = state.access.authorize(&who, Action::Sources, &params.subject("sources")).await?;
    let (lines, most) = step.map_or((i64::MAX, SOURCES), |step| (step, LINES));
    let found = match state.ingest.ledger(grant.tenant(), minutes, lines, most).await {
        Ok(found) => found,
        Err(error) => {
            grant.fail();
            return Err(error.into());
        }
    };
    let mut sources: Vec<_> = by_source(&found, protocol, step.is_some()).into_iter().collect();
    sources.sort_by_key(|(_, whole)| std::cmp::Reverse(whole.counts.last_ns));
    let mut totals = Counts::default();
    sources.iter().for_each(|(_, whole)| totals.add(&whole.counts));
    let balanced = found.lines().all(|(_, _, counts)| counts.is_balanced());
    let more = sources.len() > limit;
    sources.truncate(limit);
    let now_ns = state.ingest.clock().now_ns();
    let shown: Vec<Value> = sources.iter().map(|(source, whole)| one(source, whole, now_ns)).collect();
    let body = json!({
        "sources": shown,
        "totals": counts(&totals),
        "balanced": balanced,
        "from": render::time(minute(range.start_ns()) * MINUTE_NS),
        "more": more,
    });
    release(grant, body.to_string(), JSON, sources.len() as u64).await
}

fn by_source(found: &Ledger, protocol: &str, series: bool) -> BTreeMap<Arc<Source>, Whole> {
    let mut sources: BTreeMap<Arc<Source>, Whole> = BTreeMap::new();
    for (minute, source, counts) in found.lines() {
        if !protocol.is_empty() && source.protocol != protocol {
            continue;
        }
        let whole = sources.entry(source.clone()).or_default();
        whole.counts.add(counts);
        if series {
            whole.series.push((minute, counts.clone()));
        }
    }
    sources
}

fn one(source: &Source, whole: &Whole, now_ns: i64) -> Value {
    let mut out = counts(&whole.counts);
    let seconds = |from: i64, to: i64| to.saturating_sub(from) as f64 / 1e9;
    let last = whole.counts.last_ns;
    out["protocol"] = json!(source.protocol);
    out["peer"] = json!(source.peer);
    out["sender"] = json!(source.sender);
    out["identity"] = json!(source.identity);
    out["others"] = json!(source.others);
    out["last_seen"] = json!(last.map(render::time));
    out["silent_seconds"] = json!(last.map(|last| seconds(last, now_ns).max(0.0)));
    out["newest"] = json!(whole.counts.newest_ns.map(render::time));
    // How old the newest record was when something last arrived.
    out["lag_seconds"] = json!(whole.counts.newest_ns.zip(last).map(|(newest, last)| seconds(newest, last)));
    if !whole.series.is_empty() {
        let line = |(minute, line): &(i64, Counts)| {
            let mut out = counts(line);
            out["time"] = json!(render::time(minute * MINUTE_NS));
            out
        };
        out["series"] = whole.series.iter().map(line).collect();
    }
    out
}

fn counts(counts: &Counts) -> Value {
    json!({
        "received": counts.received,
        "stored": counts.stored,
        "deduplicated": counts.deduplicated,
        "deferred": counts.deferred,
        "rejected": counts.rejected(),
        "rejected_for": counts.rejected,
        "dropped": counts.dropped(),
        "dropped_for": counts.dropped,
        "refused_requests": counts.refused(),
        "refused_for": counts.refused,
        "bytes": counts.bytes,
        "balanced": counts.is_balanced(),
    })
}
