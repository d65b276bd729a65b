"""A real Envoy and all it can send by itself: its access log service, its OpenTelemetry and Fluentd access logs, its Datadog
tracer. Every request is one record of each, with the right fields."""

import json
import socket

import pytest

from support.envoy_sender import NODE, TRACE, Sender, ask, listener_port
from support.server import pairs
from support.wait import until

def requests(word, count):
    return [f"/{word}/{n}/200" for n in range(count)] + [f"/dead/{word}"]


@pytest.fixture(scope="module")
def mesh(shared_server, tmp_path_factory):
    """Everything that Envoy can send, at once."""
    ports = {"als": "envoy-als", "otlp": "otlp-grpc", "fluentd": "forward-tcp", "datadog": "datadog-traces"}
    ports = {name: shared_server.port(receiver) for name, receiver in ports.items()}
    with Sender(tmp_path_factory.mktemp("envoy"), ports, tcp=True) as envoy:
        yield envoy


def logged(server, word, protocol, count):
    return server.wait_for(f"logkeep.protocol:{protocol} {word}", count)


def test_http_entries(shared_server, mesh, word):
    paths = requests(word, 50)
    ask(mesh, paths)
    found = {pairs(one, "attributes")["url.path"]: one for one in logged(shared_server, word, "envoy-als", len(paths))}
    assert sorted(found) == sorted(paths)
    for path, record in found.items():
        attributes, resource = pairs(record, "attributes"), pairs(record, "resource")
        dead = path.startswith("/dead")
        assert json.loads(record["body"])["path"] == path
        assert attributes["http.request.method"] == "GET"
        assert attributes["http.response.status_code"] == (503 if dead else 200)
        assert record["severity"] == ("error" if dead else "info")
        assert (attributes["network.protocol.name"], attributes["network.protocol.version"]) == ("http", "1.1")
        assert (attributes["server.address"], attributes["server.port"]) == ("shop.example", 8443)
        assert attributes["user_agent.original"] == "e2e"
        assert attributes["client.address"] == "127.0.0.1"
        assert attributes["mesh.upstream.cluster"] == ("dead" if dead else "shop")
        assert attributes["mesh.route"] == ("dead-route" if dead else "shop-route")
        assert 0 <= attributes["mesh.duration_ms"] < 60_000
        assert (attributes["team"], attributes["http.request.header.x-team"]) == ("a", "blue")
        assert (record["trace_id"], attributes["mesh.kind"]) == (TRACE, "envoy")
        if dead:
            assert attributes["mesh.response_flags"] == "UF"
            assert "Connection refused" in attributes["mesh.upstream.transport_failure_reason"]
        else:
            assert attributes["http.response.body.size"] == 200
            assert (attributes["mesh.upstream.address"], attributes["mesh.upstream.port"]) == ("127.0.0.1", mesh.upstream_port)
            assert attributes["http.response.header.content-length"] == "200"
        assert_node(resource, "mesh-http")
        assert (resource["k8s.pod.name"], resource["k8s.namespace.name"]) == ("cart-1", "shop")


def assert_node(resource, log_name):
    assert (resource["service.name"], resource["logkeep.service.name.derived_from"]) == ("cart", "mesh.proxy.cluster")
    assert (resource["mesh.log_name"], resource["mesh.proxy.id"]) == (log_name, NODE["id"])
    assert resource["cloud.availability_zone"] == "eu-1"


def test_tcp_entries(shared_server, mesh):
    before = len(shared_server.find("mesh.log_name:mesh-tcp"))
    port, request = listener_port(mesh, "tcp"), b"GET /tcp/204 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            while connection.recv(4096):
                pass
    records = shared_server.wait_for("mesh.log_name:mesh-tcp", before + 10)
    for record in records:
        attributes = pairs(record, "attributes")
        assert attributes["mesh.bytes_received"] == len(request)
        assert attributes["mesh.bytes_sent"] > 0
        assert (attributes["mesh.upstream.address"], attributes["mesh.upstream.port"]) == ("127.0.0.1", mesh.upstream_port)
        assert "http.request.method" not in attributes
        assert_node(pairs(record, "resource"), "mesh-tcp")


def test_opentelemetry_and_fluentd_access_logs(shared_server, mesh, word):
    paths = requests(word, 20)
    ask(mesh, paths)
    for protocol in ["otlp", "forward"]:
        records = logged(shared_server, word, protocol, len(paths))
        found = {pairs(one, "attributes")["url.path"]: pairs(one, "attributes") for one in records}
        assert sorted(found) == sorted(paths), protocol
        for path, attributes in found.items():
            dead = path.startswith("/dead")
            assert attributes["http.request.method"] == "GET"
            assert attributes["http.response.status_code"] == (503 if dead else 200)
            assert attributes.get("mesh.response_flags") == ("UF" if dead else None)
            assert isinstance(attributes["mesh.duration_ms"], float)
        if protocol == "otlp":
            assert_node(pairs(records[0], "resource"), "mesh-otel")
            assert found[paths[0]]["team"] == "a"


def test_datadog_tracer(shared_server, mesh, word):
    paths = requests(word, 20)
    ask(mesh, paths)
    query = {"q": f"service.name:edge {word}", "limit": 1_000, "from": "1971-01-01T00:00:00Z", "to": "2200-01-01T00:00:00Z"}
    spans = lambda: shared_server.answered("/api/v1/spans", **query)["spans"]
    until(lambda: len(spans()) >= len(paths), lambda: f"{len(paths)} spans, found {len(spans())}", every_s=0.2)
    found = spans()
    assert len(found) == len(paths)
    urls = [pairs(span, "attributes")["url.full"] for span in found]
    assert sorted(url.split("8443")[-1] for url in urls) == sorted(paths)
    for span in found:
        attributes = pairs(span, "attributes")
        assert attributes["http.request.method"] == "GET"
        assert attributes["http.response.status_code"] in (200, 503)
        assert span["trace_id"] == TRACE
