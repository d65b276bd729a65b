//! Promtail 3, and what else writes as Loki's own clients do.

use super::{Wire, facts};
use crate::Protocol;
use crate::tests::Setup;

/// As Promtail asks; the body is a snappy block, of which no header says anything.
const HEAD: &str = "
    POST /loki/api/v1/push HTTP/1.1
    Host: 127.0.0.1:3100
    User-Agent: promtail/3.6.0
    Content-Length: LENGTH
    Content-Type: application/x-protobuf
    Accept-Encoding: gzip";

fn varint(number: usize) -> Vec<u8> {
    let low = (number & 0x7f) as u8;
    if number < 0x80 { vec![low] } else { [vec![low | 0x80], varint(number >> 7)].concat() }
}

/// A field of protobuf that has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], &varint(content.len())[..], content].concat()
}

/// 1795168800 s and these nanoseconds, as a timestamp has them.
fn at(nanos: u8) -> Vec<u8> {
    field(1, &[b"\x08\xa0\xb4\x80\xd8\x06\x10".as_slice(), &[nanos]].concat())
}

/// A push in snappy: one stream, with the hash that Promtail puts behind its entries.
fn push(labels: &str, entries: &[Vec<u8>]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|entry| field(2, entry)).collect();
    let push = field(1, &[field(1, labels.as_bytes()), entries, b"\x18\xc7\x8f\xd1\xb6\x0e".to_vec()].concat());
    // A block of snappy: how long it is, then all of it as one literal.
    let last = u8::try_from(push.len() - 1).unwrap();
    [varint(push.len()), vec![60 << 2, last], push].concat()
}

const LABELS: &str = r#"{filename="/var/log/app.log", job="varlogs", note="C:\\logs \"a\""}"#;

fn two_lines() -> Vec<u8> {
    let metadata = field(3, &[field(1, b"trace_id"), field(2, b"0af7651916cd43dd8448eb211c80319c")].concat());
    let one = [at(2), field(2, b"one"), metadata].concat();
    push(LABELS, &[one, [at(1), field(2, b"two")].concat()])
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_in_a_snappy_block_without_a_word_of_it() {
    let setup = Setup::new().await;
    let answer = Wire::to(&setup, "loki").await.ask(HEAD, &two_lines()).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(
        facts(&setup, &["log.file.path", "note"]),
        [
            r#"1795168800000000002 one "/var/log/app.log" "C:\\logs \"a\"""#,
            r#"1795168800000000001 two "/var/log/app.log" "C:\\logs \"a\"""#
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_a_line_is_the_lines_alone() {
    let setup = Setup::new().await;
    assert_eq!(Wire::to(&setup, "loki").await.ask(HEAD, &two_lines()).await.status, 204);
    let traces = setup.stored("default", |record| record.trace_id.map(|id| id.to_string()).unwrap_or_default());
    assert_eq!(traces, ["0af7651916cd43dd8448eb211c80319c", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_in_other_letters() {
    let setup = Setup::new().await;
    let head = format!("{HEAD}\n    X-Scope-Orgid: team-a");
    assert_eq!(Wire::to(&setup, "loki").await.ask(&head, &two_lines()).await.status, 204);
    assert_eq!(setup.stored("team-a", |record| record.body.as_str().unwrap().to_owned()), ["one", "two"]);
    assert!(setup.bodies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_out_of_order_and_of_one_time_are_all_kept() {
    let setup = Setup::new().await;
    let line = |nanos, text: &str| [at(nanos), field(2, text.as_bytes())].concat();
    let lines = [line(9, "late"), line(3, "early"), line(9, "as late"), line(9, "late")];
    assert_eq!(Wire::to(&setup, "loki").await.ask(HEAD, &push(LABELS, &lines)).await.status, 204);
    assert_eq!(setup.bodies(), ["late", "early", "as late", "late"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_path_takes_both_forms() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "loki").await;
    let old = HEAD.replace("/loki/api/v1/push", "/api/prom/push");
    assert_eq!(wire.ask(&old, &two_lines()).await.status, 204);
    let json = br#"{"streams":[{"labels":"{job=\"a\"}","entries":[{"ts":"2026-11-20T10:00:00.5Z","line":"three"}]}]}"#;
    let head = old.replace("application/x-protobuf", "application/json");
    assert_eq!(wire.ask(&head, json).await.status, 204);
    assert_eq!(facts(&setup, &["service.name"])[2], "1795168800500000000 three \"a\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_label_at_all() {
    let setup = Setup::new().await;
    let lines = [[at(1), field(2, &[b'x'; 100])].concat()];
    assert_eq!(Wire::to(&setup, "loki").await.ask(HEAD, &push("{}", &lines)).await.status, 204);
    assert_eq!(facts(&setup, &["service.name"]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deflate_is_raw_or_zlib() {
    use std::io::Write;

    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "loki").await;
    let json = br#"{"streams":[{"stream":{"job":"a"},"values":[["1795168800000000001","one"]]}]}"#;
    let head = HEAD.replace("application/x-protobuf", "application/json") + "\n    Content-Encoding: deflate";
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    raw.write_all(json).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(json).unwrap();
    for packed in [raw.finish().unwrap(), zlib.finish().unwrap()] {
        assert_eq!(wire.ask(&head, &packed).await.status, 204);
    }
    assert_eq!(setup.bodies(), ["one", "one"]);
}

/// Loki's address for OTLP, as the OpenTelemetry collector has it in place of Loki's own exporter.
#[tokio::test(flavor = "multi_thread")]
async fn otlp_below_lokis_address() {
    let setup = Setup::new().await;
    let head = "
        POST /otlp/v1/logs HTTP/1.1
        Host: 127.0.0.1:3100
        Content-Length: LENGTH
        Content-Type: application/json
        X-Scope-OrgID: team-a";
    let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"one"}}]}]}]}"#;
    let answer = Wire::to(&setup, "loki").await.ask(head, json).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    assert_eq!(setup.stored("team-a", |record| record.body.as_str().unwrap().to_owned()), ["one"]);
    assert_eq!(setup.counts(Protocol::Otlp).stored, 1);
}
