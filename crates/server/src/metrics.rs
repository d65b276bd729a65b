//! What the server counts, for Prometheus (text format 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use logkeep_intake::{ProtocolCounters, SourceLags, TlsStatus};

use crate::api::AppState;

type Read = fn(&ProtocolCounters) -> u64;

/// Records that wait have not become anything yet.
const WAITING: &str = "logkeep_intake_records_waiting";

const REDACTED: &str = "logkeep_redacted_values_total";

const INTAKE: &[(&str, &str, Read)] = &[
    ("logkeep_intake_requests_total", "Requests, or batches of syslog messages.", |c| c.requests),
    ("logkeep_intake_refused_total", "Requests answered with an error as a whole.", |c| c.refused),
    ("logkeep_intake_bytes_total", "Bytes of bodies as they arrived.", |c| c.bytes),
    ("logkeep_intake_records_received_total", "Records found in requests.", |c| c.received),
    ("logkeep_intake_records_stored_total", "Records made durable.", |c| c.stored),
    ("logkeep_intake_records_deduplicated_total", "Records recognised as stored before.", |c| c.deduplicated),
    ("logkeep_intake_records_rejected_total", "Records that can never be stored.", |c| c.rejected),
    ("logkeep_intake_records_deferred_total", "Records the sender was told to send again.", |c| c.deferred),
    ("logkeep_intake_records_dropped_total", "Records lost because the protocol cannot slow its sender.", |c| {
        c.dropped
    }),
];

/// `GET /metrics`.
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    let counters = state.intake.counters();
    let mut out = String::new();
    for (name, help, read) in INTAKE {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
        for counter in &counters {
            let _ = writeln!(out, "{name}{{protocol=\"{}\"}} {}", counter.protocol, read(counter));
        }
    }
    let _ = writeln!(
        out,
        "# HELP {WAITING} Records that are here and wait until they can be stored.\n# TYPE {WAITING} gauge"
    );
    for counter in &counters {
        let _ = writeln!(out, "{WAITING}{{protocol=\"{}\"}} {}", counter.protocol, counter.waiting);
    }
    let _ = writeln!(out, "# HELP {REDACTED} Values hidden before they were stored.\n# TYPE {REDACTED} counter");
    for (kind, count) in state.redactor.counts() {
        let _ = writeln!(out, "{REDACTED}{{kind=\"{}\"}} {count}", kind.name());
    }
    pipelines(&mut out, &state);
    lags(&mut out, &state);
    connections(&mut out, &state);
    certificates(&mut out, &state);
    people(&mut out, &state);
    let faults = state.ingest.faults().len();
    let _ = writeln!(out, "# HELP logkeep_wal_faults Damaged places found in the write-ahead log at the last start.");
    let _ = writeln!(out, "# TYPE logkeep_wal_faults gauge\nlogkeep_wal_faults {faults}");
    let uptime = (state.ingest.clock().now_ns() - state.started_ns) / 1_000_000_000;
    let _ = writeln!(out, "# HELP logkeep_uptime_seconds Time since the start.");
    let _ = writeln!(out, "# TYPE logkeep_uptime_seconds gauge\nlogkeep_uptime_seconds {uptime}");
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], out).into_response()
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Of the set in use: a new set begins at zero.
fn pipelines(out: &mut String, state: &AppState) {
    const INFO: &str = "logkeep_pipelines_info";
    const RELOADS: &str = "logkeep_pipeline_reloads_total";
    let set = state.intake.pipelines();
    type Read = fn(&logkeep_pipeline::Count) -> u64;
    let counters: [(&str, &str, Read); 3] = [
        ("logkeep_pipeline_records_total", "Records that a pipeline was for.", |count| count.records),
        ("logkeep_pipeline_dropped_total", "Records that a pipeline left out.", |count| count.dropped),
        ("logkeep_pipeline_failures_total", "Steps of a pipeline that could not do their work.", |count| count.failed),
    ];
    for (name, help, read) in counters {
        head(out, name, "counter", help);
        for count in set.counts() {
            let _ = writeln!(out, "{name}{{pipeline=\"{}\"}} {}", count.name, read(&count));
        }
    }
    head(out, INFO, "gauge", "The set of pipelines in use, by its version.");
    let _ = writeln!(out, "{INFO}{{version=\"{}\"}} 1", set.short_version());
    head(out, RELOADS, "counter", "Changed pipelines that were taken up, or refused.");
    for (outcome, count) in [("taken", &state.reloads.taken), ("refused", &state.reloads.refused)] {
        let _ = writeln!(out, "{RELOADS}{{outcome=\"{outcome}\"}} {}", count.load(Ordering::Relaxed));
    }
}

