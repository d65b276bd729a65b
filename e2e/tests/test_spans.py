"""Traces: real tracers, every span once with all of its fields, never among the logs, and found with its logs."""

import json
import threading

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, set_span_in_context

from support.server import EVERYTHING, pairs
from support.wait import until

START_NS = 1_795_168_800_000_000_000  # 2026-11-20T10:00:00Z
COUNT = 300


def spans(server, q, **parameters):
    return server.answered("/api/v1/spans", q=q, limit=10_000, **{**EVERYTHING, **parameters})["spans"]


def wait_for_spans(server, q, count):
    found = []

    def enough():
        found[:] = spans(server, q)
        return len(found) >= count

    until(enough, lambda: f"{count} spans for {q!r}, found {len(found)}", every_s=0.1)
    assert len(found) == count, f"{q!r} finds {len(found)} spans, {count} were sent"
    return found


def otlp_exporter(server, name):
    url = f"http://{server.address('otlp-http')}/v1/traces"
    match name:
        case "grpc":
            return GrpcExporter(endpoint=f"http://{server.address('otlp-grpc')}", insecure=True)
        case "grpc-main-port":
            return GrpcExporter(endpoint=server.url, insecure=True)
        case "http":
            return HttpExporter(endpoint=url)
        case "http-gzip":
            return HttpExporter(endpoint=url, compression=Compression.Gzip)


def provider_for(exporter, service):
    provider = TracerProvider(resource=Resource({"service.name": service, "host.cpu.count": 8}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=64))
    return provider


def trace_of(server, trace_id):
    return server.answered(f"/api/v1/traces/{trace_id}")


