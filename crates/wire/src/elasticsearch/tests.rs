use logkeep_record::{Resource, json};
use proptest::prelude::*;

use super::*;

/// One line an item: the answer's view of what was decoded.
fn render(body: &[u8], default_index: Option<&str>) -> String {
    let resource = Resource::from_attributes(Vec::new());
    let items = match decode(body, default_index) {
        Ok(items) => items,
        Err(error) => return error.to_string(),
    };
    let mut lines = Vec::new();
    for item in &items {
        lines.push(match item {
            Item::Document(document) => match document.record(7, &resource) {
                Ok(record) => {
                    let mut text = format!("{} {} {:?} ", document.action.name(), document.index, document.id);
                    json::write(&record.body, &mut text);
                    text
                }
                Err(error) => format!("{} {}", error.status, error),
            },
            Item::Rejected(rejected) => format!("{} {:?} {}", rejected.action.name(), rejected.id, rejected.error),
        });
    }
    lines.join("\n")
}

fn check(body: &str, default_index: Option<&str>, expected: &[&str]) {
    assert_eq!(render(body.as_bytes(), default_index), expected.join("\n"), "{body}");
}

#[test]
fn framing_of_real_senders() {
    // elasticsearch-py; then rsyslog with an empty line after each document; then without the final line feed.
    check(
        "{\"create\":{\"_index\":\"a\"}}\n{\"x\":1}\n{\"create\":{\"_index\":\"a\"}}\n{\"x\":2}\n",
        None,
        &["create a None {\"x\":1}", "create a None {\"x\":2}"],
    );
    check(
        "{\"index\":{\"_index\": \"system\",\"_type\":\"_doc\"}}\n{\"x\":1}\n\n{\"index\":{}}\n{\"x\":2}\n\n",
        Some("d"),
        &["index system None {\"x\":1}", "index d None {\"x\":2}"],
    );
    check(
        "{\"index\":{\"_id\":\"7\",\"routing\":\"r\"}}\r\n{\"x\":\"\\u00e9\"}",
        Some("d"),
        &["index d Some(\"7\") {\"x\":\"é\"}"],
    );
}

#[test]
fn items_fail_alone() {
    check(
        "{\"delete\":{\"_id\":\"1\"}}\n{\"update\":{\"_id\":\"2\"}}\n{\"doc\":{}}\n{\"index\":{}}\n{\"ok\":true}\n",
        Some("d"),
        &[
            "delete Some(\"1\") illegal_argument_exception: [delete] is not supported: records are never changed; use [create] or [index]",
            "update Some(\"2\") illegal_argument_exception: [update] is not supported: records are never changed; use [create] or [index]",
            "index d None {\"ok\":true}",
        ],
    );
    check(
        "{\"index\":{}}\n[1]\n{\"index\":{}}\n{\"a\":\n{\"index\":{}}\n{\"b\":1}\n{\"index\":{}}",
        Some("d"),
        &[
            "400 document_parsing_exception: the document is not a JSON object",
            "400 document_parsing_exception: the document is not JSON at byte 4: EOF while parsing",
            "index d None {\"b\":1}",
            "index None document_parsing_exception: the document is missing",
        ],
    );
    check("{\"index\":{}}\n{}\n", None, &["index None action_request_validation_exception: index is missing"]);
}

#[test]
fn requests_that_fail_whole() {
    check("\n \n", None, &["the request body is empty: a bulk request has at least one action line"]);
    let malformed = "malformed action/metadata line [3]: ";
    for (line, what) in [
        ("{\"put\":{}}", "the action must be one of index, create, update, delete"),
        ("{\"index\":{},\"create\":{}}", "it must hold exactly one action"),
        ("{\"index\":[]}", "the parameters of [index] must be a JSON object"),
        ("{\"index\":{\"_id\":[]}}", "[_id] must be a string"),
        ("[]", "it is not a JSON object"),
    ] {
        check(&format!("{{\"index\":{{}}}}\n{{}}\n{line}\n{{}}\n"), Some("d"), &[&format!("{malformed}{what}")]);
    }
}

#[test]
fn bytes_that_are_not_utf8_cost_only_their_document() {
    let body = b"{\"index\":{}}\n{\"m\":\"\xe9\"}\n{\"index\":{}}\n{\"m\":\"e\"}\n";
    assert_eq!(render(body, Some("d")), "index d None {\"m\":\"\u{fffd}\"}\nindex d None {\"m\":\"e\"}");
}

