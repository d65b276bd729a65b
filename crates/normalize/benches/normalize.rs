//! Time to normalise one record, parsing of its JSON aside: `cargo bench -p logkeep-normalize`.

use divan::{Bencher, counter::ItemsCount};
use logkeep_normalize::{Arrival, Normalizer};
use logkeep_record::{Record, Resource, Value, json};

fn main() {
    divan::main();
}

const ENVOY_JSON: &str = r#"{"authority":"reviews:9080","bytes_received":0,"bytes_sent":379,"connection_termination_details":null,"downstream_local_address":"10.96.12.9:9080","downstream_remote_address":"10.244.1.5:41234","duration":17,"kubernetes.container_name":"istio-proxy","kubernetes.host":"node-3","kubernetes.labels.app":"productpage","kubernetes.namespace_name":"shop","kubernetes.pod_name":"productpage-v1-6d5f8c9b7d-x2x9z","method":"GET","path":"/reviews/0?full=1","protocol":"HTTP/1.1","request_id":"5f2b6c1e-0d55-9e1f-8a8e-1b9d5f0a7c11","requested_server_name":null,"response_code":200,"response_code_details":"via_upstream","response_flags":"-","route_name":"default","start_time":"2026-11-20T10:00:00.123Z","upstream_cluster":"outbound|9080||reviews.shop.svc.cluster.local","upstream_host":"10.244.2.7:9080","upstream_local_address":"10.244.1.5:50000","upstream_service_time":"12","upstream_transport_failure_reason":null,"user_agent":"Mozilla/5.0 (X11; Linux x86_64)","x_forwarded_for":null}"#;
const ENVOY_TEXT: &str = r#"[2026-11-20T10:00:00.123Z] "POST /pay HTTP/2" 200 - 5 6 7 4 "-" "grpc-go/1.60" "rid-2" "pay:50051" "10.0.0.7:50051""#;
const PLAIN: &str = "the quick brown fox jumps over the lazy dog and waits for the connection to be closed by its peer";

fn run(bencher: Bencher<'_, '_>, line: &str) {
    let mut normalizer = Normalizer::new(Arrival { protocol: "ndjson", source: "127.0.0.1".into() });
    let resource = Resource::from_attributes(Vec::new());
    bencher
        .counter(ItemsCount::new(1usize))
        .with_inputs(|| {
            let body = json::parse(line).unwrap_or(Value::str(line));
            let mut record = Record::new(1_795_168_860_000_000_000, body, resource.clone());
            record.original = matches!(record.body, Value::Map(_)).then(|| line.into());
            record
        })
        .bench_local_values(|record| normalizer.normalize(record));
}

#[divan::bench]
fn envoy_json(bencher: Bencher<'_, '_>) {
    run(bencher, ENVOY_JSON);
}

#[divan::bench]
fn envoy_text(bencher: Bencher<'_, '_>) {
    run(bencher, ENVOY_TEXT);
}

#[divan::bench]
fn plain_text(bencher: Bencher<'_, '_>) {
    run(bencher, PLAIN);
}
