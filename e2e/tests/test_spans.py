"""Traces: real tracers, every span once with all of its fields, never among the logs, and found with its logs."""

import gzip
import json
import socket
import threading

import grpc
import jaeger_client.thrift_gen.jaeger.ttypes as jaeger
import pytest
from jaeger_client import Config
from jaeger_client.thrift_gen.agent import Agent
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, set_span_in_context

from py_zipkin import Encoding, Kind
from py_zipkin.encoding._encoders import get_encoder
from py_zipkin.encoding._helpers import Endpoint, Span
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TMessageType
from thrift.transport.TTransport import TMemoryBuffer

from support.envoy import Envoy
from support.http import Connection
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
            span = {"name": f"{word}-{n}", "traceId": f"{n:032x}", "spanId": f"{n:016x}", "startTimeUnixNano": START_NS}
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


def test_zipkin_exporter_of_opentelemetry(shared_server, word):
    endpoint = f"http://{shared_server.address('zipkin')}/api/v2/spans"
    exporter = ZipkinExporter(endpoint=endpoint, local_node_ipv4="10.0.0.1")
    provider = provider_for(exporter, f"{word}-shop")
    tracer = provider.get_tracer("checkout")
    for n in range(COUNT):
        start = START_NS + n * 1_000
        with tracer.start_as_current_span("root", kind=SpanKind.SERVER, start_time=start, end_on_exit=False) as root:
            child = tracer.start_span("child", kind=SpanKind.CLIENT, attributes={"n": n}, start_time=start + 1_000)
            child.add_event("retry", timestamp=start + 2_000)
            child.set_status(Status(StatusCode.ERROR, "refused"))
            child.end(start + 3_000)
            root.end(start + 2_500_000)
    assert provider.force_flush()
    provider.shutdown()
    found = wait_for_spans(shared_server, f"service.name:{word}-shop", 2 * COUNT)
    roots = {span["span_id"]: span for span in found if span["kind"] == "server"}
    children = [span for span in found if span["kind"] == "client"]
    assert sorted(pairs(child, "attributes")["n"] for child in children) == sorted(str(n) for n in range(COUNT))
    for child in children:
        root, n = roots[child["parent_span_id"]], int(pairs(child, "attributes")["n"])
        assert root["trace_id"] == child["trace_id"]
        assert (root["time_ns"], root["duration_ms"]) == (str(START_NS + n * 1_000), 2.5)
        assert (child["name"], child["status_code"], child["status_message"]) == ("child", "error", "refused")
        assert len(child["events"]) == 1
        assert pairs(child, "attributes")["network.local.address"] == "10.0.0.1"


ZIPKIN_FORMS = {
    "v2-json": (Encoding.V2_JSON, "/api/v2/spans", "application/json"),
    "v2-proto": (Encoding.V2_PROTO3, "/api/v2/spans", "application/x-protobuf"),
    "v1-json": (Encoding.V1_JSON, "/api/v1/spans", ""),
}


@pytest.mark.parametrize("form", ZIPKIN_FORMS)
@pytest.mark.parametrize("sent_as", ["plain", "gzip", "main-port"])
def test_py_zipkin(shared_server, word, form, sent_as):
    encoding, path, content_type = ZIPKIN_FORMS[form]
    encoder = get_encoder(encoding)
    here, there = Endpoint(f"{word}-shop", "10.0.0.1", None, 80), Endpoint("cart", "10.0.0.2", None, 0)
    encoded = []
    for n in range(COUNT):
        at = float(1_795_168_800 + n)
        span = Span(
            f"{n + 1:016x}", f"get-{n}", "b7" if n % 2 else None, f"{n + 1:016x}",
            Kind.CLIENT if n % 3 else Kind.SERVER, at, 0.0025, here, there, False, False, {"retry": float(at + 1)}, {"n": str(n)},
        )  # fmt: skip
        encoded.append(encoder.encode_span(span))
    body = encoder.encode_queue(encoded)
    body = body.encode() if isinstance(body, str) else body
    headers = {"content-type": content_type} if content_type else {}
    url = shared_server.url if sent_as == "main-port" else f"http://{shared_server.address('zipkin')}"
    if sent_as == "gzip":
        body, headers["content-encoding"] = gzip.compress(body), "gzip"
    with Connection(url) as connection:
        answer = connection.post(("/zipkin" if sent_as == "main-port" else "") + path, body, headers)
    assert (answer.status, answer.text) == (202, "")
    found = {span["name"]: span for span in spans(shared_server, f"service.name:{word}-shop")}
    assert len(found) == COUNT
    for n in range(COUNT):
        span = found[f"get-{n}"]
        assert (span["trace_id"], span["span_id"]) == (f"{n + 1:032x}", f"{n + 1:016x}")
        assert span["parent_span_id"] == ("00000000000000b7" if n % 2 else None)
        assert span["kind"] == ("client" if n % 3 else "server")
        assert (span["time_ns"], span["duration_ms"]) == (str((1_795_168_800 + n) * 10**9), 2.5)
        assert [(event["name"], event["time_ns"]) for event in span["events"]] == [
            ("retry", str((1_795_168_801 + n) * 10**9))
        ]
        attributes = pairs(span, "attributes")
        assert (attributes["n"], attributes["peer.service"]) == (str(n), "cart")
        assert (attributes["network.peer.address"], attributes["network.local.port"]) == ("10.0.0.2", 80)
        assert "network.peer.port" not in attributes