#[test]
fn answers() {
    let items = [
        ItemAnswer {
            action: Action::Create,
            index: "d".into(),
            outcome: Outcome::Stored { id: "x".into(), version: 1 },
        },
        ItemAnswer {
            action: Action::Index,
            index: "d".into(),
            outcome: Outcome::Failed { id: None, error: ItemError::conflict("x") },
        },
    ];
    let answer = |items: &[ItemAnswer<'_>], filter| {
        String::from_utf8(bulk_answer(3, items, &FilterPath::parse(filter))).unwrap()
    };
    let stored = r#"{"create":{"_index":"d","_id":"x","_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},"status":201}}"#;
    let failed = r#"{"index":{"_index":"d","_id":null,"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[x]: version conflict, document already exists"}}}"#;
    assert_eq!(answer(&items, ""), format!(r#"{{"errors":true,"took":3,"items":[{stored},{failed}]}}"#));
    assert_eq!(answer(&items[..1], ""), format!(r#"{{"errors":false,"took":3,"items":[{stored}]}}"#));
    assert_eq!(
        answer(&items, "errors,items.*.error,items.*.status"),
        r#"{"errors":true,"items":[{"create":{"status":201}},{"index":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[x]: version conflict, document already exists"}}}]}"#
    );
    assert_eq!(answer(&items[..1], "items.*.error"), "{}");
    assert_eq!(answer(&items[..1], "items.*._id"), r#"{"items":[{"create":{"_id":"x"}}]}"#);
    let error = String::from_utf8(error_body(400, "t", "r")).unwrap();
    assert_eq!(error, r#"{"error":{"root_cause":[{"type":"t","reason":"r"}],"type":"t","reason":"r"},"status":400}"#);
}

#[test]
fn setup_answers_are_json_with_what_clients_read() {
    let identity =
        Identity { node: "n".into(), cluster: "c".into(), cluster_uuid: "u".into(), version: "8.17.0".into() };
    for (body, part) in [
        (info(&identity), r#""number":"8.17.0","build_flavor":"default""#),
        (license(&identity), r#""status":"active""#),
        (cluster_health(&identity, true), r#""status":"green""#),
        (cat_health(&identity, false, 60, true), r#""timestamp":"00:01:00","cluster":"c","status":"red""#),
        (nodes_http(&identity, "127.0.0.1:9200"), r#""publish_address":"127.0.0.1:9200""#),
        (index_templates(&[("t", r#"{"a":1}"#)]), r#"{"name":"t","index_template":{"a":1}}"#),
        (ilm_policies(&[("p", r#"{"policy":{}}"#)]), r#"{"p":{"version":1,"policy":{}}}"#),
        (pipelines(&[("p", "junk")]), r#"{"p":{}}"#),
        (data_streams(&["logs-a-b"]), r#""name":"logs-a-b""#),
        (mapping(&["i"]), r#"{"i":{"mappings":"#),
        (not_found("pipeline", "p"), r#""reason":"pipeline matching [p] not found""#),
        (ACKNOWLEDGED.to_vec(), r#"{"acknowledged":true}"#),
    ] {
        let text = String::from_utf8(body).unwrap();
        assert!(json::parse(&text).is_ok() && text.contains(part), "{text} has no {part}");
    }
    assert!(cat_health(&identity, true, 60, false).starts_with(b"60 00:01:00 c green 1 1"));
}

proptest! {
    #[test]
    fn junk_never_panics(lines in proptest::collection::vec("[{}a-z\":\\[\\]\\n\\\\ ]{0,30}", 0..12)) {
        render(lines.join("\n").as_bytes(), Some("d"));
    }

    #[test]
    fn as_many_items_as_were_sent(documents in proptest::collection::vec(0..4usize, 1..30)) {
        let body: String = documents.iter().map(|which| ["{\"index\":{}}\n{\"a\":1}\n", "{\"create\":{\"_id\":\"1\"}}\n[]\n",
            "{\"delete\":{\"_id\":\"1\"}}\n", "{\"index\":{}}\n{\"a\":1}\n\n"][*which]).collect();
        prop_assert_eq!(decode(body.as_bytes(), Some("d")).unwrap().len(), documents.len());
    }
}
