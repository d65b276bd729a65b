"""A real Envoy that sends its logs and traces by itself: to an access log service, over OpenTelemetry and Fluentd, to Datadog."""

from .envoy import TYPES, Envoy, address, cluster
from .http import Connection

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
