use serde_json::{Value, json};

use super::{Answered, Setup, gzip, options, send};
use crate::{IntakeOptions, Protocol};

async fn bulk(setup: &Setup, body: &str) -> Answered {
    send(&setup.intake.elasticsearch_router(), "POST /_bulk", body.to_owned()).await
}

/// `op status` of each item.
fn items(answer: &Answered) -> Vec<String> {
    let answer = answer.json();
    let item = |item: &Value| {
        let (op, item) = item.as_object().unwrap().iter().next().unwrap();
        let id = item["_id"].as_str().unwrap_or("null");
        format!("{op} {id} {} {}", item["status"], item["error"]["type"].as_str().unwrap_or("ok"))
    };
    answer["items"].as_array().unwrap().iter().map(item).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_answered_in_their_order() {
    let setup = Setup::new().await;
    let body = concat!(
        "{\"create\":{\"_index\":\"web\",\"_id\":\"a\"}}\n{\"message\":\"one\"}\n\n",
        "{\"delete\":{\"_index\":\"web\",\"_id\":\"a\"}}\n",
        "{\"index\":{\"_index\":\"web\"}}\nnot json\n",
        "{\"index\":{\"_index\":\"web\"}}\n{\"message\":\"two \\u00e9\"}\n",
        "{\"create\":{\"_index\":\"web\",\"_id\":\"a\"}}\n{\"message\":\"one\"}\n",
    );
    let answer = bulk(&setup, body).await;
    assert_eq!((answer.status, answer.header("x-elastic-product")), (200, "Elasticsearch"));
    let expected = [
        "create a 201 ok",
        "delete a 400 illegal_argument_exception",
        "index null 400 document_parsing_exception",
        "index default.0.1 201 ok",
        "create a 409 version_conflict_engine_exception",
    ];
    assert_eq!(items(&answer), expected);
    assert_eq!(answer.json()["errors"], true);
    assert_eq!(setup.bodies(), ["one", "two é"]);
    let counts = setup.counts(Protocol::Elasticsearch);
    assert_eq!((counts.received, counts.stored, counts.deduplicated, counts.rejected), (5, 2, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_is_stored_once_unless_it_changed() {
    let setup = Setup::new().await;
    let create = "{\"create\":{\"_index\":\"web\",\"_id\":\"a\"}}\n{\"message\":\"one\"}\n";
    let index = create.replace("create", "index");
    let changed = index.replace("one", "two");
    for (body, expected) in [
        (create, "create a 201 ok"),
        (create, "create a 409 version_conflict_engine_exception"),
        (&index, "index a 200 ok"),
        (&changed, "index a 200 ok"),
        (&changed, "index a 200 ok"),
        (&index, "index a 200 ok"),
    ] {
        assert_eq!(items(&bulk(&setup, body).await), [expected]);
    }
    assert_eq!(setup.bodies(), ["one", "two", "one"]);
    let twice = [changed.as_str(), &index, &index].concat().replace("\"a\"", "\"b\"");
    assert_eq!(items(&bulk(&setup, &twice).await), ["index b 201 ok", "index b 200 ok", "index b 200 ok"]);
    assert_eq!(setup.bodies()[3..], ["two", "one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_known_after_a_restart_however_they_are_put_into_requests() {
    let mut setup = Setup::new().await;
    let line = |action: &str, id: u32, text: &str| {
        format!("{{\"{action}\":{{\"_index\":\"web\",\"_id\":\"{id}\"}}}}\n{{\"message\":\"{id} {text}\"}}\n")
    };
    let body: String = (0..10).map(|id| line("create", id, "a")).collect();
    assert!(items(&bulk(&setup, &body).await).iter().all(|item| item.ends_with("201 ok")));
    assert_eq!(items(&bulk(&setup, &line("index", 3, "b")).await), ["index 3 200 ok"]);
    for is_flushed in [false, true] {
        if is_flushed {
            setup.ingest.close();
        }
        setup = setup.restarted(options()).await;
        let again = [line("create", 7, "a"), line("index", 3, "b"), line("create", 3, "a"), line("index", 8, "a")];
        let expected = [
            "create 7 409 version_conflict_engine_exception",
            "index 3 200 ok",
            "create 3 409 version_conflict_engine_exception",
            "index 8 200 ok",
        ];
        assert_eq!(items(&bulk(&setup, &again.concat()).await), expected);
        let counts = setup.counts(Protocol::Elasticsearch);
        // The third has the id of a document with other content.
        assert_eq!((counts.stored, counts.deduplicated, counts.rejected), (0, 3, 1));
        let elsewhere = bulk(&setup, &line("create", 7, "a").replace("web", "db")).await;
        let expected = if is_flushed { "create 7 409 version_conflict_engine_exception" } else { "create 7 201 ok" };
        assert_eq!(items(&elsewhere), [expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_documents_that_are_forgotten_is_known_by_its_key() {
    let few = || IntakeOptions { dedupe_documents: 1, ..options() };
    let setup = Setup::with(few()).await;
    let create = "{\"create\":{\"_index\":\"web\",\"_id\":\"a\"}}\n{\"message\":\"one\"}\n";
    assert_eq!(items(&bulk(&setup, create).await), ["create a 201 ok"]);
    assert_eq!(items(&bulk(&setup, &create.replace("\"a\"", "\"b\"")).await), ["create b 201 ok"]);
    let setup = setup.restarted(few()).await;
    assert_eq!(items(&bulk(&setup, create).await), ["create a 409 version_conflict_engine_exception"]);
    assert_eq!(setup.bodies().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_a_request_under_way_waits_for_it() {
    let setup = Setup::new().await;
    let router = setup.intake.elasticsearch_router();
    let line = |n| format!("{{\"create\":{{\"_index\":\"web\",\"_id\":\"{n}\"}}}}\n{{\"message\":\"{n}\"}}\n");
    let body: String = (0..500).map(line).collect();
    let sending = || send(&router, "POST /_bulk", body.clone());
    let answers = tokio::join!(sending(), sending(), sending());
    let created = |answer: &Answered| items(answer).iter().filter(|item| item.ends_with("201 ok")).count();
    assert_eq!(created(&answers.0) + created(&answers.1) + created(&answers.2), 500);
    assert_eq!(setup.bodies().len(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_both_ways_and_filtered() {
    let setup = Setup::new().await;
    let router = setup.intake.elasticsearch_router();
    let body = "{\"index\":{}}\n{\"message\":\"x\"}\n".repeat(100);
    let head = "PUT /logs-a.b-default/_bulk\ncontent-encoding: gzip\naccept-encoding: gzip, deflate";
    let answer = send(&router, head, gzip(body.as_bytes())).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
    let plain = logkeep_wire::compress::decompress(&answer.body, "gzip", 1 << 20).unwrap().into_owned();
    let answer: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(answer["items"].as_array().unwrap().len(), 100);
    assert_eq!(answer["items"][7]["index"]["_index"], "logs-a.b-default");
    let answer = send(&router, "POST /web/_bulk?filter_path=errors,items.*.error,items.*.status", body).await;
    assert_eq!(answer.json()["items"][0], json!({"index": {"status": 201}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_errors_in_the_form_of_the_product() {
    let setup = Setup::new().await;
    let router = setup.intake.elasticsearch_router();
    let bomb = gzip(&vec![b' '; 8 << 20]);
    for (head, body, status) in [
        ("POST /_bulk", vec![b'x'; (1 << 20) + 1], 413),
        ("POST /_bulk\ncontent-encoding: gzip", bomb, 413),
        ("POST /_bulk\ncontent-encoding: br", b"{}".to_vec(), 415),
        ("POST /_bulk", b"{\"index\":{\"_index\":\"a\"}\n{}\n".to_vec(), 400),
        ("POST /_bulk", Vec::new(), 400),
        ("POST /_bulk\nx-logkeep-tenant: nobody", b"{\"index\":{\"_index\":\"a\"}}\n{\"m\":1}\n".to_vec(), 401),
        ("POST /web/_search", Vec::new(), 400),
        ("GET /_bulk?a=%ff%", Vec::new(), 400),
    ] {
        let answer = send(&router, head, body).await;
        assert_eq!((answer.status, answer.header("x-elastic-product")), (status, "Elasticsearch"), "{head}");
        assert_eq!(answer.json()["status"], status, "{head}");
        assert_ne!(answer.json()["error"]["type"], "", "{head}");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401, "{head}");
    }
    assert!(setup.bodies().is_empty());
    setup.ingest.close();
    let answer = bulk(&setup, "{\"index\":{\"_index\":\"a\"}}\n{\"m\":1}\n").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "2"));
    assert_eq!(setup.counts(Protocol::Elasticsearch).deferred, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_set_up_is_found_again() {
    let setup = Setup::with(IntakeOptions { elasticsearch_version: "9.1.0".into(), ..options() }).await;
    let router = setup.intake.elasticsearch_router();
    for (head, body, status, contains) in [
        ("HEAD /", "", 200, ""),
        ("GET /", "", 200, "\"number\":\"9.1.0\""),
        ("GET /_license?human=false", "", 200, "\"active\""),
        ("GET /_cluster/health", "", 200, "\"green\""),
        ("GET /_cat/health", "", 200, " green "),
        ("GET /_nodes/http\nhost: logs.example:9200", "", 200, "logs.example:9200"),
        ("GET /_ilm/policy/filebeat", "", 404, "not found"),
        ("PUT /_ilm/policy/filebeat", "{\"policy\":{\"phases\":{}}}", 200, "acknowledged"),
        ("GET /_ilm/policy/filebeat", "", 200, "phases"),
        ("HEAD /_index_template/filebeat-8", "", 404, ""),
        ("PUT /_index_template/filebeat-8", "{\"index_patterns\":[\"f*\"]}", 200, "acknowledged"),
        ("GET /_index_template/filebeat-*", "", 200, "index_patterns"),
        ("HEAD /_index_template/filebeat-8\nx-logkeep-tenant: team-a", "", 404, ""),
        ("PUT /_data_stream/filebeat-8", "", 200, "acknowledged"),
        ("GET /_data_stream/filebeat-8", "", 200, "GREEN"),
        ("PUT /_ingest/pipeline/p", "{\"processors\":[]}", 200, "acknowledged"),
        ("GET /_ingest/pipeline/p", "", 200, "processors"),
        ("DELETE /_ingest/pipeline/p", "", 200, "acknowledged"),
        ("GET /_ingest/pipeline/p", "", 404, "not found"),
        ("GET /?filter_path=version.number", "", 200, "{\"version\":{\"number\":\"9.1.0\"}}"),
    ] {
        let answer = send(&router, head, body).await;
        assert_eq!((answer.status, answer.header("x-elastic-product")), (status, "Elasticsearch"), "{head}");
        assert!(answer.text().contains(contains), "{head}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_documents_also_under_a_prefix() {
    let setup = Setup::new().await;
    let router = setup.intake.elasticsearch_router_at("/es");
    for (head, body, status, result) in [
        ("POST /es/web/_doc", "{\n \"message\": \"a\"\n}", 201, "created"),
        ("PUT /es/web/_doc/1", "{\"message\":\"b\"}", 201, "created"),
        ("PUT /es/web/_doc/1", "{\"message\":\"c\"}", 200, "updated"),
        ("PUT /es/web/_create/1", "{\"message\":\"d\"}", 409, ""),
        ("POST /es/web/_doc", "[]", 400, ""),
    ] {
        let answer = send(&router, head, body).await;
        assert_eq!((answer.status, answer.json()["result"].as_str().unwrap_or("")), (status, result), "{head}");
    }
    assert_eq!(setup.bodies(), ["a", "b", "c"]);
    assert_eq!(send(&router, "GET /es/", "").await.status, 200);
    assert_eq!(send(&router, "GET /es", "").await.status, 200);
}
