//! Figures of calls over live rows, over segments, and over both.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use logkeep_access::{Access, Action, Identity, Rules};
use logkeep_ingest::{BatchBuilder, Ingest};
use logkeep_normalize::{Arrival, Normalizer};
use logkeep_record::span::{Span, SpanKind, SpanStatus};
use logkeep_record::{Attributes, Class, Record, Resource, SpanId, TenantId, TraceId, Value};

use super::*;
use crate::QueryOptions;
use crate::exec::SqlOptions;
use crate::exec::tests::open;

const START_NS: i64 = 1_795_168_800_000_000_000;

#[derive(Clone)]
enum Sent {
    /// A line of a log, and the service whose log it is.
    Line(&'static str, String),
    /// A record of an access log that says all of it in attributes, after so many others.
    Attributes(usize, Vec<(&'static str, Value<'static>)>),
    /// Service, kind, own id, parent's id, milliseconds, whom it says it calls.
    Span(&'static str, SpanKind, u8, u8, i64, Option<&'static str>),
}

fn resource(service: &str) -> std::sync::Arc<Resource> {
    let named = (!service.is_empty()).then(|| ("service.name".into(), Value::from(service.to_owned())));
    Resource::from_attributes(named.into_iter().collect::<Attributes<'static>>())
}

impl Sent {
    fn record(&self) -> (Class, Record<'static>) {
        let mut normalizer = Normalizer::new(Arrival { protocol: "ndjson", source: "127.0.0.1".to_owned() });
        match self {
            Self::Line(service, line) => {
                let mut record = Record::new(START_NS, Value::from(line.clone()), resource(service));
                record.time_ns = Some(START_NS);
                (Class::default(), normalizer.normalize(record))
            }
            Self::Attributes(others, attributes) => {
                let mut record = Record::new(START_NS, Value::str("request"), resource(""));
                record.time_ns = Some(START_NS);
                let others = (0..*others).map(|number| (format!("other.{number}").into(), Value::Bool(true)));
                record.attributes.extend(others);
                record.attributes.extend(attributes.iter().map(|(name, value)| ((*name).into(), value.clone())));
                (Class::default(), record)
            }
            Self::Span(service, kind, own, parent, took_ms, peer) => {
                let id = |id: u8| SpanId::new([id; 8]);
                let mut span = Span::new("call", resource(service));
                (span.trace_id, span.span_id, span.parent_id) = (TraceId::new([7; 16]), id(*own), id(*parent));
                (span.kind, span.status) = (*kind, SpanStatus::Ok);
                (span.start_ns, span.end_ns) = (Some(START_NS), Some(START_NS + took_ms * 1_000_000));
                span.attributes.extend(peer.map(|peer| ("server.address".into(), Value::str(peer))));
                (Class::spans(), normalizer.normalize_span(span.into_record(START_NS)))
            }
        }
    }
}

async fn store(ingest: &Ingest, sent: impl Iterator<Item = &Sent>) {
    for sent in sent {
        let (class, record) = sent.record();
        let mut builder = BatchBuilder::default();
        builder.push(&record);
        ingest.commit(&TenantId::default(), &class, builder.finish().unwrap().unwrap(), None).await.unwrap();
    }
}

async fn asked(ingest: Ingest, limit: usize) -> (Most<Service>, Most<Edge>) {
    let sql = SqlOptions { memory_bytes: 64 << 20, rows: 1_000, threads: 2 };
    let options = QueryOptions { timeout: Duration::from_secs(60), sql, cache_bytes: 1 << 20 };
    let engine = QueryEngine::new(ingest.clone(), options).unwrap();
    let who = Identity::local(Ipv4Addr::LOCALHOST.into(), TenantId::default()).unwrap();
    let grant = Access::new(ingest, Rules::default()).authorize(&who, Action::Query, &[]).await.unwrap();
    let all = Selection::all(Dataset::Spans);
    let services = engine.services(&grant, &all, limit, &engine.budget()).await.unwrap();
    (services, engine.graph(&grant, &all, limit, &engine.budget()).await.unwrap())
}

fn shown(figures: &Figures) -> String {
    let [p50, p95, p99] = figures.duration_ms.map(|ms| ms.map_or("-".to_owned(), |ms| format!("{ms:.2}")));
    let mut out = format!(
        "{} calls, {} failed, {p50} {p95} {p99} ms by {}",
        figures.count,
        figures.errors,
        figures.measured_by.name()
    );
    let seen = SeenBy::ALL.iter().zip(figures.seen_by).filter(|(by, count)| *count > 0 && **by != figures.measured_by);
    seen.for_each(|(by, count)| write!(out, ", {count} {}", by.name()).unwrap());
    out
}

fn shown_edge(edge: &Edge) -> String {
    let mut out = format!("{} → {}: {}", edge.caller, edge.callee.as_deref().unwrap_or("?"), shown(&edge.figures));
    if edge.traced {
        out.push_str(", traced");
    }
    if edge.caller_mesh.is_some() || edge.callee_mesh.is_some() {
        let name = |mesh: &Option<String>| mesh.clone().unwrap_or("-".to_owned());
        write!(out, ", {} → {}", name(&edge.caller_mesh), name(&edge.callee_mesh)).unwrap();
    }
    if let Some(mtls) = &edge.mtls {
        write!(out, ", {}", mtls.state()).unwrap();
        Mtls::STATES
            .iter()
            .zip(mtls.counts)
            .filter(|(_, count)| *count > 0)
            .for_each(|(state, count)| write!(out, " {count} {state}").unwrap());
    }
    out
}

/// What was sent gives these services and these edges wherever it lies.
async fn check(sent: &[Sent], services: &[&str], edges: &[&str]) {
    for (live, place) in [(0, "live"), (1, "in segments"), (2, "in both")] {
        let folder = tempfile::tempdir().unwrap();
        let mut ingest = open(folder.path()).await;
        let is_early = |at: usize| live != 2 || at.is_multiple_of(2);
        store(&ingest, sent.iter().enumerate().filter(|(at, _)| is_early(*at)).map(|(_, sent)| sent)).await;
        if live > 0 {
            ingest.close();
            ingest = open(folder.path()).await;
        }
        store(&ingest, sent.iter().enumerate().filter(|(at, _)| !is_early(*at)).map(|(_, sent)| sent)).await;
        let (found_services, found_edges) = asked(ingest, 100).await;
        let found: Vec<String> =
            found_services.items.iter().map(|one| format!("{}: {}", one.name, shown(&one.figures))).collect();
        assert_eq!(found, services, "services, {place}");
        assert_eq!(found_edges.items.iter().map(shown_edge).collect::<Vec<_>>(), edges, "edges, {place}");
    }
}

/// An Envoy's line under Istio.
fn istio(service: &'static str, cluster: &str, ms: u32, more: &str) -> Sent {
    let line = format!(
        r#"{{"method":"GET","path":"/","protocol":"HTTP/1.1","response_code":200,"response_flags":"-","response_code_details":"via_upstream","upstream_cluster":"{cluster}","duration":{ms}{more}}}"#
    );
    Sent::Line(service, line)
}

const TO_REVIEWS: &str = "outbound|9080||reviews.default.svc.cluster.local";
const INBOUND: &str = "inbound|9080||";
const FROM_WEB: &str =
    r#","downstream_peer_uri_san":"spiffe://cluster.local/ns/default/sa/web","downstream_tls_version":"TLSv1.3""#;

#[tokio::test(flavor = "multi_thread")]
async fn one_call_seen_by_all_is_one_call() {
    use SpanKind::{Client, Server};
    let sent = [
        Sent::Span("web", Server, 1, 0, 9, None),
        Sent::Span("web", Client, 2, 1, 8, Some("10.0.0.9")),
        istio("web", TO_REVIEWS, 7, ""),
        istio("reviews", INBOUND, 6, FROM_WEB),
        Sent::Span("reviews", Server, 3, 2, 5, None),
    ];
    check(
        &sent,
        &[
            "reviews: 1 calls, 0 failed, 5.00 5.00 5.00 ms by spans, 1 caller_proxy, 1 callee_proxy",
            "web: 1 calls, 0 failed, 9.00 9.00 9.00 ms by spans",
        ],
        &["web → reviews: 1 calls, 0 failed, 8.00 8.00 8.00 ms by spans, 1 caller_proxy, 1 callee_proxy, traced, \
           istio → istio, claimed 1 claimed"],
    )
    .await;
    check(
        &sent[2..4],
        &["reviews: 1 calls, 0 failed, 6.00 6.00 6.00 ms by callee_proxy, 1 caller_proxy"],
        &["web → reviews: 1 calls, 0 failed, 7.00 7.00 7.00 ms by caller_proxy, 1 callee_proxy, istio → istio, claimed 1 claimed"],
    )
    .await;
    check(&[], &[], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_saw_most_is_believed() {
    use SpanKind::Client;
    // One of ten calls is sampled, and the caller's proxy saw nine of the ten that the other saw.
    let mut sent = vec![Sent::Span("web", Client, 2, 1, 500, Some("reviews.default.svc.cluster.local"))];
    sent.extend((1..=9).map(|ms| istio("web", TO_REVIEWS, ms, "")));
    sent.extend((1..=10).map(|ms| istio("reviews", INBOUND, 10 * ms, FROM_WEB)));
    check(
        &sent,
        &["reviews: 10 calls, 0 failed, 55.00 95.50 99.10 ms by callee_proxy, 9 caller_proxy"],
        &["web → reviews: 9 calls, 0 failed, 5.00 8.60 8.92 ms by caller_proxy, 1 spans, 10 callee_proxy, istio → istio, \
           claimed 10 claimed"],
    )
    .await;
    sent.remove(1);
    check(
        &sent,
        &["reviews: 10 calls, 0 failed, 55.00 95.50 99.10 ms by callee_proxy, 8 caller_proxy"],
        &["web → reviews: 10 calls, 0 failed, 55.00 95.50 99.10 ms by callee_proxy, 1 spans, 8 caller_proxy, istio → istio, \
           claimed 10 claimed"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_weakest_connection_counts() {
    let state = |more: &str| {
        istio("reviews", INBOUND, 1, &format!(r#","downstream_peer_uri_san":"spiffe://x/ns/a/sa/web"{more}"#))
    };
    let plain = r#"{"method":"GET","response_code":200,"response_flags":"-","kuma_mesh":"m","kuma_source_service":"web","kuma_destination_service":"reviews","kuma_traffic_direction":"INBOUND","connection_security_policy":"none","duration":1}"#;
    check(
        &[state(""), state(""), Sent::Line("reviews", plain.to_owned()), istio("web", TO_REVIEWS, 1, "")],
        &["reviews: 3 calls, 0 failed, 1.00 1.00 1.00 ms by callee_proxy, 1 caller_proxy"],
        &["web → reviews: 3 calls, 0 failed, 1.00 1.00 1.00 ms by callee_proxy, 1 caller_proxy, istio → kuma, \
           plaintext 1 plaintext 2 claimed"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_believed_before_connections() {
    let ztunnel = |direction: &str| {
        Sent::Line(
            "ztunnel",
            format!(
                r#"2026-11-20T10:00:00.123456Z	info	access	connection complete	src.addr=10.0.0.6:57866 src.workload="web-7fc85576c4-h95l5" src.namespace="default" src.identity="spiffe://cluster.local/ns/default/sa/web" dst.addr=10.0.0.7:15008 dst.hbone_addr=10.0.0.7:8080 dst.service="reviews.default.svc.cluster.local" dst.identity="spiffe://cluster.local/ns/default/sa/reviews" direction="{direction}" bytes_sent=16 bytes_recv=17 duration="100ms""#
            ),
        )
    };
    let connections = [ztunnel("outbound"), ztunnel("outbound"), ztunnel("inbound"), ztunnel("inbound")];
    check(
        &connections,
        &["reviews: 2 calls, 0 failed, 100.00 100.00 100.00 ms by callee_connections, 2 caller_connections"],
        &["web → reviews: 2 calls, 0 failed, 100.00 100.00 100.00 ms by caller_connections, 2 callee_connections, istio → istio, \
           claimed 2 claimed"],
    )
    .await;
    let waypoint = istio("waypoint", "inbound-vip|9080|http|reviews.default.svc.cluster.local;", 3, FROM_WEB);
    check(
        &[&connections[..], &[waypoint]].concat(),
        &["reviews: 1 calls, 0 failed, 3.00 3.00 3.00 ms by callee_proxy, 2 caller_connections, 2 callee_connections"],
        &["web → reviews: 1 calls, 0 failed, 3.00 3.00 3.00 ms by callee_proxy, 2 caller_connections, 2 callee_connections, \
           istio → istio, claimed 3 claimed"],
    )
    .await;
}

/// Of each line on its own: who calls whom, and by whom that is known; "" if it is no call between two that are known.
#[tokio::test(flavor = "multi_thread")]
async fn every_mesh_says_who_calls_whom() {
    let flow = |direction: &str, reply: bool, more: &str| {
        let (from, to) = (
            r#"{"namespace":"shop","pod_name":"web-6d5f8c9b7d-x2x9z"}"#,
            r#"{"namespace":"shop","pod_name":"cart-0"}"#,
        );
        let (source, destination) = if reply { (to, from) } else { (from, to) };
        format!(
            r#"{{"flow":{{"time":"2026-11-20T10:00:00.5Z","Type":"L7","source":{source},"destination":{destination},"traffic_direction":"{direction}","is_reply":{reply},{more}}}}}"#
        )
    };
    let response = r#""verdict":"FORWARDED","l7":{"type":"RESPONSE","latency_ns":2500000,"http":{"code":200,"method":"GET","url":"http://cart/x"}}"#;
    let request = |verdict: &str| {
        format!(r#""verdict":"{verdict}","l7":{{"type":"REQUEST","http":{{"method":"GET","url":"http://cart/x"}}}}"#)
    };
    let envoy = |cluster: &str, more: &str| {
        format!(
            r#"{{"method":"GET","response_code":200,"response_flags":"-","upstream_cluster":"{cluster}","duration":2{more}}}"#
        )
    };
    let kuma = |direction: &str| {
        format!(
            r#"{{"method":"GET","response_code":200,"kuma_mesh":"m","kuma_source_service":"web_shop_svc_80","kuma_destination_service":"cart_shop_svc_80","kuma_traffic_direction":"{direction}","duration":2}}"#
        )
    };
    let kuma_text = r#"[2026-11-20T10:00:00.123Z] default "GET /v HTTP/1.1" 200 - 0 5 2 1 "-" "curl" "a3ce929d0e0e4736" "rid" "api" "web" "cart" "10.0.0.2" "10.0.0.3:80""#;
    let linkerd = r#"{"client.addr":"10.0.0.4:50000","client.id":"web.shop.serviceaccount.identity.linkerd.cluster.local","timestamp":"2026-11-20T10:00:00.5Z","method":"GET","uri":"/a","version":"HTTP/2.0","request_bytes":"","status":"200","response_bytes":12,"total_ns":"2500000","processing_ns":"200000","user_agent":"x","host":"cart.shop"}"#;
    let istio_text = r#"[2026-11-20T10:00:00.123Z] "GET /pay HTTP/2" 200 - via_upstream - "-" 5 6 2 4 "-" "grpc-go/1.60" "rid-2" "cart:80" "10.0.0.7:80" outbound|80||cart.shop.svc.cluster.local 10.0.0.5:40000 10.96.0.1:80 10.0.0.5:40001 - default"#;
    let tcp = r#"[2026-11-20T10:00:00.123Z] "- - -" 0 - - - "-" 10 20 2 - "-" "-" "-" "-" "10.0.0.7:443" outbound|443||cart.shop.svc.cluster.local 10.0.0.5:1 10.0.0.6:2 10.0.0.7:3 cart.shop -"#;
    let server_name = r#","requested_server_name":"outbound_.80_._.cart.shop.svc.cluster.local","downstream_peer_uri_san":"spiffe://c/ns/shop/sa/web""#;
    let header = r#","http.request.header.x-envoy-downstream-service-cluster":"web""#;
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    for (service, line, edge) in [
        ("web", istio_text.to_owned(), "web → cart by caller_proxy"),
        ("web", tcp.to_owned(), "web → cart by caller_connections"),
        // Without a name the proxy's own is that of whom it calls.
        ("", istio_text.to_owned(), ""),
        ("", envoy("inbound|80||", server_name), "web → cart by callee_proxy"),
        ("cart", envoy("inbound|80||", ""), ""),
        ("cart", envoy("inbound|80||", header), "web → cart by callee_proxy"),
        (
            "web",
            envoy("PassthroughCluster", r#","authority":"api.example.com""#),
            "web → api.example.com by caller_proxy",
        ),
        ("web", envoy("BlackHoleCluster", ""), "web → ? by caller_proxy"),
        ("web", envoy("cart.shop.dc1.internal.1a2b.consul", ""), "web → cart by caller_proxy"),
        (
            "cart",
            envoy("local_app", r#","downstream_peer_uri_san":"spiffe://1a2b.consul/ns/default/dc/dc1/svc/web""#),
            "web → cart by callee_proxy",
        ),
        ("web", envoy("cart", ""), "web → cart by caller_proxy"),
        (
            "web",
            r#"{"method":"GET","response_code":200,"response_flags":"-","duration":2,"authority":"cart"}"#.to_owned(),
            "",
        ),
        ("web", kuma("OUTBOUND"), "web → cart by caller_proxy"),
        ("cart", kuma("INBOUND"), "web → cart by callee_proxy"),
        ("web", kuma_text.to_owned(), "web → cart by caller_proxy"),
        ("cart", kuma_text.to_owned(), "web → cart by callee_proxy"),
        ("cart", linkerd.to_owned(), "web → cart by callee_proxy"),
        ("cilium", flow("INGRESS", true, response), "web → cart by callee_proxy"),
        ("cilium", flow("EGRESS", true, response), "web → cart by caller_proxy"),
        ("cilium", flow("INGRESS", false, &request("FORWARDED")), ""),
        ("cilium", flow("INGRESS", false, &request("DROPPED")), "web → cart by callee_proxy"),
        ("cilium", flow("INGRESS", false, r#""verdict":"FORWARDED","l4":{"TCP":{"destination_port":80}}"#), ""),
        (
            "cilium",
            flow("EGRESS", true, r#""verdict":"FORWARDED","l7":{"type":"RESPONSE","dns":{"query":"cart."}}"#),
            "",
        ),
        ("web", r#"{"method":"GET","path":"/x","response_code":500,"message":"no access log"}"#.to_owned(), ""),
    ] {
        // Each is a caller of its own, so that one question is enough.
        let caller = format!("web{}", sent.len());
        let own: &'static str = if service == "web" { caller.clone().leak() } else { service };
        expected.extend((!edge.is_empty()).then(|| edge.replace("web", &caller)));
        sent.push(Sent::Line(own, line.replace("web", &caller)));
    }
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    store(&ingest, sent.iter()).await;
    let shown = |edge: &Edge| {
        let by = edge.figures.measured_by.name();
        format!("{} → {} by {by}", edge.caller, edge.callee.as_deref().unwrap_or("?"))
    };
    let mut found: Vec<String> = asked(ingest, 100).await.1.items.iter().map(shown).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_of_servers_and_proxies() {
    let cases = [
        (r#""response_code":200,"response_flags":"-""#, 0),
        (r#""response_code":404,"response_flags":"-""#, 0),
        (r#""response_code":499,"response_flags":"DC""#, 0),
        (r#""response_code":503,"response_flags":"-""#, 1),
        (r#""response_code":0,"response_flags":"UF""#, 1),
        (r#""response_code":404,"response_flags":"NR""#, 1),
        (r#""response_code":200,"response_flags":"-","grpc_status":"OK""#, 0),
        (r#""response_code":200,"response_flags":"-","grpc_status":"NotFound""#, 0),
        (r#""response_code":200,"response_flags":"-","grpc_status":"Unavailable""#, 1),
        (r#""response_code":200,"response_flags":"-","grpc_status":"DEADLINE_EXCEEDED""#, 1),
        (r#""response_code":200,"response_flags":"-","grpc_status":13"#, 1),
    ];
    let line = |(at, (more, _)): (usize, &(&str, u64))| {
        let line = format!(
            r#"{{"method":"GET","path":"/","duration":1,"upstream_cluster":"outbound|80||s{at}.x.svc",{more}}}"#
        );
        Sent::Line("web", line)
    };
    let sent: Vec<Sent> = cases.iter().enumerate().map(line).collect();
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    store(&ingest, sent.iter()).await;
    let (services, edges) = asked(ingest, 100).await;
    for (at, (more, failed)) in cases.iter().enumerate() {
        let name = format!("s{at}");
        let service = services.items.iter().find(|one| one.name == name).unwrap();
        let edge = edges.items.iter().find(|one| one.callee.as_deref() == Some(&name)).unwrap();
        assert_eq!((service.figures.errors, edge.figures.errors), (*failed, *failed), "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_frequent_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let sent: Vec<Sent> = [("a", 1), ("b", 3), ("c", 2)]
        .into_iter()
        .flat_map(|(name, times)| vec![istio("web", &format!("outbound|80||{name}.x.svc.cluster.local"), 1, ""); times])
        .collect();
    store(&ingest, sent.iter()).await;
    let (services, edges) = asked(ingest, 2).await;
    assert_eq!((services.more, edges.more), (true, true));
    assert_eq!(services.items.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(edges.items.iter().map(|one| one.callee.as_deref()).collect::<Vec<_>>(), [Some("b"), Some("c")]);
}

/// As numbers, as texts, and where there are more attributes than columns.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_line_says_is_read_however_it_is_stored() {
    let call = |others: usize, status: Value<'static>, took: Value<'static>| {
        let attributes = vec![
            ("mesh.kind", Value::str("kuma")),
            ("mesh.source.service", Value::str("web")),
            ("mesh.destination.service", Value::str("shop")),
            ("http.response.status_code", status),
            ("mesh.duration_ms", took),
        ];
        Sent::Attributes(others, attributes)
    };
    let many = logkeep_record::limits::COLUMNS_PER_SEGMENT;
    let sent = [
        call(0, Value::Int(200), Value::Double(10.0)),
        call(0, Value::Int(200), Value::Double(10.0)),
        call(0, Value::str("503"), Value::str("10")),
        call(0, Value::str("none"), Value::str("soon")),
        call(many, Value::Int(500), Value::Int(10)),
        call(many, Value::str("200"), Value::str("10.0")),
    ];
    check(
        &sent,
        &["shop: 6 calls, 2 failed, 10.00 10.00 10.00 ms by caller_proxy"],
        &["web → shop: 6 calls, 2 failed, 10.00 10.00 10.00 ms by caller_proxy, kuma → -"],
    )
    .await;
}
