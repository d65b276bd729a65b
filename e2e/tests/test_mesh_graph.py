"""Services and who calls whom, of the access logs of meshes: every figure held against one computed from the lines alone."""

import json
import random
import subprocess

import pytest

from support import mesh_calls
from support.http import Connection
from support.mesh_calls import Call
from support.server import BINARY, Server
from support.wait import until

LINES = 20_000
DAY = {"from": "2026-11-19T00:00:00Z", "to": "2026-11-22T00:00:00Z", "limit": 1_000}
TIME = "2026-11-20T10:00:00.123Z"
# The last records are too few for a segment, and an hour is longer than the test.
SETTINGS = "flush:\n  bytes: 4MiB\n  interval: 1h\nquery:\n  timeout: 10m\n"
SEED = 20_261_120


def plain(figures):
    """Without what is a matter of the range, percentiles within what is rounded."""
    figures = {key: value for key, value in figures.items() if key not in {"rate", "traced"}}
    approximate = {name: pytest.approx(figures[name], rel=1e-5) for name in ["duration_ms", "error_ratio"]}
    return {**figures, **approximate}


def compare(server, calls, **asked):
    answer = server.answered("/api/v1/services", **{**DAY, **asked})
    assert not answer["more"]
    assert {one.pop("service"): plain(one) for one in answer["services"]} == mesh_calls.services(calls)
    answer = server.answered("/api/v1/graph", **{**DAY, **asked})
    assert not answer["more"]
    found = {(edge.pop("caller"), edge.pop("callee")): plain(edge) for edge in answer["edges"]}
    assert found == mesh_calls.edges(calls)
    return found


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The bench's sixty services on three meshes, most of their lines in segments, the last of them not yet."""
    file = tmp_path_factory.mktemp("lines") / "lines.ndjson"
    made = [str(BINARY.with_name("logkeep-bench")), "generate", "--lines", str(LINES), "--out", str(file)]
    subprocess.run(made, check=True, capture_output=True)
    lines = file.read_text().splitlines()
    server = Server(tmp_path_factory.mktemp("company"), SETTINGS).start()
    for start in range(0, LINES, 1_000):
        server.ingest([line + "\n" for line in lines[start : start + 1_000]])
    yield server, [json.loads(line) for line in lines]
    server.stop()


def test_a_company_on_three_meshes(company):
    server, lines = company
    calls = [call for call in map(mesh_calls.of_line, lines) if call]
    read = lambda: server.answered("/api/v1/graph", **DAY)["stats"]
    until(lambda: read()["segments"] > 1, "some are in segments")
    edges = compare(server, calls)
    assert {edge["measured_by"] for edge in edges.values()} == {"caller_proxy", "callee_proxy"}
    assert {edge["mtls"] and edge["mtls"]["state"] for edge in edges.values()} == {None, "claimed"}
    assert sum(edge["errors"] for edge in edges.values()) > 0
    # A stop leaves nothing outside of segments.
    server.stop()
    server.start()
    compare(server, calls)


def test_what_is_selected(company):
    server, lines = company
    linkerd = [call for call in map(mesh_calls.of_line, lines) if call and call.mesh == "linkerd"]
    compare(server, linkerd, q="mesh.kind:linkerd")
    failed = [call for call in map(mesh_calls.of_line, lines) if call and call.failed]
    compare(server, failed, q="mesh.kind:* AND http.response.status_code>=500")


# Lines as each mesh writes them, beside what they say. Whoever reads them has only the line.


def envoy(rng, service, cluster, **more):
    status, flags, failed = rng.choice([(200, "-", False), (404, "-", False), (503, "UF,URX", True), (500, "-", True)])
    ms = rng.randint(1, 900)
    line = {"start_time": TIME, "method": "GET", "path": "/a", "protocol": "HTTP/1.1", "response_code": status}
    line |= {"response_flags": flags, "duration": ms, "upstream_cluster": cluster, "service": service, **more}
    return line, ms, failed


