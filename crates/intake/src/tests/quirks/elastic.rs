//! Filebeat 8 (and other Beats) and Logstash 8.

use std::io::Write;

use super::{Wire, facts};
use crate::Protocol;
use crate::tests::{Setup, gzip};

/// Requests of one connection: the first line, the body, and the status and a part of the answer.
async fn check(wire: &mut Wire, agent: &str, requests: &[(&str, &str, u16, &str)]) {
    for (line, body, status, part) in requests {
        let length = if body.is_empty() { "" } else { "\nContent-Type: application/json\nContent-Length: LENGTH" };
        let head =
            format!("{line} HTTP/1.1\nHost: 127.0.0.1:9200\nUser-Agent: {agent}\nAccept: application/json{length}");
        let answer = wire.ask(&head, body.as_bytes()).await;
        assert_eq!(answer.status, *status, "{line}: {}", answer.body);
        assert!(answer.body.contains(part), "{line}: {}", answer.body);
        assert!(answer.head.contains("\r\nx-elastic-product: elasticsearch\r\n"), "{line}: {}", answer.head);
    }
}

const FILEBEAT: &str = "Elastic-filebeat/8.17.0 (linux; amd64)";
const EVENT: &str = concat!(
    r#"{"@timestamp":"2026-11-20T10:00:00.123Z","agent":{"name":"web-1","type":"filebeat","version":"8.17.0"},"#,
    r#""host":{"name":"web-1"},"log":{"file":{"path":"/var/log/app.log"},"offset":0},"message":"one"}"#,
);

