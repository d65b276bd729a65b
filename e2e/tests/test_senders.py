"""Real senders, each with its own library's idea of the protocol: every record arrives once, with its fields."""

import json
import logging
import math
import subprocess
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch, helpers
from logging_loki import LokiHandler
from opensearchpy import OpenSearch
from opensearchpy import helpers as opensearch_helpers
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from support.rsyslog import Rsyslog
from support.server import pairs

NODE = Path(__file__).resolve().parents[1] / "node"
START_NS = 1_795_168_800_123_456_789  # 2026-11-20T10:00:00.123456789Z
COUNT = 500
TEXT = 'straße\n\t"x"'


def by_number(records, number):
    """Records by the number in them, each of which must occur once."""
    found = {number(record): record for record in records}
    assert sorted(found) == list(range(len(records)))
    return found


def otlp_exporter(server, name):
    match name:
        case "grpc":
            return GrpcExporter(endpoint=f"http://{server.address('otlp-grpc')}", insecure=True)
        case "http":
            return HttpExporter(endpoint=f"http://{server.address('otlp-http')}/v1/logs")
        case "http-gzip":
            url = f"http://{server.address('otlp-http')}/v1/logs"
            return HttpExporter(endpoint=url, compression=HttpCompression.Gzip)
        case "grpc-main-port":
            return GrpcExporter(endpoint=server.url, insecure=True)


@pytest.mark.parametrize("exporter", ["grpc", "http", "http-gzip", "grpc-main-port"])
def test_opentelemetry_sdk(shared_server, word, exporter):
    resource = Resource({"service.name": f"{word}-shop", "service.version": "1.2.3", "host.cpu.count": 8})
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(otlp_exporter(shared_server, exporter), max_export_batch_size=64)
    )
    logger = provider.get_logger("checkout", "0.9", attributes={"scope.flag": True})
    for n in range(COUNT):
        span = SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E0000 + n, 0x00F067AA0BA90000 + n, True, TraceFlags(1))
        logger.emit(
            LogRecord(
                timestamp=START_NS + n,
                context=trace.set_span_in_context(NonRecordingSpan(span)),
                severity_number=SeverityNumber.ERROR if n % 2 else SeverityNumber.INFO2,
                severity_text="bad" if n % 2 else "fine",
                body={"what": word, "inner": {"n": n}} if n % 10 == 0 else f"{word} number {n}",
                attributes={"n": n, "ratio": n + 0.25, "odd": n % 2 == 1, "tags": ["a", "b"], "text": TEXT},
                event_name="payment.refused",
            )
        )
    assert provider.force_flush()
    provider.shutdown()

    records = by_number(shared_server.wait_for(word, COUNT), lambda record: pairs(record, "attributes")["n"])
    for n, record in records.items():
        sent = {"n": n, "ratio": n + 0.25, "odd": n % 2 == 1, "tags": ["a", "b"], "text": TEXT}
        assert record["time_ns"] == str(START_NS + n)
        assert record["time"] == f"2026-11-20T10:00:00.{123_456_789 + n:09}Z"
        assert record["severity_number"] == (17 if n % 2 else 10)
        assert record["severity_text"] == ("bad" if n % 2 else "fine")
        assert record["severity"] == ("error" if n % 2 else "info")
        assert record["trace_id"] == f"4bf92f3577b34da6a3ce929d0e0e{n:04x}"
        assert record["span_id"] == f"00f067aa0ba9{n:04x}"
        assert record["event_name"] == "payment.refused"
        assert record["service"] == f"{word}-shop"
        attributes = pairs(record, "attributes")
        if n % 10 == 0:
            # A structured body is kept as it came, and its members can be asked for.
            assert json.loads(record["body"]) == {"what": word, "inner": {"n": n}}
            assert attributes == sent | {"what": word, "inner.n": n}
        else:
            assert record["body"] == f"{word} number {n}"
            assert attributes == sent
        kept = pairs(record, "resource")
        assert (kept["service.name"], kept["service.version"], kept["host.cpu.count"]) == (f"{word}-shop", "1.2.3", 8)
        assert kept["logkeep.protocol"] == "otlp"
        assert record["scope"] == {"name": "checkout", "version": "0.9", "attributes": [["scope.flag", True]]}
    counted = shared_server.sql(f"""select count(*), sum(n) from logs where "service.name" = '{word}-shop'""")
    assert counted["rows"][0][0] == COUNT


def check_elasticsearch(server, word, index):
    records = by_number(server.wait_for(word, COUNT), lambda record: pairs(record, "attributes")["n"])
    for n, record in records.items():
        attributes = pairs(record, "attributes")
        assert record["body"] == f"{word} number {n}"
        assert record["time"] == f"2026-11-20T10:00:00.{n % 1000:03}000000Z"
        assert record["severity"] == ("error" if n % 2 else "info")
        assert record["service"] == f"{word}-service"
        assert attributes["elasticsearch.index"] == index
        assert attributes["elasticsearch.id"] == f"{word}-{n}"
        assert (attributes["ratio"], attributes["odd"]) == (n + 0.5, n % 2 == 1)
        assert math.isclose(attributes["ratio"], n + 0.5) and isinstance(attributes["n"], int)
        assert json.loads(record["original"])["message"] == f"{word} number {n}"
        assert pairs(record, "resource")["logkeep.protocol"] == "elasticsearch"


