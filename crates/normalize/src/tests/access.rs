//! Real-shaped lines of every mesh.

use super::check;

pub(super) const ISTIO_JSON: &str = r#"{"authority":"reviews:9080","bytes_received":12,"bytes_sent":379,"connection_termination_details":null,"downstream_local_address":"10.0.0.9:9080","downstream_remote_address":"10.0.0.5:41234","duration":17,"method":"GET","path":"/reviews/0?full=1","protocol":"HTTP/1.1","request_id":"5f2b6c1e-0d55-9e1f-8a8e-1b9d5f0a7c11","requested_server_name":null,"response_code":503,"response_code_details":"upstream_reset_before_response_started","response_flags":"UF,URX","route_name":"default","start_time":"2026-11-20T10:00:00.123Z","upstream_cluster":"outbound|9080||reviews.default.svc.cluster.local","upstream_host":"10.0.0.7:9080","upstream_local_address":"10.0.0.5:50000","upstream_service_time":"12","upstream_transport_failure_reason":null,"user_agent":"curl/8.5","x_forwarded_for":null,"downstream_peer_uri_san":"spiffe://cluster.local/ns/default/sa/web","kubernetes":{"pod_name":"web-6d5f8c9b7d-x2x9z","namespace_name":"default","labels":{"app":"web"}}}"#;

#[test]
fn istio_json() {
    check(
        ISTIO_JSON,
        &[
            "severity=17 \"\"",
            "time=2026-11-20T10:00:00.123Z",
            &format!("body={ISTIO_JSON}"),
            "original=none",
            "r service.name=\"web\"",
            "r logkeep.service.name.derived_from=\"k8s.pod.label.app\"",
            "r k8s.pod.name=\"web-6d5f8c9b7d-x2x9z\"",
            "r k8s.namespace.name=\"default\"",
            "r logkeep.protocol=\"ndjson\"",
            "r logkeep.source=\"127.0.0.1\"",
            "a http.request.method=\"GET\"",
            "a url.path=\"/reviews/0\"",
            "a url.query=\"full=1\"",
            "a http.response.status_code=503",
            "a network.protocol.name=\"http\"",
            "a network.protocol.version=\"1.1\"",
            "a user_agent.original=\"curl/8.5\"",
            "a client.address=\"10.0.0.5\"",
            "a client.port=41234",
            "a server.address=\"reviews\"",
            "a server.port=9080",
            "a http.request.body.size=12",
            "a http.response.body.size=379",
            "a mesh.request_id=\"5f2b6c1e-0d55-9e1f-8a8e-1b9d5f0a7c11\"",
            "a mesh.upstream.address=\"10.0.0.7\"",
            "a mesh.upstream.cluster=\"outbound|9080||reviews.default.svc.cluster.local\"",
            "a mesh.destination.service=\"reviews.default.svc.cluster.local\"",
            "a mesh.response_flags=\"UF,URX\"",
            "a mesh.duration_ms=17.0",
            "a mesh.upstream.duration_ms=12.0",
            "a mesh.source.spiffe_id=\"spiffe://cluster.local/ns/default/sa/web\"",
            "a mesh.mtls.state=\"claimed\"",
            "a mesh.kind=\"istio\"",
            "!a start_time",
            "!a tls.client.server_name",
        ],
    );
}