#[tokio::test(flavor = "multi_thread")]
async fn filebeat_asks_who_we_are_and_sets_up_before_it_sends() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "elasticsearch").await;
    let bulk = format!("{{\"create\":{{\"_index\":\"filebeat-8.17.0\"}}}}\n{EVENT}\n");
    let requests = [
        // On each connect: an older server than itself is refused, and another flavor is spoken to in another way.
        ("GET /", "", 200, r#""number":"8.17.0","build_flavor":"default""#),
        // Anything but 200 and it sends nothing.
        ("GET /_license?human=false", "", 200, r#""license":{"status":"active","uid":""#),
        ("GET /_ilm/policy/filebeat", "", 404, "resource_not_found_exception"),
        (
            "PUT /_ilm/policy/filebeat",
            r#"{"policy":{"phases":{"hot":{"actions":{}}}}}"#,
            200,
            r#"{"acknowledged":true}"#,
        ),
        ("GET /_ilm/policy/filebeat", "", 200, r#""phases""#),
        ("HEAD /_index_template/filebeat-8.17.0", "", 404, ""),
        ("PUT /_index_template/filebeat-8.17.0", r#"{"data_stream":{}}"#, 200, r#"{"acknowledged":true}"#),
        ("HEAD /_index_template/filebeat-8.17.0", "", 200, ""),
        ("GET /_data_stream/filebeat-8.17.0", "", 404, "resource_not_found_exception"),
        ("PUT /_data_stream/filebeat-8.17.0", "", 200, r#"{"acknowledged":true}"#),
        ("GET /_data_stream/filebeat-8.17.0", "", 200, r#""name":"filebeat-8.17.0""#),
        ("GET /_ingest/pipeline/filebeat-8.17.0-nginx-access", "", 404, "resource_not_found_exception"),
        ("PUT /_ingest/pipeline/filebeat-8.17.0-nginx-access", r#"{"processors":[]}"#, 200, r#"{"acknowledged":true}"#),
        ("GET /_ingest/pipeline/filebeat-8.17.0-nginx-access", "", 200, "processors"),
        ("POST /_bulk", bulk.as_str(), 200, r#"{"errors":false,"#),
    ];
    check(&mut wire, FILEBEAT, &requests).await;
    assert_eq!(
        facts(&setup, &["host.name", "log.file.path"]),
        [r#"1795168800123000000 one "web-1" "/var/log/app.log""#]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filebeat_asks_for_no_more_of_the_answer_than_it_reads() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "elasticsearch").await;
    let line = "POST /_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status";
    let good = format!("{{\"create\":{{\"_index\":\"filebeat-8.17.0\"}}}}\n{EVENT}\n");
    let bad = good.clone() + "{\"create\":{\"_index\":\"filebeat-8.17.0\"}}\n[]\n";
    let said = r#"{"errors":false,"items":[{"create":{"status":201}}]}"#;
    check(&mut wire, FILEBEAT, &[(line, good.as_str(), 200, said)]).await;
    let said = concat!(
        r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":"#,
        r#""document_parsing_exception","reason":"the document is not a JSON object"}}}]}"#,
    );
    check(&mut wire, FILEBEAT, &[(line, bad.as_str(), 200, said)]).await;
    assert_eq!(setup.bodies(), ["one", "one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filebeat_7_looks_for_the_alias_that_it_writes_to() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "elasticsearch").await;
    let index = r#"{"aliases":{"filebeat-7.17.0":{"is_write_index":true}}}"#;
    let requests = [
        ("GET /_xpack", "", 200, "license"),
        ("HEAD /_template/filebeat-7.17.0", "", 404, ""),
        ("PUT /_template/filebeat-7.17.0", r#"{"index_patterns":["filebeat-7.17.0-*"]}"#, 200, "acknowledged"),
        ("HEAD /_alias/filebeat-7.17.0", "", 404, ""),
        ("PUT /%3Cfilebeat-7.17.0-%7Bnow%2Fd%7D-000001%3E", index, 200, "acknowledged"),
        ("HEAD /_alias/filebeat-7.17.0", "", 200, ""),
        ("GET /_alias/filebeat-7.17.0", "", 200, "filebeat-7.17.0"),
        ("PUT /filebeat-000001/_alias/other", "{}", 200, "acknowledged"),
        ("HEAD /_alias/other", "", 200, ""),
        ("HEAD /_alias/none", "", 404, ""),
    ];
    check(&mut wire, "Elastic-filebeat/7.17.0 (linux; amd64)", &requests).await;
}

const LOGSTASH: &str = "Logstash/8.17.0 (OS=Linux; JVM=21) logstash-output-elasticsearch/11.22.10";

#[tokio::test(flavor = "multi_thread")]
async fn logstash_asks_and_sets_up_before_it_sends_and_asks_again() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "elasticsearch").await;
    let index = r#"{"aliases":{"logstash":{"is_write_index":true}}}"#;
    let requests = [
        ("HEAD /", "", 200, ""),
        ("GET /", "", 200, r#""number":"8.17.0""#),
        ("GET /_license", "", 200, r#""status":"active""#),
        ("HEAD /_index_template/ecs-logstash", "", 404, ""),
        ("PUT /_index_template/ecs-logstash", r#"{"index_patterns":["ecs-logstash-*"]}"#, 200, "acknowledged"),
        ("GET /_ilm/policy/logstash-policy", "", 404, "resource_not_found_exception"),
        ("PUT /_ilm/policy/logstash-policy", r#"{"policy":{"phases":{}}}"#, 200, "acknowledged"),
        ("HEAD /logstash", "", 404, ""),
        ("PUT /%3Clogstash-%7Bnow%2Fd%7D-000001%3E", index, 200, "acknowledged"),
        // Or it would be put again at each start.
        ("HEAD /logstash", "", 200, ""),
        ("HEAD /", "", 200, ""),
    ];
    check(&mut wire, LOGSTASH, &requests).await;
    let head = format!(
        "POST /_bulk?filter_path=errors,items.*.error,items.*.status HTTP/1.1\nHost: 127.0.0.1:9200\nUser-Agent: {LOGSTASH}\n\
         Content-Type: application/json\nContent-Encoding: gzip\nContent-Length: LENGTH"
    );
    let body = "{\"index\":{\"_id\":null,\"_index\":\"logstash\",\"routing\":null}}\n\
                {\"@timestamp\":\"2026-11-20T10:00:00.123456789Z\",\"@version\":\"1\",\"message\":\"one\"}\n";
    let answer = wire.ask(&head, &gzip(body.as_bytes())).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"errors":false,"items":[{"index":{"status":201}}]}"#));
    assert_eq!(facts(&setup, &[]), ["1795168800123456789 one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logstash_that_sniffs_stays_where_it_is() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "elasticsearch").await;
    check(&mut wire, LOGSTASH, &[("GET /_nodes/http", "", 200, r#""publish_address":"127.0.0.1:9200""#)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logstash_over_http_and_tcp() {
    let setup = Setup::new().await;
    let mut http = Wire::to(&setup, "json-http").await;
    let head = "
        POST /any/path HTTP/1.1
        Connection: Keep-Alive
        Content-Type: application/json
        Content-Length: LENGTH
        Host: 127.0.0.1:5171
        User-Agent: Logstash/8.17.0";
    let event = r#"{"@timestamp":"2026-11-20T10:00:00.123456789Z","@version":"1","message":"one"}"#;
    // `json`, `json_batch`, and lines over TCP.
    assert_eq!(http.ask(head, event.as_bytes()).await.status, 200);
    assert_eq!(http.ask(head, format!("[{event},{event}]").as_bytes()).await.status, 200);
    let mut tcp = Wire::to(&setup, "json-tcp").await;
    tcp.say(format!("{event}\n{event}\n").as_bytes()).await;
    assert!(tcp.end().await.is_empty());
    assert_eq!(facts(&setup, &[]), ["1795168800123456789 one"; 5]);
}

/// A frame with an event of this number.
fn frame(number: u32, message: &str) -> Vec<u8> {
    let json = format!(
        r#"{{"@timestamp":"2026-11-20T10:00:00.123Z","@metadata":{{"beat":"filebeat","type":"_doc","version":"8.17.0","pipeline":"p"}},"agent":{{"name":"web-1","type":"filebeat"}},"message":"{message}"}}"#
    );
    [b"2J".as_slice(), &number.to_be_bytes(), &(json.len() as u32).to_be_bytes(), json.as_bytes()].concat()
}

/// A window of these frames, compressed at Filebeat's level.
fn window(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(3));
    zlib.write_all(&frames.concat()).unwrap();
    let packed = zlib.finish().unwrap();
    let head = [b"2W".as_slice(), &(frames.len() as u32).to_be_bytes(), b"2C", &(packed.len() as u32).to_be_bytes()];
    [&head.concat()[..], &packed].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn filebeat_sends_a_second_window_before_the_first_is_acked() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "beats").await;
    let windows = [window(&[frame(1, "one"), frame(2, "two")]), window(&[frame(1, "three")])];
    wire.say(&windows.concat()).await;
    assert_eq!(wire.hear(12).await, b"2A\0\0\0\x022A\0\0\0\x01", "numbers begin anew in each window");
    assert_eq!(setup.bodies(), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filebeat_metadata_is_for_routing_and_no_part_of_the_record() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "beats").await;
    wire.say(&window(&[frame(1, "one")])).await;
    assert_eq!(wire.hear(6).await, b"2A\0\0\0\x01");
    let said = setup.stored("default", |record| format!("{:?} {:?}", record.body, record.attributes));
    assert!(!said[0].contains("pipeline") && !said[0].contains("@metadata"), "{said:?}");
    let sources: Vec<_> = setup.ledger().await.into_iter().map(|(source, _)| source.sender).collect();
    assert_eq!(sources, [Some("web-1".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filebeat_sends_again_what_was_not_acked() {
    let setup = Setup::new().await;
    let whole = window(&[frame(1, "one"), frame(2, "two")]);
    let mut wire = Wire::to(&setup, "beats").await;
    wire.say(&whole[..whole.len() - 5]).await;
    assert!(wire.end().await.is_empty(), "of a window that broke off nothing is acked");
    assert!(setup.bodies().is_empty());
    let mut again = Wire::to(&setup, "beats").await;
    again.say(&whole).await;
    assert_eq!(again.hear(6).await, b"2A\0\0\0\x02");
    assert_eq!(setup.bodies(), ["one", "two"]);
    assert_eq!(setup.counts(Protocol::Beats).stored, 2);
}
