//! Records that come in parts: joined, counted as what they became, and never acked before they are durable.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use logkeep_pipeline::PipelineSet;
use logkeep_pipeline::spec::{Multiline, Pipeline, When};
use logkeep_record::JOINED_PARTS;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::{Setup, listen, options, port, send, wait_until};
use crate::{IntakeOptions, Protocol};

/// What is indented continues what is before it.
fn indented(name: &str, timeout: Duration) -> Arc<PipelineSet> {
    let continues = Some(r"^\s".to_owned());
    let multiline = Some(Multiline { starts: None, continues, max_lines: 100, max_bytes: 10_000, timeout });
    let pipeline = Pipeline { name: name.to_owned(), when: When::default(), multiline, steps: Vec::new() };
    Arc::new(PipelineSet::compile(&[pipeline]).unwrap())
}

const LONG: Duration = Duration::from_secs(60);

async fn setup(timeout: Duration) -> Setup {
    Setup::with(IntakeOptions { pipelines: indented("traces", timeout), ..options() }).await
}

/// Sends pieces of which each is dealt with before the next one comes.
async fn send_one_by_one(setup: &Setup, protocol: Protocol, stream: &mut TcpStream, pieces: &[Vec<u8>]) {
    for piece in pieces {
        let taken = || setup.intake.counters().into_iter().find(|one| one.protocol == protocol.name()).unwrap();
        let before = taken().requests;
        stream.write_all(piece).await.unwrap();
        wait_until("a piece is dealt with", || taken().requests > before).await;
    }
}

fn lines(lines: &[&str]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| format!("<13>1 2026-11-20T10:00:00Z host app 7 - - {line}\n").into_bytes()).collect()
}