fn lags(out: &mut String, state: &AppState) {
    const LAG: &str = "logkeep_source_lag_messages";
    let sources = state.intake.source_lags();
    if sources.is_empty() {
        return;
    }
    head(out, LAG, "gauge", "Messages of a queue that are not stored yet, as it said when it gave some last.");
    for SourceLags { kind, name, lags } in &sources {
        for lag in lags {
            let sequence = escaped(&lag.sequence);
            let place = match lag.partition {
                Some(partition) => format!("topic=\"{sequence}\",partition=\"{partition}\""),
                None => format!("stream=\"{sequence}\""),
            };
            let _ = writeln!(out, "{LAG}{{kind=\"{kind}\",source=\"{}\",{place}}} {}", escaped(name), lag.messages);
        }
    }
}

fn connections(out: &mut String, state: &AppState) {
    const LET_IN: &str = "logkeep_connections_total";
    const REFUSED: &str = "logkeep_connections_refused_total";
    const EXPOSED: &str = "logkeep_listeners_exposed";
    let doors = state.intake.doors();
    head(out, LET_IN, "counter", "Connections of TCP, after the handshake where the listener has TLS.");
    for door in &doors {
        let _ = writeln!(out, "{LET_IN}{{listener=\"{}\",tls=\"{}\"}} {}", door.name, door.is_encrypted, door.let_in);
    }
    head(out, REFUSED, "counter", "Connections that were not let in, by reason (docs/guide/tls.md).");
    for door in &doors {
        for (reason, count) in &door.refused {
            let _ = writeln!(out, "{REFUSED}{{listener=\"{}\",reason=\"{reason}\"}} {count}", door.name);
        }
    }
    head(out, EXPOSED, "gauge", "Listeners to which other hosts send in the clear.");
    let exposed = state.receivers.iter().filter(|receiver| receiver.is_exposed()).count();
    let _ = writeln!(out, "{EXPOSED} {exposed}");
}

fn people(out: &mut String, state: &AppState) {
    const WAITING: &str = "logkeep_approvals_waiting";
    const ACTIVE: &str = "logkeep_break_glass_active";
    const UNREVIEWED: &str = "logkeep_break_glass_unreviewed";
    let glasses = state.directory.glasses();
    let active = glasses.iter().filter(|glass| glass.is_active).count();
    let unreviewed = glasses.iter().filter(|glass| glass.review.is_none()).count();
    for (name, help, value) in [
        (WAITING, "Requests that wait for a second person.", state.directory.requests().len()),
        (ACTIVE, "People who have broken the glass and may do more for it now.", active),
        (UNREVIEWED, "Times that the glass was broken and nobody else has reviewed it.", unreviewed),
    ] {
        head(out, name, "gauge", help);
        let _ = writeln!(out, "{name} {value}");
    }
}

type ReadTls = fn(&TlsStatus) -> i64;

const CERTIFICATES: &[(&str, &str, &str, ReadTls)] = &[
    ("logkeep_tls_certificate_expiry_timestamp_seconds", "gauge", "When the certificate in use expires.", |tls| {
        tls.expires_s
    }),
    ("logkeep_tls_changes_total", "counter", "Times that changed files were taken up.", |tls| tls.changes as i64),
    ("logkeep_tls_failures_total", "counter", "Times that changed files could not be taken up.", |tls| {
        tls.failures as i64
    }),
    ("logkeep_tls_failing", "gauge", "1 while the files as they are cannot be taken up.", |tls| i64::from(tls.failing)),
];

fn certificates(out: &mut String, state: &AppState) {
    let all: Vec<TlsStatus> = state.certificates.iter().map(|tls| tls.status()).collect();
    for (name, kind, help, read) in CERTIFICATES.iter().filter(|_| !all.is_empty()) {
        head(out, name, kind, help);
        for (set, tls) in all.iter().enumerate() {
            let file = escaped(&tls.certificate.to_string_lossy());
            let _ = writeln!(out, "{name}{{set=\"{set}\",certificate=\"{file}\"}} {}", read(tls));
        }
    }
}

/// A label's value in the text format.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}
