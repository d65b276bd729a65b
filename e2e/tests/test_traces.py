"""What is made of traces: the tree that the program prints, and which of a sender's requests come from a page."""

import json
import subprocess

import pytest
from support.http import Connection
from support.server import BINARY

START_NS = 1_795_168_800_000_000_000  # 2026-11-20T10:00:00Z
MS = 1_000_000


def logkeep(server, *arguments):
    command = [str(BINARY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=server.environment)


def send(server, service, spans):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    with server.connect() as connection:
        answer = connection.post("/v1/traces", json.dumps(body), {"content-type": "application/json"})
    assert (answer.status, answer.json()) == (200, {}), answer.text


def span(trace, own, parent, name, kind, at_ms, took_ms, **more):
    start = START_NS + at_ms * MS
    parent = {"parentSpanId": f"{parent:016x}"} if parent else {}
    times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + took_ms * MS)}
    return {"traceId": trace, "spanId": f"{own:016x}", "name": name, "kind": kind, **parent, **times, **more}


def test_a_trace_as_a_tree(shared_server, word):
    trace = word.encode().hex().rjust(32, "0")[-32:]
    refused = {"status": {"code": 2, "message": "card refused\x1b[2J"}}
    send(shared_server, "shop", [
        span(trace, 1, None, "GET /cart", 2, 0, 12),
        span(trace, 2, 1, "POST /charge", 3, 1, 8, **refused),
        span(trace, 5, 1, "render", 1, 10, 1),
        span(trace, 9, 8, "late", 1, 20, 1),
    ])  # fmt: skip
    send(shared_server, "pay", [span(trace, 3, 2, "POST /charge", 2, 2, 6)])
    told = {"trace_id": trace, "service.name": "pay", "level": "error"}
    shared_server.ingest([
        {**told, "message": "card refused", "span_id": f"{3:016x}", "time": "2026-11-20T10:00:00.003Z"},
        {**told, "message": "nobody's", "span_id": f"{77:016x}", "time": "2026-11-20T10:00:00.030Z"},
    ])  # fmt: skip
    printed = logkeep(shared_server, "trace", trace.upper())
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.splitlines() == [
        f"trace {trace}: 5 spans, 2 services, 2 log records, 2026-11-20T10:00:00.000000000Z",
        "     +0.000 ms      12.000 ms  shop GET /cart [server]",
        "     +1.000 ms       8.000 ms  ├─ shop POST /charge [client] error: card refused\\u{1b}[2J",
        "     +2.000 ms       6.000 ms  │  └─ pay POST /charge [server]",
        "     +3.000 ms                 │     └─ pay error: card refused",
        "    +10.000 ms       1.000 ms  └─ shop render [internal]",
        f"    +20.000 ms       1.000 ms  shop late [internal] (its parent {8:016x} is not here)",
        "    +30.000 ms                 pay error: nobody's",
    ]
    answer = json.loads(logkeep(shared_server, "trace", trace, "--json").stdout)
    assert [span["name"] for span in answer["spans"]] == ["GET /cart", "POST /charge", "POST /charge", "render", "late"]
    few = logkeep(shared_server, "trace", trace, "--spans", "2", "--logs", "1")
    assert few.returncode == 0
    assert few.stderr.splitlines() == [
        "warning: there are more; `--spans` says how many spans are shown",
        "warning: there are more; `--logs` says how many logs are shown",
    ]
    for id, said in [("f" * 31 + "0", "no span and no record carries the trace id"), ("../logs", "hexadecimal digits")]:
        refused = logkeep(shared_server, "trace", id)
        assert refused.returncode == 1
        assert said in refused.stderr


RECEIVERS = [
    ("otlp-http", "/v1/traces", b'{"resourceSpans":[]}', "application/json", 200),
    ("zipkin", "/api/v2/spans", b"[]", "application/json", 202),
    ("loki", "/loki/api/v1/push", b'{"streams":[]}', "application/json", 204),
    ("json-http", "/", b"[]", "application/json", 200),
]


@pytest.mark.parametrize("receiver", RECEIVERS, ids=[receiver[0] for receiver in RECEIVERS])
def test_receivers_take_any_host_but_nothing_from_a_page(shared_server, receiver):
    port, path, body, content_type, good = receiver
    url = f"http://{shared_server.address(port)}"

    def sent_with(**headers):
        # What is refused unread ends its connection.
        with Connection(url) as connection:
            return connection.post(path, body, {"content-type": content_type, **headers})

    for headers in [{}, {"host": "a-cluster"}, {"host": "logs.example:80", "sec-fetch-mode": "cors"}]:
        answer = sent_with(**headers)
        assert answer.status == good, answer.text
    for headers in [{"origin": url}, {"origin": "null"}, {"sec-fetch-site": "same-origin"}]:
        answer = sent_with(**headers)
        assert (answer.status, answer.json()["error"]["code"]) == (403, "forbidden")


def test_the_main_port_answers_to_this_machine_alone(shared_server):
    with shared_server.connect() as connection:
        for path in ["/api/v1/status", "/v1/traces"]:
            answer = connection.get(path, host="a-cluster")
            assert answer.status == 403, answer.text
        assert connection.get("/api/v1/status", origin="http://evil.example").status == 403
        assert connection.get("/api/v1/status", origin=shared_server.url).status == 200
