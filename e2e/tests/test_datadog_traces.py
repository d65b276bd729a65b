"""Traces of Datadog's own tracers: every span once, with its ids, fields, links and events, whichever version they speak."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.http import Connection
from support.server import EVERYTHING, pairs
from support.wait import until

NODE = Path(__file__).resolve().parents[1] / "node"
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
            check_child(got, attributes, span, "builtins.ValueError")
            if version == "v0.4":
                assert attributes["meta_struct.appsec"] == {"rules": [1, 2]}
        else:
            check_root(got, attributes)
    check_numbers(found)


def node_trace(server, word, version, bits):
    environment = {
        "DD_TRACE_AGENT_PROTOCOL_VERSION": version,
        "DD_TRACE_128_BIT_TRACEID_GENERATION_ENABLED": str(bits == 128).lower(),
        "PATH": os.environ["PATH"],
    }
    ports = [str(server.port(name)) for name in ("datadog-traces", "datadog-http")]
    command = ["node", "datadog.mjs", *ports, str(COUNT), word]
    done = subprocess.run(command, cwd=NODE, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return {span["span"]: span for span in json.loads(done.stdout)}


@pytest.mark.parametrize(("version", "bits"), [("0.4", 128), ("0.5", 128), ("0.4", 64)])
def test_dd_trace_of_npm(shared_server, word, version, bits):
    sent = node_trace(shared_server, word, version, bits)
    assert len(sent) == 2 * COUNT
    found = spans_of(shared_server, word, 2 * COUNT)
    for id, span in sent.items():
        got = found[id]
        assert (got["trace_id"], got["parent_span_id"]) == (span["trace"], span["parent"])
        assert (span["trace"][:16] == "0" * 16) == (bits == 64)
        # It computes with numbers of 53 bits.
        assert got["time_ns"] == str(int(span["start_ms"] * 1e6))
        assert got["duration_ms"] == (2 if span["parent"] else 4)
        resource, attributes = pairs(got, "resource"), pairs(got, "attributes")
        assert (resource["service.name"], resource["telemetry.sdk.language"]) == (f"{word}-shop", "nodejs")
        assert (resource["deployment.environment.name"], resource["service.version"]) == ("prod", "1.2")
        assert (resource["telemetry.sdk.version"], resource["logkeep.protocol"]) == (span["tracer"], "datadog-traces")
        if span["parent"]:
            check_child(got, attributes, span, "TypeError")
            assert attributes["ok"] == span["ok"]
            assert got["events"][0]["time_ns"] == str((span["start_ms"] + 1) * 1_000_000)
        else:
            check_root(got, attributes)
    check_numbers(found)
    check_logs_of_traces(shared_server, word, sent)


def check_logs_of_traces(server, word, sent):
    """A log carries the ids that the tracer put into it, and is found by its trace, beside the spans."""
    for n, (root, child) in enumerate(zip(*[iter(sent.values())] * 2, strict=True)):
        trace = server.answered(f"/api/v1/traces/{root['trace']}")
        assert {span["span_id"] for span in trace["spans"]} == {root["span"], child["span"]}
        assert len(trace["spans"]) == 2 and not trace["more_spans"] and not trace["more_logs"]
        logs = {log["body"]: log for log in trace["logs"]}
        assert len(trace["logs"]) == len(logs) == 2
        for text, span in (("asked", root), ("charged", child)):
            log = logs[f"{word} {text} {n}"]
            assert (log["trace_id"], log["span_id"], log["service"]) == (span["trace"], span["span"], f"{word}-shop")
            assert (pairs(log, "attributes"), log["severity"]) == ({"n": n}, "info")
            resource = pairs(log, "resource")
            assert (resource["deployment.environment.name"], resource["service.version"]) == ("prod", "1.2")


def check_numbers(found):
    roots = [span for span in found.values() if span["parent_span_id"] is None]
    assert sorted(int(pairs(span, "attributes")["n"]) for span in roots) == list(range(COUNT))


def check_root(got, attributes):
    assert (got["name"], got["kind"], got["status_code"]) == ("web.request", "server", "unset")
    assert (attributes["resource.name"], attributes["span.type"]) == ("GET /cart", "web")
    assert (attributes["http.request.method"], attributes["http.response.status_code"]) == ("GET", 500)
    assert attributes["url.full"].startswith("http://shop.example/cart?n=")


def check_child(got, attributes, span, error):
    assert (got["name"], got["kind"], got["status_code"]) == ("pay.charge", "client", "error")
    assert got["status_message"] == "card refused"
    assert (attributes["peer.service"], attributes["error.type"]) == ("pay", error)
    assert f"{error.rsplit('.', 1)[-1]}: card refused" in attributes["exception.stacktrace"]
    [event] = got["events"]
    assert event["name"] == "retry"
    expected = {"attempt": 2, "why": ["slow", "late"], "ok": True, "after": 1.5}
    assert dict(event["attributes"]) == expected
    [link] = got["links"]
    assert (link["trace_id"], link["span_id"]) == (span["trace"], span["parent"])
    assert link["attributes"] == [["reason", "test"]]


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