def istio(rng, caller, callee):
    line, ms, failed = envoy(rng, caller, f"outbound|80|v1|{callee}.shop.svc.cluster.local")
    yield line, Call("caller_proxy", caller, callee, ms, failed, "istio")
    peer = {"downstream_peer_uri_san": f"spiffe://cluster.local/ns/shop/sa/{caller}", "downstream_tls_version": "TLSv1.3"}
    line, ms, failed = envoy(rng, callee, "inbound|80||", **peer)
    yield line, Call("callee_proxy", caller, callee, ms, failed, "istio", "claimed")


def consul(rng, caller, callee):
    line, ms, failed = envoy(rng, caller, f"{callee}.default.dc1.internal.1a2b3c.consul")
    yield line, Call("caller_proxy", caller, callee, ms, failed, "consul")
    peer = {"downstream_peer_uri_san": f"spiffe://1a2b3c.consul/ns/default/dc/dc1/svc/{caller}"}
    line, ms, failed = envoy(rng, callee, "local_app", **peer)
    yield line, Call("callee_proxy", caller, callee, ms, failed, "envoy", "claimed")


def kuma(rng, caller, callee):
    ends = {"kuma_mesh": "default", "kuma_source_service": f"{caller}_shop_svc_80", "kuma_destination_service": f"{callee}_shop_svc_80"}
    for side, direction, service in [("caller", "OUTBOUND", caller), ("callee", "INBOUND", callee)]:
        policy, mtls = rng.choice([("mutual_tls", "claimed"), ("none", "plaintext")])
        more = {**ends, "kuma_traffic_direction": direction, "connection_security_policy": policy}
        line, ms, failed = envoy(rng, service, f"{callee}_shop_svc_80", **more)
        yield line, Call(f"{side}_proxy", caller, callee, ms, failed, "kuma", mtls)


def linkerd(rng, caller, callee):
    status, ms = rng.choice([200, 404, 502]), rng.randint(1, 900)
    identity = f"{caller}.shop.serviceaccount.identity.linkerd.cluster.local"
    line = {"client.addr": "10.0.0.4:5000", "client.id": identity, "timestamp": TIME, "method": "GET", "uri": "/a"}
    line |= {"version": "HTTP/2.0", "request_bytes": "", "status": status, "response_bytes": 12, "user_agent": "x"}
    line |= {"total_ns": str(ms * 1_000_000), "processing_ns": "2000", "host": f"{callee}.shop", "service": callee}
    yield line, Call("callee_proxy", caller, callee, ms, status >= 500, "linkerd", "claimed")


def ambient(rng, caller, callee):
    """Istio's ztunnel, which knows connections alone."""
    for side, direction in [("caller", "outbound"), ("callee", "inbound")]:
        ms, broken = rng.randint(1, 900), rng.random() < 0.2
        line = {"time": TIME, "level": "error" if broken else "info", "scope": "access", "message": "connection complete"}
        line |= {"src.addr": "10.0.0.6:1", "src.workload": f"{caller}-7fc85576c4-h95l5", "src.namespace": "shop"}
        line |= {"src.identity": f"spiffe://cluster.local/ns/shop/sa/{caller}", "dst.addr": "10.0.0.7:15008"}
        line |= {"dst.service": f"{callee}.shop.svc.cluster.local", "direction": direction, "duration": f"{ms}ms"}
        line |= {"service": "ztunnel"} | ({"error": "connection failed"} if broken else {})
        yield line, Call(f"{side}_connections", caller, callee, ms, broken, "istio", "claimed")


def cilium(rng, caller, callee):
    """Hubble: of each request two flows of HTTP, and others that are no calls."""
    ends = {"source": {"namespace": "shop", "pod_name": f"{caller}-0"}, "destination": {"namespace": "shop", "pod_name": f"{callee}-7fc85576c4-h95l5"}}
    back = {"source": ends["destination"], "destination": ends["source"]}
    for side, direction in [("caller", "EGRESS"), ("callee", "INGRESS")]:
        status, ms = rng.choice([200, 404, 503]), rng.randint(1, 900)
        flow = {"time": TIME, "Type": "L7", "traffic_direction": direction, "verdict": "FORWARDED"}
        http = {"method": "GET", "url": f"http://{callee}/a", "protocol": "HTTP/1.1"}
        answer = {"type": "RESPONSE", "latency_ns": ms * 1_000_000, "http": {**http, "code": status}}
        handshake = {**flow, **ends, "Type": "L3_L4", "l4": {"TCP": {"destination_port": 80, "flags": {"SYN": True}}}}
        lookup = {**flow, **back, "is_reply": True, "l7": {"type": "RESPONSE", "dns": {"query": f"{callee}."}}}
        for other in [handshake, lookup, {**flow, **ends, "l7": {"type": "REQUEST", "http": http}}]:
            yield {"flow": other, "node_name": "n1"}, None
        call = Call(f"{side}_proxy", caller, callee, ms, status >= 500, "cilium")
        yield {"flow": {**flow, **back, "is_reply": True, "l7": answer}, "node_name": "n1"}, call
        denied = Call(f"{side}_proxy", caller, callee, None, True, "cilium")
        yield {"flow": {**flow, **ends, "verdict": "DROPPED", "l7": {"type": "REQUEST", "http": http}}, "node_name": "n1"}, denied