#[test]
fn envoy_family() {
    check(
        r#"{"method":null,"response_code":0,"response_flags":"UH","bytes_sent":5,"upstream_host":null,"duration":1}"#,
        &["severity=17 \"\"", "a mesh.bytes_sent=5", "a mesh.kind=\"envoy\"", "!a http.", "!a method", "time=none"],
    );
    check(
        r#"{"method":"GET","response_code":"204","response_flags":"-","upstream_cluster":"web.default.dc1.internal.x.consul"}"#,
        &[
            "severity=9 \"\"",
            "a http.response.status_code=204",
            "a mesh.kind=\"consul\"",
            "r service.name=\"unknown_service\"",
        ],
    );
    check(
        r#"{"kuma_mesh":"default","kuma_source_service":"web","response_code":404,"method":"GET"}"#,
        &["severity=13 \"\"", "a mesh.name=\"default\"", "a mesh.source.service=\"web\"", "a mesh.kind=\"kuma\""],
    );
    check(
        r#"{"response_code":200,"response_flags":"-","method":"GET","upstream_cluster":"outbound|80|v1|cart.shop.svc.cluster.local","connection_security_policy":"none","host":"node-1","level":"notice","custom":{"a":[1]}}"#,
        &[
            "severity=10 \"notice\"",
            "r service.name=\"cart\"",
            "r logkeep.service.name.derived_from=\"mesh.upstream.cluster\"",
            "r host.name=\"node-1\"",
            "a mesh.mtls.state=\"plaintext\"",
            "a custom.a=[1]",
        ],
    );
    // The same keys in an application's document are its own.
    check(
        r#"{"method":"GET","path":"/x","response_code":500,"user_agent":"curl","request_id":"r"}"#,
        &["a response_code=500", "!a mesh", "!a http"],
    );
    check(r#"{"status":200,"uri":"/x","request_bytes":1,"response_bytes":2}"#, &["a status=200", "!a mesh", "!a url"]);
    check(
        r#"{"method":"card","path":"/tmp/x","duration":3,"message":"paid"}"#,
        &["a method=\"card\"", "a path=\"/tmp/x\"", "!a mesh", "a duration=3"],
    );
}

#[test]
fn envoy_text() {
    let line = r#"[2026-11-20T10:00:00.123Z] "GET /q"uote/" 200 HTTP/1.1" 404 NR 0 11 3 - "10.0.0.1, "x"" "my "agent" 1.0" "rid-1" "shop.example:8443" "-""#;
    check(
        line,
        &[
            "severity=13 \"\"",
            "time=2026-11-20T10:00:00.123Z",
            &format!("body={line}"),
            "original=none",
            "a http.request.method=\"GET\"",
            "a url.path=\"/q\\\"uote/\\\" 200\"",
            "a http.response.status_code=404",
            "a mesh.response_flags=\"NR\"",
            "a http.request.header.x-forwarded-for=\"10.0.0.1, \\\"x\\\"\"",
            "a user_agent.original=\"my \\\"agent\\\" 1.0\"",
            "a mesh.request_id=\"rid-1\"",
            "a server.address=\"shop.example\"",
            "a server.port=8443",
            "!a mesh.upstream",
        ],
    );
    check(
        r#"[2026-11-20T10:00:00.123Z] "POST /pay HTTP/2" 200 - via_upstream - "-" 5 6 7 4 "-" "grpc-go/1.60" "rid-2" "pay:50051" "10.0.0.7:50051" outbound|50051||pay.shop.svc.cluster.local 10.0.0.5:40000 10.96.0.1:50051 10.0.0.5:40001 - default"#,
        &[
            "severity=9 \"\"",
            "a mesh.response_code_details=\"via_upstream\"",
            "a network.protocol.version=\"2\"",
            "a mesh.duration_ms=7.0",
            "a mesh.upstream.duration_ms=4.0",
            "a client.address=\"10.0.0.5\"",
            "a client.port=40001",
            "a mesh.route=\"default\"",
            "a mesh.kind=\"istio\"",
            "r service.name=\"pay\"",
            "!a tls.client.server_name",
        ],
    );
    check(
        r#"[2026-11-20T10:00:00.123Z] "- - -" 0 UF - - "TLS error: Secret is not supplied" 0 0 10 - "-" "-" "-" "-" "10.0.0.7:443" outbound|443||db.x.svc 10.0.0.5:1 10.0.0.6:2 10.0.0.7:3 db.x -"#,
        &[
            "severity=17 \"\"",
            "a mesh.upstream.transport_failure_reason=\"TLS error: Secret is not supplied\"",
            "a mesh.bytes_sent=0",
            "!a http.request",
            "a tls.client.server_name=\"db.x\"",
        ],
    );
    check(
        r#"[2026-11-20T10:00:00.123Z] default "GET /v HTTP/1.1" 200 - 0 5 2 1 "-" "curl" "a3ce929d0e0e4736" "rid" "api" "web" "api_v1" "10.0.0.2" "10.0.0.3:80""#,
        &[
            "a mesh.name=\"default\"",
            "a mesh.source.service=\"web\"",
            "a mesh.destination.service=\"api_v1\"",
            "a mesh.kind=\"kuma\"",
            "a client.address=\"10.0.0.2\"",
            "trace=0000000000000000a3ce929d0e0e4736",
        ],
    );
    check(
        "[2026-11-20T10:00:00.123Z] - default 10.0.0.2(web)->10.0.0.3:6379(redis) took 15ms, sent 10 bytes, received: 20 bytes",
        &[
            "a mesh.destination.service=\"redis\"",
            "a mesh.duration_ms=15.0",
            "a mesh.bytes_sent=10",
            "a mesh.upstream.port=6379",
        ],
    );
    for broken in [
        r#"[2026-11-20T10:00:00.123Z] "GET / HTTP/1.1" 200"#,
        r#"[2026-11-20T10:00:00.123Z] "GET / HTTP/1.1" 99999 - 0 0 0 0 "-" "-" "-" "-" "-""#,
        r#"[not a time] "GET / HTTP/1.1" 200 - 0 0 0 0 "-" "-" "-" "-" "-""#,
    ] {
        check(broken, &["!a "]);
    }
}

#[test]
fn linkerd_and_web_servers() {
    check(
        r#"{"client.addr":"10.0.0.4:50000","client.id":"web.default.serviceaccount.identity.linkerd.cluster.local","timestamp":"2026-11-20T10:00:00.5Z","method":"GET","uri":"http://api.shop:8080/a?b=c","version":"HTTP/2.0","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","request_bytes":"","status":"500","response_bytes":12,"total_ns":"1500000","processing_ns":"200000","user_agent":"x","host":"api.shop"}"#,
        &[
            "severity=17 \"\"",
            "time=2026-11-20T10:00:00.5Z",
            "trace=4bf92f3577b34da6a3ce929d0e0e4736",
            "a url.path=\"/a\"",
            "a url.query=\"b=c\"",
            "a url.scheme=\"http\"",
            "a server.address=\"api.shop\"",
            "a network.protocol.version=\"2\"",
            "a mesh.duration_ms=1.5",
            "a mesh.source.identity=\"web.default.serviceaccount.identity.linkerd.cluster.local\"",
            "a mesh.mtls.state=\"claimed\"",
            "a mesh.kind=\"linkerd\"",
            "a http.response.body.size=12",
            "!a http.request.body.size",
            "!r service.version",
            "!r host.name",
        ],
    );
    check(
        r#"10.0.0.4:50000 - - [2026-11-20T10:00:00.500000000Z] "GET /api/x HTTP/2.0" 200"#,
        &[
            "a client.port=50000",
            "a http.response.status_code=200",
            "a mesh.kind=\"linkerd\"",
            "!a mesh.mtls",
            "time=2026-11-20T10:00:00.5Z",
        ],
    );
    check(
        r#"203.0.113.9 - alice [20/Nov/2026:10:00:00 +0000] "GET /a?b HTTP/1.1" 302 17 "-" "Mozilla/5.0 (X)""#,
        &[
            "time=2026-11-20T10:00:00Z",
            "a user.name=\"alice\"",
            "a http.response.body.size=17",
            "a user_agent.original=\"Mozilla/5.0 (X)\"",
            "!a mesh.kind",
            "!a user.id",
            "a url.query=\"b\"",
        ],
    );
}

#[test]
fn ztunnel_and_hubble() {
    let fields = r#"src.addr=10.0.0.6:57866 src.workload="client-7fc85576c4-h95l5" src.namespace="default" src.identity="spiffe://cluster.local/ns/default/sa/client" dst.addr=10.0.0.7:15008 dst.hbone_addr=10.0.0.7:8080 dst.service="web.default.svc.cluster.local" dst.identity="spiffe://cluster.local/ns/default/sa/web" direction="outbound" bytes_sent=16 bytes_recv=17 duration="1006ms""#;
    check(
        &format!("2026-11-20T10:00:00.123456Z\tinfo\taccess\tconnection complete\t{fields}"),
        &[
            "severity=9 \"info\"",
            "time=2026-11-20T10:00:00.123456Z",
            "a mesh.source.spiffe_id=\"spiffe://cluster.local/ns/default/sa/client\"",
            "a mesh.destination.spiffe_id=\"spiffe://cluster.local/ns/default/sa/web\"",
            "a mesh.destination.service=\"web.default.svc.cluster.local\"",
            "a mesh.mtls.state=\"claimed\"",
            "a mesh.duration_ms=1006.0",
            "a mesh.bytes_sent=16",
            "a mesh.bytes_received=17",
            "a server.port=15008",
            "a mesh.kind=\"istio\"",
        ],
    );
    check(
        r#"{"level":"info","time":"2026-11-20T10:00:00Z","scope":"access","message":"connection complete","src.addr":"10.0.0.6:1","dst.addr":"10.0.0.7:2","duration":"3ms"}"#,
        &[
            "severity=9 \"info\"",
            "body=connection complete",
            "!a message",
            "!original=none",
            "a mesh.duration_ms=3.0",
            "!a mesh.mtls",
        ],
    );
    check(
        r#"{"flow":{"time":"2026-11-20T10:00:00.5Z","verdict":"DROPPED","IP":{"source":"10.0.0.1","destination":"10.0.0.2","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":4000,"destination_port":80,"flags":{"SYN":true}}},"source":{"identity":7,"namespace":"shop","labels":["k8s:app=web"],"pod_name":"web-0"},"Type":"L7","traffic_direction":"INGRESS","l7":{"type":"RESPONSE","latency_ns":2500000,"http":{"code":503,"method":"GET","url":"http://api/x?y"}}},"node_name":"node-1","time":"2026-11-20T10:00:01Z"}"#,
        &[
            "severity=17 \"\"",
            "time=2026-11-20T10:00:00.5Z",
            "r k8s.node.name=\"node-1\"",
            "a mesh.authz.decision=\"DROPPED\"",
            "a client.address=\"10.0.0.1\"",
            "a server.port=80",
            "a http.response.status_code=503",
            "a url.path=\"/x\"",
            "a mesh.duration_ms=2.5",
            "a flow.source.labels=[\"k8s:app=web\"]",
            "a flow.l4.TCP.flags.SYN=true",
            "a mesh.kind=\"cilium\"",
        ],
    );
}
