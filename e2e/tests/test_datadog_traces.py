"""Traces of Datadog's own tracer: every span once, with its ids, fields, links and events, whichever version it speaks."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from support.http import Connection
from support.server import EVERYTHING, pairs
from support.wait import until

COUNT = 60
TRACER = textwrap.dedent("""
    import json, sys
    from ddtrace.trace import tracer

    word, count = sys.argv[1], int(sys.argv[2])
    sent = []
    for n in range(count):
        with tracer.trace("web.request", service=word + "-shop", resource="GET /cart", span_type="web") as root:
            root.set_tag("span.kind", "server")
            root.set_tag("http.method", "GET")
            root.set_tag("http.status_code", "500")
            root.set_tag("http.url", "http://shop.example/cart?n=%d" % n)
            root.set_metric("n", n)
            with tracer.trace("pay.charge") as child:
                child.set_tag("span.kind", "client")
                child.set_tag("peer.service", "pay")
                child._add_event("retry", {"attempt": 2, "why": ["slow", "late"], "ok": True, "after": 1.5})
                child.link_span(root.context, {"reason": "test"})
                child._set_struct_tag("appsec", {"rules": [1, 2]})
                try:
                    raise ValueError("card refused")
                except ValueError:
                    child.set_traceback()
        for span, parent in [(root, None), (child, root)]:
            sent.append({
                "trace": "%032x" % span.trace_id, "span": "%016x" % span.span_id,
                "parent": parent and "%016x" % parent.span_id,
                "start_ns": span.start_ns, "duration_ns": span.duration_ns,
            })
        if n % 20 == 19:
            tracer.flush()
    tracer.shutdown()
    print(json.dumps(sent))
""")


def trace(server, word, version):
    environment = {
        "DD_TRACE_AGENT_URL": f"http://{server.address('datadog-traces')}",
        "DD_TRACE_API_VERSION": version,
        "DD_SERVICE": f"{word}-shop",
        "DD_ENV": "prod",
        "DD_VERSION": "1.2",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "true",
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-c", TRACER, word, str(COUNT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return {span["span"]: span for span in json.loads(done.stdout.splitlines()[-1])}, done.stderr


def spans_of(server, word, count):
    query = {"q": f"service.name:{word}-shop", "limit": 10_000, **EVERYTHING}
    spans = lambda: server.answered("/api/v1/spans", **query)["spans"]
    until(lambda: len(spans()) >= count, lambda: f"{count} spans, found {len(spans())}", every_s=0.2)
    found = {span["span_id"]: span for span in spans()}
    assert len(spans()) == len(found) == count
    return found


@pytest.mark.parametrize("version", ["v0.4", "v0.5"])
def test_ddtrace(shared_server, word, version):
    sent, said = trace(shared_server, word, version)
    assert "failed" not in said.lower(), said
    found = spans_of(shared_server, word, 2 * COUNT)
    for id, span in sent.items():
        got = found[id]
        assert (got["trace_id"], got["parent_span_id"]) == (span["trace"], span["parent"])
        assert round(got["duration_ms"] * 1_000_000) == span["duration_ns"]
        resource, attributes = pairs(got, "resource"), pairs(got, "attributes")
        assert (resource["deployment.environment.name"], resource["service.version"]) == ("prod", "1.2")
        assert (resource["telemetry.sdk.language"], resource["logkeep.protocol"]) == ("python", "datadog-traces")
        if span["parent"]:
            check_child(got, attributes, span, version)
        else:
            check_root(got, attributes)
    roots = [span for span in found.values() if span["parent_span_id"] is None]
    assert sorted(int(pairs(span, "attributes")["n"]) for span in roots) == list(range(COUNT))


def check_root(got, attributes):
    assert (got["name"], got["kind"], got["status_code"]) == ("web.request", "server", "unset")
    assert (attributes["resource.name"], attributes["span.type"]) == ("GET /cart", "web")
    assert (attributes["http.request.method"], attributes["http.response.status_code"]) == ("GET", 500)
    assert attributes["url.full"].startswith("http://shop.example/cart?n=")


def check_child(got, attributes, span, version):
    assert (got["name"], got["kind"], got["status_code"]) == ("pay.charge", "client", "error")
    assert got["status_message"] == "card refused"
    assert (attributes["peer.service"], attributes["error.type"]) == ("pay", "builtins.ValueError")
    assert "ValueError: card refused" in attributes["exception.stacktrace"]
    [event] = got["events"]
    assert event["name"] == "retry"
    expected = {"attempt": 2, "why": ["slow", "late"], "ok": True, "after": 1.5}
    assert dict(event["attributes"]) == expected
    [link] = got["links"]
    assert (link["trace_id"], link["span_id"]) == (span["trace"], span["parent"])
    if version == "v0.4":
        assert attributes["meta_struct.appsec"] == {"rules": [1, 2]}


def test_what_tracers_ask_before(shared_server):
    with Connection(f"http://{shared_server.address('datadog-traces')}") as agent:
        info = agent.get("/info").json()
        assert {"/v0.4/traces", "/v0.5/traces", "/v0.7/traces"} <= set(info["endpoints"])
        for version in ["v0.4", "v0.5", "v0.7"]:
            answer = agent.request("PUT", f"/{version}/traces", b"", {"x-datadog-trace-count": "0"})
            assert (answer.status, answer.json()) == (200, {"rate_by_service": {"service:,env:": 1}})
        for path in ["/v0.6/stats", "/telemetry/proxy/api/v2/apmtelemetry"]:
            assert agent.post(path, b"{}", {}).status in (200, 202)
        answer = agent.post("/v0.4/traces", b"\x91\x91", {"x-datadog-trace-count": "1"})
        assert answer.status == 400
        assert "(1 traces)" in answer.text
        assert agent.post("/v1.0/traces", b"", {}).status == 404