MESHES = [istio, consul, kuma, linkerd, ambient, cilium]


def test_each_mesh_by_all_its_proxies(make_server):
    """Some proxies write all that they see and others some; live, in segments, half and half, and in segments again."""
    rng, told = random.Random(SEED), []
    for mesh in MESHES:
        for caller, callee, share in [("web", "cart", 1), ("cart", "db", 0.93), ("web", "pay", 0.5)]:
            for _ in range(200):
                for at, each in enumerate(mesh(rng, f"{mesh.__name__}-{caller}", f"{mesh.__name__}-{callee}")):
                    if at or rng.random() < share:
                        told.append(each)
    rng.shuffle(told)
    server = make_server(settings=SETTINGS).start()
    for start, end in [(0, len(told) // 2), (len(told) // 2, len(told))]:
        server.ingest([line for line, _ in told[start:end]])
        known = [call for _, call in told[:end] if call]
        compare(server, known)
        server.stop()
        server.start()
        edges = compare(server, known)
    by = {edge["measured_by"] for edge in edges.values()}
    assert by == {"caller_proxy", "callee_proxy", "caller_connections", "callee_connections"}
    states = {edge["mtls"] and edge["mtls"]["state"] for edge in edges.values()}
    assert states == {None, "plaintext", "claimed"}


def test_spans_and_logs_of_the_same_calls(make_server):
    """Of an edge all of whose calls are traced the spans count; where one of ten is, the proxy that saw all of them."""
    server = make_server(settings=SETTINGS).start()
    rng, told, spans = random.Random(SEED), [], []
    for callee, every in [("cart", 1), ("pay", 10)]:
        for n in range(100):
            told += istio(rng, "web", callee)
            if n % every == 0:
                half = {"traceId": f"{len(spans) + 1:x}", "name": "get", "timestamp": 1_795_168_800_000_000}
                named = lambda service: {"localEndpoint": {"serviceName": service}}
                spans.append({**half, "id": "1", "parentId": "9", "kind": "CLIENT", "duration": 4_000, **named("web")})
                spans.append({**half, "id": "2", "parentId": "1", "kind": "SERVER", "duration": 2_000, **named(callee)})
    server.ingest([line for line, _ in told])
    with Connection(f"http://{server.address('zipkin')}") as connection:
        answer = connection.post("/api/v2/spans", json.dumps(spans), {"content-type": "application/json"})
        assert answer.status == 202, answer.text
    edges = {edge["callee"]: edge for edge in server.answered("/api/v1/graph", **DAY)["edges"]}
    assert (edges["cart"]["measured_by"], edges["cart"]["calls"], edges["cart"]["duration_ms"]["p50"]) == ("spans", 100, 4.0)
    assert (edges["pay"]["measured_by"], edges["pay"]["calls"], edges["pay"]["traced"]) == ("caller_proxy", 100, True)
    seen = {"spans": 10, "caller_proxy": 100, "callee_proxy": 100, "caller_connections": 0, "callee_connections": 0}
    assert (edges["pay"]["seen_by"], edges["pay"]["mtls"]["claimed"]) == (seen, 100)
    services = {one["service"]: one for one in server.answered("/api/v1/services", **DAY)["services"]}
    assert (services["cart"]["measured_by"], services["cart"]["requests"]) == ("spans", 100)
    assert (services["pay"]["measured_by"], services["pay"]["requests"]) == ("callee_proxy", 100)
