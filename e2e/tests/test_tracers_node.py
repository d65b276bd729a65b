"""Traces of the tracers for Node: every span once, with its ids, fields and parent."""

import json
import subprocess
from pathlib import Path

import pytest

from support.server import EVERYTHING, pairs
from support.wait import until

NODE = Path(__file__).resolve().parents[1] / "node"
COUNT = 250
PORTS = {"jaeger-udp": "jaeger-binary", "jaeger-http": "jaeger-http", "zipkin-v1": "zipkin", "zipkin-v2": "zipkin"}


@pytest.mark.parametrize("tracer", PORTS)
def test_node(shared_server, word, tracer):
    command = ["node", "spans.mjs", tracer, "127.0.0.1", str(shared_server.port(PORTS[tracer])), str(COUNT), word]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    sent = {span["span"]: span for span in json.loads(done.stdout)}
    assert len(sent) == 2 * COUNT

    query = {"q": f"service.name:{word}-shop", "limit": 10_000, **EVERYTHING}
    spans = lambda: shared_server.answered("/api/v1/spans", **query)["spans"]
    until(lambda: len(spans()) >= 2 * COUNT, lambda: f"{2 * COUNT} spans, found {len(spans())}", every_s=0.2)
    found = {span["span_id"]: span for span in spans()}
    assert len(spans()) == len(found) == 2 * COUNT
    for id, span in sent.items():
        got = found[id]
        assert (got["trace_id"], got["parent_span_id"]) == (span["trace"].rjust(32, "0"), span["parent"])
        if span["parent"]:
            assert (got["name"].lower(), got["kind"], got["status_code"]) == ("charge", "client", "error")
            assert [event["name"] for event in got["events"]] == ["retry"]
            assert tracer.startswith("jaeger") or pairs(got, "attributes")["peer.service"] == "pay"
        else:
            assert (got["name"].lower(), got["kind"], got["status_code"]) == ("get /cart", "server", "unset")
        assert not tracer.startswith("jaeger") or got["duration_ms"] == (2 if span["parent"] else 4)
    roots = [span for span in found.values() if span["parent_span_id"] is None]
    assert sorted(int(pairs(span, "attributes")["n"]) for span in roots) == list(range(COUNT))
    if tracer.startswith("jaeger"):
        assert {pairs(span, "resource")["host.cpu.count"] for span in roots} == {8}
        assert {span["time"] for span in roots} >= {"2026-11-20T10:00:00.000000000Z", "2026-11-20T10:00:00.249000000Z"}
