//! Fluent Bit 5: its outputs es, loki, opentelemetry, splunk, datadog, gelf, syslog, http, nats, kafka and forward.

use bytes::Bytes;
use sha2::{Digest, Sha512};
use tokio_util::sync::CancellationToken;

use super::{Wire, datagrams, facts};
use crate::sources::tests::deliver;
use crate::tests::{Setup, gzip, options, send, wait_until};
use crate::{ForwardSecurity, IntakeOptions, Protocol, Secret};

const BULK: &str = "
    POST /_bulk HTTP/1.1
    Host: 127.0.0.1:9200
    Content-Length: LENGTH
    Content-Type: application/x-ndjson
    User-Agent: Fluent-Bit";

#[tokio::test(flavor = "multi_thread")]
async fn es_names_a_type_that_is_long_gone() {
    let setup = Setup::new().await;
    let body = concat!(
        "{\"create\":{\"_index\":\"fluent-bit\",\"_type\":\"_doc\"}}\n",
        "{\"@timestamp\":\"2026-11-20T10:00:00.123Z\",\"log\":\"one\",\"n\":1}\n",
    );
    // It asks nothing before.
    let answer = Wire::to(&setup, "elasticsearch").await.ask(BULK, body.as_bytes()).await;
    assert!(answer.status == 200 && answer.body.starts_with(r#"{"errors":false,"#), "{}", answer.body);
    assert_eq!(facts(&setup, &["n"]), ["1795168800123000000 one 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn es_writes_what_is_not_ascii_as_escapes() {
    let setup = Setup::new().await;
    let body = concat!(
        "{\"create\":{\"_index\":\"fluent-bit\"}}\n",
        r#"{"@timestamp":"2026-11-20T10:00:00.123Z","log":"caf\u00e9 \u65e5\u672c \ud83d\ude00"}"#,
        "\n",
    );
    assert_eq!(Wire::to(&setup, "elasticsearch").await.ask(BULK, body.as_bytes()).await.status, 200);
    assert_eq!(setup.bodies(), ["café 日本 😀"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn es_gives_ids_of_its_own_and_takes_409_for_stored() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "elasticsearch").await;
    let body = concat!(
        "{\"create\":{\"_index\":\"fluent-bit\",\"_id\":\"7b0f2f6c-4f1e-44a2-9d3e-0c6a5d1b2e11\"}}\n",
        "{\"@timestamp\":\"2026-11-20T10:00:00.123Z\",\"log\":\"one\"}\n",
    );
    let first = wire.ask(BULK, body.as_bytes()).await;
    assert!(first.body.contains(r#""status":201"#) && first.body.contains(r#""errors":false"#), "{}", first.body);
    let again = wire.ask(BULK, body.as_bytes()).await;
    assert_eq!(again.status, 200);
    assert!(again.body.contains(r#""status":409"#) && again.body.contains(r#""errors":true"#), "{}", again.body);
    assert_eq!(setup.bodies(), ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn es_compresses_its_requests() {
    let setup = Setup::new().await;
    let head = BULK.replace("Content-Type", "Content-Encoding: gzip\n    Content-Type");
    let body = "{\"create\":{\"_index\":\"fluent-bit\"}}\n{\"log\":\"one\"}\n";
    assert_eq!(Wire::to(&setup, "elasticsearch").await.ask(&head, &gzip(body.as_bytes())).await.status, 200);
    assert_eq!(setup.bodies(), ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn loki_writes_numbers_of_metadata_as_text() {
    let setup = Setup::new().await;
    let head = "
        POST /loki/api/v1/push HTTP/1.1
        Host: 127.0.0.1:3100
        Content-Length: LENGTH
        Content-Encoding: gzip
        User-Agent: Fluent-Bit
        Content-Type: application/json";
    let body = br#"{"streams":[{"stream":{"job":"fluentbit"},"values":[["1795168800123456789","one",{"n":"1"}]]}]}"#;
    let answer = Wire::to(&setup, "loki").await.ask(head, &gzip(body)).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(facts(&setup, &["n", "service.name"]), [r#"1795168800123456789 one "1" "fluentbit""#]);
}

/// An export request with an empty resource, an empty scope and a record that has a time and a body.
const EXPORT: &[u8] =
    b"\x0a\x18\x0a\x00\x12\x14\x0a\x00\x12\x10\x09\x15\x0d\x39\x33\x83\xb8\xe9\x18\x2a\x05\x0a\x03one";

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_has_no_resource_no_scope_and_no_time_of_observation() {
    let setup = Setup::new().await;
    let head = "
        POST /v1/logs HTTP/1.1
        Host: 127.0.0.1:4318
        Content-Length: LENGTH
        User-Agent: Fluent-Bit
        Content-Type: application/x-protobuf";
    let answer = Wire::to(&setup, "otlp-http").await.ask(head, EXPORT).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(facts(&setup, &[]), ["1795168800123456789 one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_over_grpc_says_how_long_it_is() {
    let setup = Setup::new().await;
    let frame = [&[0, 0, 0, 0, EXPORT.len() as u8], EXPORT].concat();
    let head = format!(
        "POST /opentelemetry.proto.collector.logs.v1.LogsService/Export\ncontent-type: application/grpc\n\
         content-length: {}\nuser-agent: Fluent-Bit\nte: trailers",
        frame.len()
    );
    let answer = send(&setup.intake.otlp_grpc_router(), &head, frame).await;
    assert_eq!(
        (answer.status, answer.header("grpc-status"), &answer.body[..]),
        (200, "", &[0; 5][..]),
        "an empty message"
    );
    assert_eq!(setup.bodies(), ["one"]);
}

const SPLUNK: &str = "
    POST /services/collector/event HTTP/1.1
    Host: 127.0.0.1:8088
    Content-Length: LENGTH
    User-Agent: Fluent-Bit
    Authorization: Splunk 11111111-2222-3333-4444-555555555555";

#[tokio::test(flavor = "multi_thread")]
async fn splunk_does_not_say_what_its_body_is() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "splunk-hec").await;
    let body = br#"{"time":1795168800.123456,"event":{"log":"one"}}{"time":1795168801.5,"event":{"log":"two"}}"#;
    let plain = wire.ask(SPLUNK, body).await;
    let packed = wire.ask(&format!("{SPLUNK}\n    Content-Encoding: gzip"), &gzip(body)).await;
    for answer in [plain, packed] {
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"text":"Success","code":0}"#));
    }
    assert_eq!(facts(&setup, &[])[..2], ["1795168800123456000 one", "1795168801500000000 two"]);
    assert_eq!(setup.bodies()[2..], ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn splunk_send_raw_without_an_event_is_told_what_splunk_says() {
    let setup = Setup::new().await;
    let body = br#"{"log":"no envelope"}{"event":"one","time":1795168800}"#;
    let answer = Wire::to(&setup, "splunk-hec").await.ask(SPLUNK, body).await;
    let said = r#"{"text":"Event field is required","code":12,"invalid-event-number":0}"#;
    assert_eq!((answer.status, answer.body.as_str()), (400, said));
    assert_eq!(setup.bodies(), ["one"], "what has an envelope is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn datadog_compresses_an_array() {
    let setup = Setup::new().await;
    let head = "
        POST /api/v2/logs HTTP/1.1
        Host: 127.0.0.1:10518
        Content-Length: LENGTH
        User-Agent: Fluent-Bit
        DD-API-KEY: 0123456789abcdef0123456789abcdef
        Content-Type: application/json
        Content-Encoding: gzip";
    let body =
        br#"[{"timestamp":1795168800123,"ddsource":"web","service":"shop","ddtags":"env:prod","message":"one"}]"#;
    let answer = Wire::to(&setup, "datadog-http").await.ask(head, &gzip(body)).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, "{}"));
    let names = ["service.name", "deployment.environment.name"];
    assert_eq!(facts(&setup, &names), [r#"1795168800123000000 one "shop" "prod""#]);
}

const GELF: &str =
    r#"{"version":"1.1", "short_message":"one", "host":"web-1", "timestamp":1795168800.123, "level":3, "_n":1}"#;

#[tokio::test(flavor = "multi_thread")]
async fn gelf_compresses_datagrams() {
    let setup = Setup::new().await;
    datagrams(&setup, "gelf-udp", &[&gzip(GELF.as_bytes())]).await;
    assert_eq!(facts(&setup, &["host.name", "n"]), [r#"1795168800123000000 one "web-1" 1"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gelf_over_tcp_has_spaces_in_its_json() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "gelf-tcp").await;
    wire.say(format!("{GELF}\0{GELF}\0").as_bytes()).await;
    assert!(wire.end().await.is_empty());
    assert_eq!(facts(&setup, &["n"]), ["1795168800123000000 one 1"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_begins_a_message_with_a_byte_order_mark() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "syslog-tcp").await;
    wire.say("<14>1 2026-11-20T10:00:00.123456Z web-1 shop - - - \u{feff}café\n".as_bytes()).await;
    assert!(wire.end().await.is_empty());
    assert_eq!(facts(&setup, &["host.name"]), [r#"1795168800123456000 café "web-1""#]);
}

/// 1795168800 s and 5 ns, with metadata beside it: `[EventTime, {}]`.
const TIME: &[u8] = b"\x92\xd7\x00\x6b\x00\x1a\x20\x00\x00\x00\x05\x80";
const AT: &str = "1795168800000000005";
/// `{"log": "one"}`.
const ONE: &[u8] = b"\x81\xa3log\xa3one";

fn event(time: &[u8]) -> Vec<u8> {
    [b"\x92".as_slice(), time, ONE].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn http_writes_messagepack_unless_it_is_told_otherwise() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "json-http").await;
    let head = |kind: &str| {
        format!(
            "POST / HTTP/1.1\nHost: 127.0.0.1:5171\nContent-Length: LENGTH\nUser-Agent: Fluent-Bit\n\
             Content-Type: application/{kind}"
        )
    };
    let pair = br#"{"date":1795168800.123456,"log":"one"}"#;
    for (kind, body) in [
        ("msgpack", [event(TIME), event(TIME)].concat()),
        ("json", [b"[".as_slice(), pair, b",", pair, b"]"].concat()),
        ("json", [pair.as_slice(), b"\n", pair, b"\n"].concat()),
        ("json", [pair.as_slice(), pair].concat()),
    ] {
        let answer = wire.ask(&head(kind), &body).await;
        assert!(answer.status == 200 && answer.body.contains(r#""stored":2"#), "{kind}: {}", answer.body);
    }
    let found = facts(&setup, &["fluent.tag"]);
    assert_eq!(found[..2], [format!("{AT} one -"), format!("{AT} one -")]);
    assert_eq!(setup.bodies(), ["one"; 8]);
    let cut = wire.ask(&head("msgpack"), &[event(TIME), event(TIME)[..9].to_vec()].concat()).await;
    assert!(cut.status == 400 && cut.body.contains(r#""stored":1"#), "{}", cut.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_publishes_pairs_of_a_time_and_a_record() {
    let setup = Setup::new().await;
    let payload = Bytes::from_static(br#"[[1795168800.123456,{"tag":"web.access","log":"one"}]]"#);
    let stop = CancellationToken::new();
    assert!(deliver(&setup.intake, (Protocol::Nats, true), vec![payload], &stop).await);
    assert_eq!(facts(&setup, &["tag"]), [r#"1795168800123456000 one "web.access""#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_has_the_time_as_a_number_of_seconds() {
    let setup = Setup::new().await;
    let payload = Bytes::from_static(br#"{"@timestamp":1795168800.123456, "log":"one"}"#);
    let stop = CancellationToken::new();
    assert!(deliver(&setup.intake, (Protocol::Kafka, true), vec![payload], &stop).await);
    assert_eq!(facts(&setup, &[]), ["1795168800123456000 one"]);
}

/// What `chunk` options ask for, and what they are answered.
const CHUNK: &[u8] = b"\xa5chunk\xb05hLB6UQ9n1O2Y3x4";
const ACK: &[u8] = b"\x81\xa3ack\xb05hLB6UQ9n1O2Y3x4";

#[tokio::test(flavor = "multi_thread")]
async fn forward_has_metadata_beside_the_time() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "forward-tcp").await;
    // Forward mode, of two parts; then with options, and compressed.
    wire.say(&[b"\x92\xa3web\x91".as_slice(), &event(TIME)].concat()).await;
    let packed = gzip(&event(TIME));
    wire.say(&[b"\x93\xa3web\xc4".as_slice(), &[packed.len() as u8], &packed].concat()).await;
    wire.say(&[b"\x83\xa4size\x01\xaacompressed\xa4gzip".as_slice(), CHUNK].concat()).await;
    assert_eq!(wire.hear(ACK.len()).await, ACK);
    assert_eq!(facts(&setup, &["fluent.tag"]), [format!("{AT} one \"web\""), format!("{AT} one \"web\"")]);
    assert!(wire.end().await.is_empty(), "what asks for no ack is never answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_metadata_is_kept() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "forward-tcp").await;
    let time = [&TIME[..TIME.len() - 1], b"\x81\xa1k\xa1v"].concat();
    wire.say(&[b"\x93\xa3web\x91".as_slice(), &event(&time), b"\x81", CHUNK].concat()).await;
    assert_eq!(wire.hear(ACK.len()).await, ACK);
    let all = setup.stored("default", |record| format!("{:?}", record.attributes));
    assert!(all[0].contains("fluent.metadata"), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_time_as_integer() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "forward-tcp").await;
    for time in [b"\xce\x6b\x00\x1a\x20".as_slice(), b"\xcf\0\0\0\0\x6b\x00\x1a\x20", b"\x92\xce\x6b\x00\x1a\x20\x80"] {
        wire.say(&[b"\x93\xa3web\x91".as_slice(), &event(time), b"\x81", CHUNK].concat()).await;
        assert_eq!(wire.hear(ACK.len()).await, ACK);
    }
    assert_eq!(facts(&setup, &[]), ["1795168800000000000 one"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_marks_of_groups_are_the_resource_and_no_records() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "forward-tcp").await;
    let resource = b"\x82\xa8resource\x81\xaaattributes\x81\xacservice.name\xa4shop\xa5scope\x81\xa4name\xa3lib";
    let start = [b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x81\xa6schema\xa4otlp".as_slice(), resource].concat();
    let end = b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80".as_slice();
    let events = [&start, event(TIME).as_slice(), end].concat();
    let message = [b"\x93\xa3web\xc4".as_slice(), &[events.len() as u8], &events, b"\x82\xa4size\x01", CHUNK];
    wire.say(&message.concat()).await;
    assert_eq!(wire.hear(ACK.len()).await, ACK);
    assert_eq!(facts(&setup, &["service.name"]), [format!("{AT} one \"shop\"")]);
    assert_eq!(setup.counts(Protocol::Forward).received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_signals_that_are_no_logs_are_acked_and_counted() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "forward-tcp").await;
    for signal in [1, 2] {
        let message = [b"\x93\xa3web\xc4\x03\x01\x02\x03\x82\xadfluent_signal".as_slice(), &[signal], CHUNK];
        wire.say(&message.concat()).await;
        assert_eq!(wire.hear(ACK.len()).await, ACK, "or it would send them for ever");
    }
    wire.say(&[b"\x93\xa3web\x91".as_slice(), &event(TIME), b"\x82\xadfluent_signal\x00", CHUNK].concat()).await;
    assert_eq!(wire.hear(ACK.len()).await, ACK);
    assert_eq!(setup.bodies(), ["one"]);
    let counts = setup.counts(Protocol::Forward);
    assert_eq!((counts.received, counts.stored, counts.rejected), (3, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_salt_is_no_text_and_the_password_is_filled_in_though_nobody_asks() {
    let security = ForwardSecurity { shared_key: Secret::new("key"), users: Vec::new() };
    let setup = Setup::with(IntakeOptions { forward: Some(security), ..options() }).await;
    let mut wire = Wire::to(&setup, "forward-tcp").await;
    // The server speaks first.
    let helo = wire.hear(49).await;
    assert!(
        helo.starts_with(b"\x92\xa4HELO\x83\xa5nonce\xc4\x10") && helo.ends_with(b"\xa4auth\xc4\x00\xa9keepalive\xc3")
    );
    let salt = [0xff, 0xfe, 0, 1, 2, 3, 0x80, 0xc3, 0x28, 9, 10, 11, 12, 13, 0xed, 0xa0];
    let digest = |parts: &[&[u8]]| hex::encode(Sha512::digest(parts.concat()));
    let key = digest(&[&salt, b"web-1", &helo[15..31], b"key"]);
    let password = digest(&[]);
    let ping = [
        b"\x96\xa4PING\xa5web-1\xb0".as_slice(),
        &salt,
        b"\xd9\x80",
        key.as_bytes(),
        b"\xa0\xd9\x80",
        password.as_bytes(),
    ];
    wire.say(&ping.concat()).await;
    let expected = digest(&[&salt, b"logkeep", &helo[15..31], b"key"]);
    let pong = [b"\x95\xa4PONG\xc3\xa0\xa7logkeep\xd9\x80", expected.as_bytes()].concat();
    assert_eq!(wire.hear(pong.len()).await, pong);
    wire.say(&[b"\x93\xa3web\x91".as_slice(), &event(TIME), b"\x81", CHUNK].concat()).await;
    assert_eq!(wire.hear(ACK.len()).await, ACK);
    assert_eq!(setup.bodies(), ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_connections_without_a_byte_are_no_fault() {
    let security = ForwardSecurity { shared_key: Secret::new("key"), users: Vec::new() };
    for forward in [None, Some(security)] {
        let is_silent = forward.is_none();
        let setup = Setup::with(IntakeOptions { forward, ..options() }).await;
        let said = Wire::to(&setup, "forward-tcp").await.end().await;
        assert_eq!(said.is_empty(), is_silent, "who is not asked for a key hears nothing");
        let ended = || setup.intake.counters().iter().all(|counts| counts.connections == 0);
        wait_until("the connection ends", ended).await;
        assert_eq!(setup.counts(Protocol::Forward).refused, 0);
    }
}