def test_envoy_traces_to_zipkin(shared_server, tmp_path):
    with Envoy(tmp_path, shared_server.port("zipkin")) as envoy:
        with Connection(f"http://127.0.0.1:{envoy.port}") as connection:
            for n in range(20):
                assert connection.get(f"/traced/{n}/200").status == 200
        found = []

        def all_arrived():
            traced = {span["trace_id"] for span in spans(shared_server, '"traced"')}
            found[:] = [span for trace in traced for span in trace_of(shared_server, trace)["spans"]]
            return len(found) >= 40

        until(all_arrived, lambda: f"40 spans of Envoy's, found {len(found)}", every_s=0.2)
    assert len(found) == 40
    servers = {span["span_id"]: span for span in found if span["kind"] == "server"}
    clients = [span for span in found if span["kind"] == "client"]
    assert len(servers) == len(clients) == 20
    for client in clients:
        server = servers[client["parent_span_id"]]
        assert server["trace_id"] == client["trace_id"]
        assert pairs(server, "attributes")["http.status_code"] == "200"
        assert server["duration_ms"] >= client["duration_ms"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 202, ""),
        (b"[]", 202, ""),
        (b"<xml>", 400, "JSON or protobuf"),
        (b'[{"traceId":"zz"},{"traceId":"ab","name":"kept"}]', 400, "1 spans were not stored, all others were: span 0"),
    ],
)
def test_zipkin_answers(shared_server, body, status, said):
    with Connection(f"http://{shared_server.address('zipkin')}") as connection:
        answer = connection.post("/api/v2/spans", body, {})
    assert answer.status == status
    assert said in answer.text


def jaeger_batch(word, count):
    string, number = jaeger.TagType.STRING, jaeger.TagType.LONG
    spans = [
        jaeger.Span(
            n + 1, 0, n + 1, 0, f"get-{n}", None, 1, 1_795_168_800_000_000 + n, 2_500,
            [jaeger.Tag("span.kind", string, vStr="server"), jaeger.Tag("n", number, vLong=n)],
            [jaeger.Log(1_795_168_800_000_001, [jaeger.Tag("event", string, vStr="retry")])],
        )
        for n in range(count)
    ]  # fmt: skip
    return jaeger.Batch(jaeger.Process(f"{word}-shop", [jaeger.Tag("hostname", string, vStr="web-1")]), spans)


def check_jaeger(server, word, count):
    found = {span["name"]: span for span in wait_for_spans(server, f"service.name:{word}-shop", count)}
    for n in range(count):
        span = found[f"get-{n}"]
        assert (span["trace_id"], span["span_id"], span["parent_span_id"]) == (f"{n + 1:032x}", f"{n + 1:016x}", None)
        assert (span["kind"], span["attributes"], span["flags"]) == ("server", [["n", n]], 1)
        assert (span["time_ns"], span["duration_ms"]) == (str(START_NS + n * 1_000), 2.5)
        assert [event["name"] for event in span["events"]] == ["retry"]
        assert pairs(span, "resource")["host.name"] == "web-1", "Jaeger calls it `hostname`"