def documents(word, index, **more):
    for n in range(COUNT):
        yield {
            "_index": index,
            "_id": f"{word}-{n}",
            "@timestamp": datetime(2026, 11, 20, 10, 0, 0, n % 1000 * 1000, UTC).isoformat(),
            "message": f"{word} number {n}",
            "level": "error" if n % 2 else "info",
            "service": {"name": f"{word}-service"},
            "n": n,
            "ratio": n + 0.5,
            "odd": n % 2 == 1,
            **more,
        }


def test_elasticsearch_py_bulk(shared_server, word):
    client = Elasticsearch(f"http://{shared_server.address('elasticsearch')}", http_compress=True, max_retries=0)
    assert client.info()["version"]["number"] == "8.17.0"

    assert helpers.bulk(client, documents(word, "py-logs"), chunk_size=64) == (COUNT, [])
    check_elasticsearch(shared_server, word, "py-logs")
    # The same ids with the same bytes are stored once; created again, they are conflicts, item by item.
    assert helpers.bulk(client, documents(word, "py-logs"), chunk_size=64) == (COUNT, [])
    check_elasticsearch(shared_server, word, "py-logs")
    again = [document | {"_op_type": "create"} for document in documents(word, "py-logs")][:10]
    stored, errors = helpers.bulk(client, again, raise_on_error=False)
    assert (stored, [error["create"]["status"] for error in errors]) == (0, [409] * 10)
    assert len(shared_server.find(word)) == COUNT
    client.close()


def test_opensearch_py_bulk(shared_server, word):
    client = OpenSearch(f"http://{shared_server.address('elasticsearch')}", http_compress=True, max_retries=0)

    assert opensearch_helpers.bulk(client, documents(word, "os-logs", _op_type="index"), chunk_size=64) == (COUNT, [])
    check_elasticsearch(shared_server, word, "os-logs")
    # Put into other requests they are known all the same.
    stored, errors = opensearch_helpers.bulk(client, documents(word, "os-logs", _op_type="create"), chunk_size=50, raise_on_error=False)
    assert (stored, {error["create"]["status"] for error in errors}) == (0, {409})
    assert len(shared_server.find(word)) == COUNT
    client.close()


def test_elasticsearch_node_bulk(shared_server, word):
    url = f"http://{shared_server.address('elasticsearch')}"
    ran = subprocess.run(
        ["node", "bulk.mjs", url, str(COUNT), word], cwd=NODE, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"successful": COUNT, "failed": 0, "dropped": 0}
    check_elasticsearch(shared_server, word, "node-logs")


def rsyslog_lines(word):
    """RFC 5424, as an application writes it to the local rsyslog."""
    return [
        f"<{16 * 8 + (3 if n % 2 else 6)}>1 2026-11-20T10:00:00.{n:06}Z web-1 {word}-app {1000 + n} ID{n} "
        f'[meta@32473 n="{n}" quoted="a\\"b"] {word} number {n}'
        for n in range(COUNT)
    ]


@pytest.mark.parametrize("framing", ["traditional", "octet-counted"])
def test_rsyslog_tcp(shared_server, tmp_path, word, framing):
    action = (
        f'action(type="omfwd" target="127.0.0.1" port="{shared_server.port("syslog-tcp")}" protocol="tcp" '
        f'template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="{framing}")'
    )
    with Rsyslog(tmp_path, action) as rsyslog:
        rsyslog.send(rsyslog_lines(word))
        found = shared_server.wait_for(word, COUNT)
    records = by_number(found, lambda record: int(pairs(record, "attributes")["syslog.structured_data.meta@32473.n"]))
    for n, record in records.items():
        attributes, resource = pairs(record, "attributes"), pairs(record, "resource")
        assert record["body"] == f"{word} number {n}"
        assert record["time"] == f"2026-11-20T10:00:00.{n:06}000Z"
        assert record["severity"] == ("error" if n % 2 else "info")
        assert (attributes["syslog.facility.name"], attributes["syslog.facility.code"]) == ("local0", 16)
        assert attributes["syslog.msg.id"] == f"ID{n}"
        assert attributes["syslog.structured_data.meta@32473.quoted"] == 'a"b'
        assert (resource["host.name"], resource["service.name"], resource["process.pid"]) == (
            "web-1",
            f"{word}-app",
            1000 + n,
        )
        assert resource["logkeep.protocol"] == "syslog"
        assert record["original"].startswith(f"<{16 * 8 + (3 if n % 2 else 6)}>1 2026-11-20T10:00:00.")