/// Closes our side and waits until the other has closed its own.
async fn hang_up(mut stream: TcpStream) {
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_connection_that_come_one_by_one_are_one_record() {
    let setup = setup(LONG).await;
    let (address, _stop) = listen(&setup, "syslog-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send_one_by_one(&setup, Protocol::Syslog, &mut stream, &lines(&["a", "  at b", "  at c", "d"])).await;
    wait_until("the first is stored", || !setup.bodies().is_empty()).await;
    assert_eq!(setup.bodies(), ["a\n  at b\n  at c"]);
    hang_up(stream).await;
    assert_eq!(setup.bodies(), ["a\n  at b\n  at c", "d"]);
    let parts = |record: &logkeep_record::Record<'_>| format!("{:?}", record.attribute(JOINED_PARTS));
    assert_eq!(setup.stored("default", parts), ["Some(Int(3))", "None"]);
    let originals = setup.stored("default", |record| record.original.as_deref().unwrap_or("none").to_owned());
    assert_eq!(originals[0].lines().count(), 3, "{originals:?}");
    let counts = setup.counts(Protocol::Syslog);
    assert_eq!((counts.received, counts.stored), (2, 2), "counted as what they became");
    setup.check_ledger(Protocol::Syslog, "127.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_the_timeout() {
    let setup = setup(Duration::from_millis(50)).await;
    let (address, _stop) = listen(&setup, "json-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for (line, stored) in [("{\"message\":\"a\"}\n", 1), ("{\"message\":\" b\"}\n", 2)] {
        stream.write_all(line.as_bytes()).await.unwrap();
        wait_until("it is stored", || setup.bodies().len() == stored).await;
    }
    assert_eq!(setup.bodies(), ["a", " b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_of_several_senders_are_joined_for_each() {
    let setup = setup(LONG).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (socket.local_addr().unwrap(), CancellationToken::new());
    let (intake, stopping) = (setup.intake.clone(), shutdown.clone());
    let serving = tokio::spawn(async move { intake.serve_udp(port("syslog-udp"), socket, stopping).await });
    let one = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let two = UdpSocket::bind("127.0.0.3:0").await.unwrap();
    for (sender, text) in [(&one, "a"), (&two, "b"), (&one, "  c"), (&two, "  d")] {
        sender.send_to(format!("<13>1 - h app - - - {text}").as_bytes(), address).await.unwrap();
    }
    wait_until("all have come", || setup.intake.counters().iter().map(|counts| counts.bytes).sum::<u64>() >= 88).await;
    shutdown.cancel();
    serving.await.unwrap();
    let mut bodies = setup.bodies();
    bodies.sort();
    assert_eq!(bodies, ["a\n  c", "b\n  d"]);
    let received: Vec<_> =
        setup.ledger().await.into_iter().map(|(source, counts)| (source.peer.unwrap(), counts.received)).collect();
    assert_eq!(received, [("127.0.0.2".to_owned(), 1), ("127.0.0.3".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_set_lets_go_what_waited() {
    let setup = setup(LONG).await;
    let (address, _stop) = listen(&setup, "syslog-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send_one_by_one(&setup, Protocol::Syslog, &mut stream, &lines(&["a", "  b"])).await;
    setup.intake.set_pipelines(indented("others", LONG));
    send_one_by_one(&setup, Protocol::Syslog, &mut stream, &lines(&["  c"])).await;
    hang_up(stream).await;
    assert_eq!(setup.bodies(), ["a\n  b", "  c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_nothing_can_be_stored_any_more_is_counted() {
    let setup = setup(LONG).await;
    let (address, stop) = listen(&setup, "syslog-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send_one_by_one(&setup, Protocol::Syslog, &mut stream, &lines(&["a", "  b"])).await;
    setup.ingest.close();
    stop.cancel();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    wait_until("it is counted", || setup.counts(Protocol::Syslog).dropped == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_one_request_is_joined_and_durable_with_its_answer() {
    let setup = setup(LONG).await;
    let router = setup.intake.native_router();
    for _ in 0..2 {
        let answer = send(&router, "POST /api/v1/ingest/ndjson", "a\n  b\nc\n").await;
        assert_eq!((answer.status, answer.json()["stored"].as_u64()), (200, Some(2)));
    }
    assert_eq!(send(&router, "POST /api/v1/ingest/ndjson", "  d\n").await.status, 200);
    assert_eq!(setup.bodies(), ["a\n  b", "c", "a\n  b", "c", "  d"], "no answer stands for what comes later");
    let [(_, counts)] = &setup.ledger().await[..] else { panic!("one source") };
    assert_eq!((counts.is_balanced(), counts.received, counts.stored), (true, 5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_with_an_answer_each_are_joined_to_none() {
    let setup = setup(LONG).await;
    let router = setup.intake.elasticsearch_router();
    let bulk = "{\"create\":{}}\n{\"message\":\"a\"}\n{\"create\":{}}\n{\"message\":\" b\"}\n";
    let answer = send(&router, "POST /web/_bulk", bulk).await.json();
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(2), "{answer}");
    assert_eq!(setup.bodies(), ["a", " b"]);
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend([0xd9, text.len() as u8]);
    out.extend_from_slice(text.as_bytes());
}

/// A time, and what Docker's driver sends of a part of a line.
fn event(log: &str, id: &str, ordinal: usize, is_last: bool) -> Vec<u8> {
    let mut out = vec![1, 0x86];
    let (ordinal, is_last) = (ordinal.to_string(), is_last.to_string());
    for (name, value) in [
        ("container_name", "/web"),
        ("log", log),
        ("partial_message", "true"),
        ("partial_id", id),
        ("partial_ordinal", &ordinal),
        ("partial_last", &is_last),
    ] {
        text(name, &mut out);
        text(value, &mut out);
    }
    out
}

fn message(event: &[u8]) -> Vec<u8> {
    [b"\x93\xa1t", event].concat()
}

async fn sent_in_parts(parts: &[Vec<u8>]) -> Setup {
    let setup = Setup::new().await;
    let (address, _stop): (SocketAddr, _) = listen(&setup, "forward-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send_one_by_one(&setup, Protocol::Forward, &mut stream, parts).await;
    hang_up(stream).await;
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_line_of_docker_are_one_record() {
    let part = |log: &str, id: &str, ordinal, is_last| message(&event(log, id, ordinal, is_last));
    let setup = sent_in_parts(&[
        part("{\"level\":\"er", "x", 1, false),
        part("other ", "y", 1, false),
        part("ror\",\"msg\":", "x", 2, false),
        part("line", "y", 2, true),
        part("\"no stock\"}", "x", 3, true),
    ])
    .await;
    let of = |record: &logkeep_record::Record<'_>| {
        let partial = record.attributes.iter().any(|(name, _)| name.contains("partial"));
        let (body, parts) = (record.body.as_str().unwrap(), record.attribute(JOINED_PARTS));
        format!("{body} {} {parts:?} {partial}", record.severity.name())
    };
    assert_eq!(
        setup.stored("default", of),
        ["other line unspecified Some(Int(2)) false", "no stock error Some(Int(3)) false"]
    );
    let counts = setup.counts(Protocol::Forward);
    assert_eq!((counts.received, counts.stored), (2, 2));
    setup.check_ledger(Protocol::Forward, "127.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_whose_end_never_comes_is_stored_and_says_so() {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "forward-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&message(&event("no line feed", "x", 1, false))).await.unwrap();
    wait_until("it is stored", || !setup.bodies().is_empty()).await;
    stream.write_all(&message(&event("its second half alone", "y", 2, true))).await.unwrap();
    stream.write_all(&message(&event("and a gap", "z", 1, false))).await.unwrap();
    stream.write_all(&message(&event(" here", "z", 3, true))).await.unwrap();
    hang_up(stream).await;
    let of = |record: &logkeep_record::Record<'_>| {
        format!("{} {:?}", record.body.as_str().unwrap(), record.attribute("log.record.partial"))
    };
    let expected = ["no line feed Some(Bool(true))", "its second half alone None", "and a gap here Some(Bool(true))"];
    assert_eq!(setup.stored("default", of), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_one_chunk_are_durable_with_its_ack_and_known_again() {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "forward-tcp").await;
    let entries = [event("a ", "x", 1, false), event("line", "x", 2, true), event("half", "y", 1, false)];
    let entries: Vec<u8> = entries.iter().flat_map(|event| [b"\x92", &event[..]].concat()).collect();
    let chunk = [b"\x93\xa1t\x93", &entries[..], b"\x81\xa5chunk\xa1c"].concat();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&chunk).await.unwrap();
        stream.read_exact(&mut [0; 7]).await.unwrap();
        assert_eq!(setup.bodies(), ["a line", "half"], "nothing waits behind an ack");
    }
    let counts = setup.counts(Protocol::Forward);
    assert_eq!((counts.received, counts.stored, counts.deduplicated), (4, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_in_the_form_of_container_runtimes_are_joined_wherever_they_come() {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "json-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let line = |rest: &str| format!("2026-11-20T10:00:00.5Z {rest}\n").into_bytes();
    let pieces = [line("stdout P half "), line("stderr F other"), line("stdout F a line"), line("stdout F whole")];
    send_one_by_one(&setup, Protocol::Json, &mut stream, &pieces).await;
    hang_up(stream).await;
    assert_eq!(setup.bodies(), ["other", "half a line", "whole"]);
    let originals = setup.stored("default", |record| record.original.as_deref().unwrap().to_owned());
    let joined = "2026-11-20T10:00:00.5Z stdout P half \n2026-11-20T10:00:00.5Z stdout F a line";
    assert_eq!(originals[1], joined, "as it came");
}