@pytest.mark.parametrize("exporter", ["grpc", "http", "http-gzip", "grpc-main-port"])
def test_opentelemetry_sdk(shared_server, word, exporter):
    provider = provider_for(otlp_exporter(shared_server, exporter), f"{word}-shop")
    tracer = provider.get_tracer("checkout", "0.9", attributes={"scope.flag": True})
    sent = {}
    other = SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, True, TraceFlags(1))
    for n in range(COUNT):
        start = START_NS + n * 1_000
        root = tracer.start_span(f"{word} GET /cart", kind=SpanKind.SERVER, start_time=start, attributes={"n": n})
        link = Link(other, {"why": "retry"})
        child = tracer.start_span(
            "charge", set_span_in_context(root), SpanKind.CLIENT, {"n": n, "ok": n % 2 == 0}, [link], start + 10
        )
        child.add_event("exception", {"exception.message": f"card {n} refused"}, start + 20)
        if n % 3 == 0:
            child.set_status(Status(StatusCode.ERROR, "refused"))
        child.end(start + 30)
        root.end(start + 2_500_000)
        sent[n] = root.get_span_context(), child.get_span_context()
    assert provider.force_flush()
    provider.shutdown()

    service = f'service.name:"{word}-shop"'
    found = wait_for_spans(shared_server, service, 2 * COUNT)
    roots = {pairs(span, "attributes")["n"]: span for span in found if span["parent_span_id"] is None}
    children = {pairs(span, "attributes")["n"]: span for span in found if span["parent_span_id"]}
    assert sorted(roots) == sorted(children) == list(range(COUNT))
    for n, (root, child) in sent.items():
        start = START_NS + n * 1_000
        got = roots[n]
        assert (got["trace_id"], got["span_id"]) == (f"{root.trace_id:032x}", f"{root.span_id:016x}")
        assert (got["name"], got["kind"], got["status_code"]) == (f"{word} GET /cart", "server", "unset")
        assert (got["time_ns"], got["end_ns"], got["duration_ms"]) == (str(start), str(start + 2_500_000), 2.5)
        assert got["service"] == f"{word}-shop"
        assert pairs(got, "resource")["host.cpu.count"] == 8
        assert got["scope"] == {"name": "checkout", "version": "0.9", "attributes": [["scope.flag", True]]}
        got = children[n]
        assert (got["span_id"], got["parent_span_id"]) == (f"{child.span_id:016x}", f"{root.span_id:016x}")
        assert got["attributes"] == [["n", n], ["ok", n % 2 == 0]]
        assert (got["status_code"], got["status_message"]) == (("error", "refused") if n % 3 == 0 else ("unset", ""))
        (event,) = got["events"]
        assert (event["name"], event["time_ns"]) == ("exception", str(start + 20))
        assert event["attributes"] == [["exception.message", f"card {n} refused"]]
        (link,) = got["links"]
        assert (link["trace_id"], link["span_id"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
        assert link["attributes"] == [["why", "retry"]]
    assert shared_server.find(service) == [], "no span is a log"
    errors = spans(shared_server, f'{service} and span.status.code:error and span.kind:client and "refused"')
    assert len(errors) == len(range(0, COUNT, 3))
    table = shared_server.sql(f"""
        select kind, count(*), sum(case when status_code = 'error' then 1 else 0 end), max(duration_ms), min("end")
        from spans where "service.name" = '{word}-shop' group by kind order by kind""")
    assert table["rows"] == [
        ["client", COUNT, len(errors), 0.00002, "2026-11-20T10:00:00.000000030Z"],
        ["server", COUNT, 0, 2.5, "2026-11-20T10:00:00.002500000Z"],
    ]


def test_a_trace_with_its_logs(shared_server, word):
    provider = provider_for(otlp_exporter(shared_server, "http"), f"{word}-shop")
    with provider.get_tracer("t").start_as_current_span("root") as root:
        trace_id = f"{root.get_span_context().trace_id:032x}"
    assert provider.force_flush()
    provider.shutdown()
    shared_server.ingest([{"message": f"{word} said", "trace_id": trace_id}, {"message": f"{word} other"}])
    found = trace_of(shared_server, trace_id.upper())
    assert [span["name"] for span in found["spans"]] == ["root"]
    assert [record["body"] for record in found["logs"]] == [f"{word} said"]
    assert (found["trace_id"], found["more_spans"], found["more_logs"]) == (trace_id, False, False)
    asked = f"""select count(*) from audit where "audit.object" = 'traces/{trace_id}'"""
    assert shared_server.sql(asked)["rows"][0][0] >= 1, "the reading of a trace is in the audit trail"
    for path, status, said in [
        ("f" * 32, 404, "no span and no record carries the trace id"),
        ("xyz", 400, "hexadecimal"),
        ("0" * 32, 400, "hexadecimal"),
        (f"{trace_id}?spans=0", 400, "`spans`"),
    ]:
        answer = shared_server.get(f"/api/v1/traces/{path}")
        assert answer.status == status, answer.text
        assert said in answer.text
    assert shared_server.get("/api/v1/fields", dataset="bad").status == 400
    fields = shared_server.answered("/api/v1/fields", dataset="spans", q=f"service.name:{word}-shop", **EVERYTHING)
    assert {"span.name", "span.kind", "service.name"} <= {field["name"] for field in fields["fields"]}


def test_kill_9_loses_no_acknowledged_span(make_server, word):
    """Spans are acknowledged while the server dies again and again: what was acknowledged is there, and verified."""
    server = make_server("killed").start()
    acked, stop = [], threading.Event()

    def send():
        n = 0
        while not stop.is_set():
            n += 1
            span = {"name": f"{word}-{n}", "traceId": f"{n:032x}", "spanId": f"{n:016x}", "startTimeUnixNano": START_NS + n}
            body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
            try:
                with server.connect() as connection:
                    answer = connection.post("/v1/traces", json.dumps(body), {"content-type": "application/json"})
            except (OSError, TypeError):
                continue
            if answer.status == 200:
                acked.append(n)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(3):
            enough = len(acked) + 50
            until(lambda enough=enough: len(acked) >= enough, "spans are acknowledged")
            server.kill()
            server.start()
    finally:
        stop.set()
        sender.join()
    names = [span["name"] for span in spans(server, "")]
    missing = {f"{word}-{n}" for n in acked} - set(names)
    assert not missing, f"{len(missing)} of {len(acked)} acknowledged spans are gone"
    server.stop()
    checked = server.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr
