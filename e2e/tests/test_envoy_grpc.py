"""A real Envoy and all it can send by itself: its access log service, its OpenTelemetry and Fluentd access logs, its Datadog
tracer. Every request is one record of each, with the right fields."""

import json
import socket

import pytest

from support.envoy import TYPES, Envoy, address, cluster
from support.http import Connection
from support.server import pairs
from support.wait import until

NODE = {
    "id": "sidecar~10.0.0.1~cart-1.shop~shop.svc.cluster.local",
    "cluster": "cart",
    "locality": {"region": "eu", "zone": "eu-1"},
    "metadata": {"NAMESPACE": "shop", "NAME": "cart-1"},
}
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def http2(cluster):
    options = {"@type": f"type.googleapis.com/{OPTIONS}", "explicit_http_config": {"http2_protocol_options": {}}}
    return cluster | {"typed_extension_protocol_options": {OPTIONS: options}}


class Sender(Envoy):
    """`ports` are those of the receivers, by the name that `loggers` and `tracer` know them by."""

    def __init__(self, folder, ports, tcp=False):
        super().__init__(folder)
        self.ports, self.tcp = ports, tcp

    def config(self):
        config = super().config()
        config["node"] = NODE
        static = config["static_resources"]
        manager = static["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        manager["access_log"] += [logger for name, logger in loggers().items() if name in self.ports]
        if "datadog" in self.ports:
            provider = {"@type": "type.googleapis.com/envoy.config.trace.v3.DatadogConfig"}
            provider |= {"collector_cluster": "datadog", "service_name": "edge"}
            manager["tracing"] = {"provider": {"name": "envoy.tracers.datadog", "typed_config": provider}}
        for name, port in self.ports.items():
            made = cluster(name, port)
            static["clusters"].append(http2(made) if name in ("als", "otlp") else made)
        if self.tcp:
            static["listeners"].append(tcp_listener(grpc_logger("tcp_grpc", "TcpGrpcAccessLogConfig", "mesh-tcp")))
        return config


def grpc_logger(name, kind, log_name, **more):
    common = {
        "log_name": log_name,
        "grpc_service": {"envoy_grpc": {"cluster_name": "als"}},
        "transport_api_version": "V3",
        "buffer_flush_interval": "0.1s",
        "custom_tags": [{"tag": "team", "literal": {"value": "a"}}],
        # Envoy opens a broken stream again at once.
        "grpc_stream_retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}},
    }
    kind = f"{TYPES}.access_loggers.grpc.v3.{kind}"
    return {"name": f"envoy.access_loggers.{name}", "typed_config": {"@type": kind, "common_config": common, **more}}


def loggers():
    line = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% "
    line += "%BYTES_SENT% %DURATION% - \"-\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\""
    otel = {
        "@type": f"{TYPES}.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
        "common_config": {
            "log_name": "mesh-otel",
            "grpc_service": {"envoy_grpc": {"cluster_name": "otlp"}},
            "transport_api_version": "V3",
            "buffer_flush_interval": "0.1s",
        },
        "body": {"string_value": line},
        "attributes": {"values": [{"key": "team", "value": {"string_value": "a"}}]},
    }
    fluentd = {
        "@type": f"{TYPES}.access_loggers.fluentd.v3.FluentdAccessLogConfig",
        "cluster": "fluentd",
        "tag": "mesh-fluentd",
        "stat_prefix": "fluentd",
        "buffer_flush_interval": "0.1s",
        "record": {
            "method": "%REQ(:METHOD)%",
            "path": "%REQ(:PATH)%",
            "response_code": "%RESPONSE_CODE%",
            "response_flags": "%RESPONSE_FLAGS%",
            "upstream_cluster": "%UPSTREAM_CLUSTER%",
            "duration": "%DURATION%",
        },
    }
    headers = {
        "additional_request_headers_to_log": ["traceparent", "x-team"],
        "additional_response_headers_to_log": ["content-length"],
    }
    return {
        "als": grpc_logger("http_grpc", "HttpGrpcAccessLogConfig", "mesh-http", **headers),
        "otlp": {"name": "envoy.access_loggers.open_telemetry", "typed_config": otel},
        "fluentd": {"name": "envoy.access_loggers.fluentd", "typed_config": fluentd},
    }


def tcp_listener(logger):
    proxy = {
        "@type": f"{TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "tcp",
        "cluster": "shop",
        "access_log": [logger],
    }
    filters = [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]
    return {"name": "tcp", "address": address(0), "filter_chains": [{"filters": filters}]}


def listener_port(envoy, name):
    with Connection(f"http://{(envoy.folder / 'admin').read_text().strip()}") as admin:
        statuses = admin.get("/listeners?format=json").json()["listener_statuses"]
    return next(one["local_address"]["socket_address"]["port_value"] for one in statuses if one["name"] == name)


def ask(envoy, paths):
    with Connection(f"http://127.0.0.1:{envoy.port}") as connection:
        for path in paths:
            headers = {"host": "shop.example:8443", "user-agent": "e2e", "x-team": "blue"}
            headers["traceparent"] = f"00-{TRACE}-00f067aa0ba902b7-01"
            answer = connection.request("GET", path, None, headers)
            assert answer.status == (503 if path.startswith("/dead") else 200), answer.text


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


def test_a_server_that_is_killed(make_server, word, tmp_path):
    """Nothing that was stored is lost, and after the restart everything arrives again. What Envoy had written to the connection
    that broke is lost: the protocol has no acks."""
    server = make_server().start()
    port = server.port("envoy-als")
    # The same port again after the restart.
    config = server.config.read_text()
    server.config.write_text(config.replace('envoy_als: "127.0.0.1:0"', f'envoy_als: "127.0.0.1:{port}"'))
    with Sender(tmp_path, {"als": port}) as envoy:
        first = [f"/{word}/before{n}/200" for n in range(200)]
        ask(envoy, first)
        server.wait_for(word, len(first))
        server.kill()
        ask(envoy, [f"/{word}/between{n}/200" for n in range(50)])
        server.start()
        last = [f"/{word}/after{n}/200" for n in range(50)]
        arrived = lambda: {pairs(one, "attributes")["url.path"] for one in server.find(word)}

        def is_back():
            ask(envoy, [f"/{word}/probe/200"])
            return f"/{word}/probe/200" in arrived()

        until(is_back, "Envoy opens its stream again", every_s=0.5)
        ask(envoy, last)
        until(lambda: set(last) <= arrived(), "what was sent after the restart")
    records = [pairs(one, "attributes")["url.path"] for one in server.find(word)]
    assert sorted(path for path in records if "before" in path) == sorted(first)
    assert sorted(path for path in records if "after" in path) == sorted(last)
    between = [path for path in records if "between" in path]
    assert len(between) == len(set(between))