def test_jaeger_client_over_compact_udp(shared_server, word):
    agent = {
        "reporting_host": "127.0.0.1",
        "reporting_port": shared_server.port("jaeger-compact"),
        "sampling_port": shared_server.port("jaeger-sampling"),
    }
    config = Config(
        config={"local_agent": agent, "sampling_refresh_interval": 1, "reporter_queue_size": 1_000},
        service_name=f"{word}-shop",
        validate=True,
    )
    # The sampler begins with a thousandth, and goes on with what it is told.
    tracer = config.new_tracer()
    until(lambda: tracer.sampler.is_sampled(1 << 62, "probe")[0], "jaeger-client is told to sample everything")
    count = 100
    for n in range(count):
        root = tracer.start_span("root", tags={"span.kind": "server"})
        child = tracer.start_span("child", child_of=root)
        child.set_tag("n", n)
        child.set_tag("error", True)
        child.log_kv({"event": "retry", "why": "slow"})
        child.finish()
        root.finish()
    closed = tracer.close()
    until(closed.done, "jaeger-client flushes")
    found = wait_for_spans(shared_server, f"service.name:{word}-shop", 2 * count)
    roots = {span["span_id"]: span for span in found if span["name"] == "root"}
    children = [span for span in found if span["name"] == "child"]
    assert sorted(pairs(child, "attributes")["n"] for child in children) == list(range(count))
    for child in children:
        root = roots[child["parent_span_id"]]
        assert (root["kind"], root["trace_id"]) == ("server", child["trace_id"])
        assert child["status_code"] == "error"
        assert child["events"][0]["name"] == "retry"
        assert child["events"][0]["attributes"] == [["why", "slow"]]


def test_jaeger_thrift_over_binary_udp_and_http(shared_server, word):
    memory = TMemoryBuffer()
    protocol = TBinaryProtocol(memory)
    protocol.writeMessageBegin("emitBatch", TMessageType.ONEWAY, 1)
    Agent.emitBatch_args(jaeger_batch(word, 20)).write(protocol)
    protocol.writeMessageEnd()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.sendto(memory.getvalue(), ("127.0.0.1", shared_server.port("jaeger-binary")))
    check_jaeger(shared_server, word, 20)
    for prefix, url in [("", f"http://{shared_server.address('jaeger-http')}"), ("/jaeger", shared_server.url)]:
        other, memory = word + (prefix[1:] or "http"), TMemoryBuffer()
        jaeger_batch(other, COUNT).write(TBinaryProtocol(memory))
        with Connection(url) as connection:
            headers = {"content-type": "application/x-thrift"}
            answer = connection.post(f"{prefix}/api/traces?format=jaeger.thrift", memory.getvalue(), headers)
            assert (answer.status, answer.text) == (202, "")
            answer = connection.post(f"{prefix}/api/traces", b"not thrift", headers)
            assert answer.status == 400
            assert "Jaeger batch in Thrift" in answer.text
            sampling = connection.get(f"{prefix}/sampling?service=shop").json()
            assert sampling["probabilisticSampling"]["samplingRate"] == 1
        check_jaeger(shared_server, other, COUNT)


def test_jaeger_over_grpc(shared_server, word):
    """No package has this service's client: the message is written by hand."""

    def field(tag, value):
        return bytes([tag << 3 | 2, len(value)]) + value

    span = field(1, bytes(15) + b"\x07") + field(2, bytes(7) + b"\x08") + field(3, b"get")
    batch = field(1, span) + field(2, field(1, f"{word}-shop".encode()))
    for address in [shared_server.address("jaeger-grpc"), shared_server.url.removeprefix("http://")]:
        with grpc.insecure_channel(address) as channel:
            assert channel.unary_unary("/jaeger.api_v2.CollectorService/PostSpans")(field(1, batch), timeout=60) == b""
            strategy = channel.unary_unary("/jaeger.api_v2.SamplingManager/GetSamplingStrategy")
            assert strategy(field(1, b"shop"), timeout=60)
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary("/jaeger.api_v2.CollectorService/PostSpans")(b"\xff", timeout=60)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    found = wait_for_spans(shared_server, f"service.name:{word}-shop", 2)
    assert {(span["trace_id"], span["name"]) for span in found} == {(f"{7:032x}", "get")}
