"""Services and who calls whom, of traces that a real OpenTelemetry SDK sent, held against what was sent."""

import json

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from support.http import Connection
from support.wait import until

START_NS = 1_795_168_800_000_000_000  # 2026-11-20T10:00:00Z
MS = 1_000_000
TRACES = 200
RANGE = {"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T10:10:00Z"}
SECONDS = 600


@pytest.fixture(scope="module")
def shop(shared_server):
    """`shop` serves a request: it asks `pay`, which asks a database without spans; it tells a queue that `mail` reads."""
    endpoint = f"http://{shared_server.address('otlp-http')}/v1/traces"
    providers = []

    def tracer(service):
        provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=endpoint)
        provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=5 * TRACES))
        providers.append(provider)
        return provider.get_tracer("test")

    shop, pay, mail, cron = tracer("shop"), tracer("pay"), tracer("mail"), tracer("cron")

    def made(tracer, name, kind, parent, at_ms, took_ms, failed=False, **attributes):
        context = set_span_in_context(parent) if parent else None
        start = START_NS + at_ms * MS
        span = tracer.start_span(name, context, kind, attributes, start_time=start)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(start + took_ms * MS)
        return span

    for n in range(TRACES):
        at = n * 1_000
        root = made(shop, "GET /cart", SpanKind.SERVER, None, at, n + 1, failed=n % 10 == 0)
        inner = made(shop, "check out", SpanKind.INTERNAL, root, at, n + 1)
        call = made(shop, "POST /charge", SpanKind.CLIENT, inner, at, 2 * (n + 1), n % 4 == 0, **{"server.address": "10.0.0.7"})
        served = made(pay, "POST /charge", SpanKind.SERVER, call, at + 1, n + 1)
        made(pay, "select", SpanKind.CLIENT, served, at + 1, 5, **{"server.address": "db.example"})
        if n % 2:
            told = made(shop, "orders publish", SpanKind.PRODUCER, root, at, 1, **{"messaging.destination.name": "orders"})
            # Seven minutes later, and for the last of them after the end of the range that is asked for.
            made(mail, "orders process", SpanKind.CONSUMER, told, at + 420_000, 3)
        if n % 50 == 0:
            made(cron, "sweep", SpanKind.INTERNAL, None, at, 7)
            made(cron, "ask", SpanKind.CLIENT, None, at, 7)
    for provider in providers:
        assert provider.force_flush()
        provider.shutdown()
    every = TRACES * 5 + TRACES // 2 * 2 + TRACES // 50 * 2
    count = lambda: shared_server.sql("select count(*) from spans")["rows"][0][0]
    until(lambda: count() == every, lambda: f"{every} spans, found {count()}")
    return shared_server


def percentile(values, part):
    """As SQL has it: between two neighbours in proportion."""
    values = sorted(values)
    place = part * (len(values) - 1)
    low = int(place)
    return values[low] + (place - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def by_spans(count):
    others = ["caller_proxy", "callee_proxy", "caller_connections", "callee_connections"]
    return {"measured_by": "spans", "seen_by": {"spans": count, **dict.fromkeys(others, 0)}}


def expected(counted, values, errors):
    percentiles = {f"p{round(100 * part)}": percentile(values, part) for part in [0.5, 0.95, 0.99]}
    return {
        counted: len(values),
        "rate": pytest.approx(len(values) / SECONDS),
        "errors": errors,
        "error_ratio": pytest.approx(errors / len(values)),
        "duration_ms": pytest.approx(percentiles, rel=1e-5),
        **by_spans(len(values)),
    }


UNMESHED = {"mesh": {"caller": None, "callee": None}, "mtls": None}


def expected_edge(values, errors):
    return {**expected("calls", values, errors), **UNMESHED}


EACH = list(range(1, TRACES + 1))
HALF = TRACES // 2


def test_services(shop):
    answer = shop.answered("/api/v1/services", **RANGE)
    read = [n for n in range(TRACES) if n % 2 and n * 1_000 + 420_000 < SECONDS * 1_000]
    assert answer["services"] == [
        {"service": "pay", **expected("requests", EACH, 0)},
        {"service": "shop", **expected("requests", EACH, len(range(0, TRACES, 10)))},
        {"service": "mail", **expected("requests", [3] * len(read), 0)},
        {"service": "cron", **expected("requests", [7] * (TRACES // 50 * 2), 0)},
    ]
    assert (answer["seconds"], answer["more"]) == (SECONDS, False)
    few = shop.answered("/api/v1/services", limit=2, **RANGE)
    assert ([one["service"] for one in few["services"]], few["more"]) == (["pay", "shop"], True)
    only = shop.answered("/api/v1/services", q="span.status.code:error", **RANGE)["services"]
    assert [(one["service"], one["requests"], one["error_ratio"]) for one in only] == [("shop", TRACES // 10, 1.0)]


def test_graph(shop):
    answer = shop.answered("/api/v1/graph", **RANGE)
    asked = expected_edge([2 * n for n in EACH], len(range(0, TRACES, 4)))
    edges = {(edge.pop("caller"), edge.pop("callee"), edge.pop("traced")): edge for edge in answer["edges"]}
    assert edges == {
        ("shop", "pay", True): asked,
        ("pay", "db.example", False): expected_edge([5] * TRACES, 0),
        ("shop", "mail", True): expected_edge([1] * HALF, 0),
        ("cron", None, False): expected_edge([7] * (TRACES // 50), 0),
    }, "whoever read a late message is found after the end of the range"
    few = shop.answered("/api/v1/graph", limit=1, **RANGE)
    assert (len(few["edges"]), few["more"]) == (1, True)
    assert shop.answered("/api/v1/graph", q="service.name:pay", **RANGE)["edges"][0]["callee"] == "db.example"


def test_zipkins_halves_that_share_an_id(make_server):
    server = make_server("zipkin").start()
    for path in ["services", "graph"]:
        answer = server.answered(f"/api/v1/{path}", **RANGE)
        assert (answer[path.replace("graph", "edges")], answer["more"]) == ([], False), "there are no spans yet"
    half = {"traceId": "7", "id": "8", "name": "get", "timestamp": START_NS // 1_000, "duration": 5_000}
    spans = [
        {**half, "kind": "CLIENT", "localEndpoint": {"serviceName": "shop"}, "remoteEndpoint": {"serviceName": "named"}},
        {**half, "kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "pay"}},
        {**half, "id": "9", "kind": "CLIENT", "localEndpoint": {"serviceName": "pay"}, "remoteEndpoint": {"serviceName": "bank"}},
    ]
    with Connection(f"http://{server.address('zipkin')}") as connection:
        for _ in range(2):
            # What is sent again are calls twice, but not calls of four.
            answer = connection.post("/api/v2/spans", json.dumps(spans), {"content-type": "application/json"})
            assert answer.status == 202, answer.text
    edges = server.answered("/api/v1/graph", **RANGE)["edges"]
    assert [(edge["caller"], edge["callee"], edge["traced"], edge["calls"]) for edge in edges] == [
        ("pay", "bank", False, 2),
        ("shop", "pay", True, 2),
    ]
    for wrong in ["limit=0", "limit=1001", "q=(", "from=never"]:
        assert server.get(f"/api/v1/graph?{wrong}").status == 400
    asked = """select count(*) from audit where "audit.object" = 'graph'"""
    assert server.sql(asked)["rows"][0][0] >= 2, "the question is in the audit trail"