def test_rsyslog_elasticsearch(shared_server, tmp_path, word):
    action = f"""
template(name="document" type="list" option.jsonf="on") {{
    property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="severity" name="syslogseverity-text" format="jsonf")
    property(outname="app_name" name="app-name" format="jsonf")
    property(outname="id" name="msgid" format="jsonf")
    property(outname="message" name="msg" format="jsonf")
}}
action(type="omelasticsearch" server="127.0.0.1" serverport="{shared_server.port("elasticsearch")}" bulkmode="on"
    template="document" searchIndex="rsyslog-logs" searchType="" errorFile="{tmp_path}/refused" queue.type="LinkedList"
    queue.dequeueBatchSize="50")
"""
    with Rsyslog(tmp_path, action, module='module(load="omelasticsearch")') as rsyslog:
        rsyslog.send(rsyslog_lines(word))
        found = shared_server.wait_for(word, COUNT)
    assert not (tmp_path / "refused").exists(), (tmp_path / "refused").read_text()
    records = by_number(found, lambda record: int(pairs(record, "attributes")["id"].removeprefix("ID")))
    for n, record in records.items():
        assert record["body"].strip() == f"{word} number {n}"
        assert record["time"] == f"2026-11-20T10:00:00.{n:06}000Z"
        assert record["severity"] == ("error" if n % 2 else "info")
        assert pairs(record, "attributes")["elasticsearch.index"] == "rsyslog-logs"
        resource = pairs(record, "resource")
        assert (resource["host.name"], record["service"]) == ("web-1", f"{word}-app")


@pytest.mark.parametrize("version", ["0", "1"])
def test_python_logging_loki(shared_server, word, version):
    path = {"0": "/api/prom/push", "1": "/loki/api/v1/push"}[version]
    handler = LokiHandler(f"http://{shared_server.address('loki')}{path}", tags={"app": f"{word}-app"}, version=version)
    failed = []
    handler.handleError = failed.append
    logger = logging.Logger(f"shop.{word}")
    logger.addHandler(handler)
    for n in range(COUNT // 5):
        level = logging.ERROR if n % 2 else logging.INFO
        logger.log(level, "%s number %d", word, n, extra={"tags": {"n": str(n)}})
    handler.close()
    assert not failed

    found = shared_server.wait_for(f'"{word} number"', COUNT // 5)
    records = by_number(found, lambda record: int(pairs(record, "resource")["n"]))
    for n, record in records.items():
        resource = pairs(record, "resource")
        assert record["body"] == f"{word} number {n}"
        assert record["severity"] == ("error" if n % 2 else "info")
        assert (resource["app"], resource["logger"], record["service"]) == (
            f"{word}-app",
            f"shop.{word}",
            f"{word}-app",
        )
        assert resource["logkeep.service.name.derived_from"] == "app"
        assert resource["logkeep.protocol"] == "loki"
        assert (
            0
            <= int(
                datetime.fromisoformat(record["received"]).timestamp()
                - datetime.fromisoformat(record["time"]).timestamp()
            )
            < 300
        )


def test_ndjson_as_curl_sends_it(shared_server, word):
    documents = [
        {
            "message": f"{word} number {n}",
            "service": f"{word}-service",
            "level": "warn",
            "n": n,
            "nested": {"deep": [n]},
        }
        for n in range(COUNT)
    ]
    body = "".join(json.dumps(document) + "\n" for document in documents)
    command = ["curl", "-sS", "--data-binary", "@-", f"{shared_server.url}/api/v1/ingest/ndjson"]
    ran = subprocess.run(command, input=body, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "received": COUNT,
        "stored": COUNT,
        "deduplicated": 0,
        "rejected": 0,
        "errors": [],
    }
    records = by_number(shared_server.wait_for(word, COUNT), lambda record: pairs(record, "attributes")["n"])
    for n, record in records.items():
        assert (record["body"], record["severity"], record["service"]) == (
            f"{word} number {n}",
            "warn",
            f"{word}-service",
        )
        assert pairs(record, "attributes")["nested.deep"] == [n]
        assert json.loads(record["original"]) == documents[n]
        assert pairs(record, "resource")["logkeep.protocol"] == "ndjson"


def test_the_example_on_the_empty_page_works(shared_server):
    """The command that the console shows to a new user."""
    example = shared_server.answered("/api/v1/status")["ingest_example"]
    before = len(shared_server.find('"hello from curl"'))
    ran = subprocess.run(example, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["stored"] == 1
    assert len(shared_server.find('"hello from curl"')) == before + 1


def test_a_batch_key_is_recognised(shared_server, word):
    documents = [{"message": f"{word} {n}"} for n in range(10)]
    first = shared_server.ingest(documents, key=f"{word}-key")
    again = shared_server.ingest(documents, key=f"{word}-key")
    assert (first["stored"], first["deduplicated"]) == (10, 0)
    assert (again["stored"], again["deduplicated"]) == (0, 10)
    assert len(shared_server.find(word)) == 10


def test_metrics_count_what_arrived(shared_server, word):
    def stored():
        with urllib.request.urlopen(f"{shared_server.url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return int(
            next(
                line for line in lines if line.startswith('logkeep_intake_records_stored_total{protocol="ndjson"}')
            ).split()[-1]
        )

    before = stored()
    shared_server.ingest([{"message": word}] * 7)
    assert stored() == before + 7
