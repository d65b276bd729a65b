"""Real clients whose protocols have answers, while the server is killed and started again: what they were told is stored is there,
and in the end all of it, once where the protocol lets a retry be known."""

import json
import logging
import random
from collections import Counter

import opensearchpy
import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem
from elasticsearch import Elasticsearch, TransportError
from elasticsearch import helpers as elasticsearch_helpers
from logging_loki import LokiHandler
from logstash_async.transport import BeatsTransport
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from urllib3.exceptions import HTTPError

from support.kills import SETTINGS, Repeating, Run, repeated, verified

TIMEOUT_S = 5


def url(run, port, path=""):
    return f"http://127.0.0.1:{run.ports[port]}{path}"


def opensearch(run, number, texts):
    """In one request after the other, in another order each time: its documents are known by their ids."""
    documents = [{"_index": "web", "_id": text, "message": text} for text in texts]
    random.shuffle(documents)
    client = opensearchpy.OpenSearch(url(run, "elasticsearch"), timeout=TIMEOUT_S, max_retries=0)
    try:
        stored, errors = opensearchpy.helpers.bulk(client, documents, chunk_size=3, raise_on_error=False)
    except opensearchpy.exceptions.TransportError:
        return False
    finally:
        client.close()
    assert not errors, errors
    return stored == len(texts)


def elasticsearch(run, number, texts):
    documents = [{"_op_type": "create", "_index": "web", "_id": text, "message": text} for text in texts]
    with Elasticsearch(url(run, "elasticsearch"), request_timeout=TIMEOUT_S, max_retries=0) as client:
        try:
            stored, errors = elasticsearch_helpers.bulk(client, documents, chunk_size=5, raise_on_error=False)
        except TransportError:
            return False
    assert all(error["create"]["status"] == 409 for error in errors), errors
    return stored + len(errors) == len(texts)


def logs_of_an_sdk(texts):
    made = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(made))
    for n, text in enumerate(texts):
        provider.get_logger("shop").emit(LogRecord(timestamp=1_795_168_800_000_000_000 + n, body=text))
    return made.get_finished_logs()


def spans_of_an_sdk(texts):
    made = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(made))
    for text in texts:
        provider.get_tracer("shop").start_span(text).end()
    return made.get_finished_spans()


def exported(exporter, made):
    try:
        return exporter.export(made).name == "SUCCESS"
    finally:
        exporter.shutdown()


def otlp_grpc(run, number, texts):
    return exported(GrpcLogs(endpoint=url(run, "otlp-grpc"), insecure=True, timeout=TIMEOUT_S), logs_of_an_sdk(texts))


def otlp_http(run, number, texts):
    return exported(HttpLogs(endpoint=url(run, "otlp-http", "/v1/logs"), timeout=TIMEOUT_S), logs_of_an_sdk(texts))


def otlp_grpc_spans(run, number, texts):
    return exported(GrpcSpans(endpoint=url(run, "otlp-grpc"), insecure=True, timeout=TIMEOUT_S), spans_of_an_sdk(texts))


def otlp_http_spans(run, number, texts):
    return exported(HttpSpans(endpoint=url(run, "otlp-http", "/v1/traces"), timeout=TIMEOUT_S), spans_of_an_sdk(texts))


def zipkin_spans(run, number, texts):
    return exported(ZipkinExporter(endpoint=url(run, "zipkin", "/api/v2/spans"), timeout=TIMEOUT_S), spans_of_an_sdk(texts))


def datadog(run, number, texts):
    configuration = Configuration(server_operation_index={"submit_log": 1})
    address = {"protocol": "http", "name": f"127.0.0.1:{run.ports['datadog-http']}"}
    configuration.server_operation_variables = {"submit_log": address}
    configuration.api_key["apiKeyAuth"] = "k"
    with ApiClient(configuration) as client:
        try:
            LogsApi(client).submit_log(body=HTTPLog([HTTPLogItem(message=text) for text in texts]))
        except (ApiException, HTTPError):
            return False
    return True


def loki(run, number, texts):
    """Its handler says of each line whether it was taken."""
    failed = []
    handler = LokiHandler(url(run, "loki", "/loki/api/v1/push"), tags={"app": "shop"}, version="1")
    handler.handleError = failed.append
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    for text in texts:
        logger.info(text)
    handler.close()
    return not failed


def logstash_beats(run, number, texts):
    transport = BeatsTransport("127.0.0.1", run.ports["beats"], timeout=TIMEOUT_S, ssl_enable=False, ssl_verify=False,
                               keyfile=None, certfile=None, ca_certs=None, ssl_verify_flags=None)  # fmt: skip
    try:
        transport.send([json.dumps({"message": text}).encode() + b"\n" for text in texts])
    except Exception:
        # Whatever it says: it was not acked.
        return False
    finally:
        transport.close()
    return True


LOGS = [opensearch, elasticsearch, otlp_grpc, otlp_http, datadog, loki, logstash_beats]
SPANS = [otlp_grpc_spans, otlp_http_spans, zipkin_spans]
KNOWN_AGAIN = {"opensearch", "elasticsearch"}


@pytest.mark.parametrize("clients", [LOGS, SPANS], ids=["logs", "spans"])
def test_clients_that_are_answered(make_server, word, setting, say, clients):
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    run = Run(make_server(settings=SETTINGS).start(), word)
    bind = lambda client: lambda number, texts: client(run, number, texts)
    senders = [Repeating(run, client.__name__, bind(client), together=12) for client in clients]
    for sender in senders:
        sender.start()
    run.kill_while(senders, setting("E2E_RECEIVER_KILLS", 3), random.Random(seed))
    if clients is SPANS:
        rows = run.server.sql(f"select name, count(*) from spans where name like '{word} %' group by name")["rows"]
        found = Counter({name: int(count) for name, count in rows})
    else:
        found = run.stored()
    for sender in senders:
        lost = [text for text in sender.attempts if text not in found]
        assert not lost, f"{sender.word}, seed {seed}: {lost[:5]}"
        if sender.word.split()[1] in KNOWN_AGAIN:
            twice = [text for text in sender.attempts if found[text] > 1]
            assert not twice, f"{sender.word}, seed {seed}: {twice[:5]}"
    others = set(found) - {text for sender in senders for text in sender.attempts}
    assert not others, others
    attempts = sum((sender.attempts for sender in senders), Counter())
    assert all(sender.acked for sender in senders)
    say(f"{', '.join(client.__name__ for client in clients)}: {repeated(attempts)} (seed {seed})")
    verified(run.server)
