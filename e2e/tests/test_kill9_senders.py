"""Real senders while the server is killed: what was stored stays stored, and they go on by themselves. Where their protocol has answers
nothing is lost; the others are in `test_goes_on`, because only they know what they let go."""

import itertools
import json
import logging
import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import graypy
import pytest
from fluent.sender import FluentSender
from jaeger_client import Config
from logstash_async.constants import constants as logstash_constants
from logstash_async.handler import AsynchronousLogstashHandler

from support import journal
from support.envoy import Envoy
from support.envoy_sender import Sender, ask
from support.kills import verified
from support.proxies import haproxy, haproxy_over_tcp, nginx
from support.rsyslog import QUEUE, Rsyslog, lose_nothing_in_kills
from support.server import EVERYTHING
from support.wait import until

NODE = Path(__file__).resolve().parents[1] / "node"
COUNT = 40


def path(text):
    """Of a request that a proxy logs, with the text in it."""
    return "/" + text.replace(" ", "/") + "/200"


@contextmanager
def fluent_python(port, folder):
    sender = FluentSender("app", host="127.0.0.1", port=port)
    yield lambda text: sender.emit("label", {"message": text})
    sender.close()


def graylog(handler):
    @contextmanager
    def way(port, folder):
        made = handler("127.0.0.1", port=port)
        made.raiseExceptions = False
        made.handleError = lambda record: None
        logger = logging.Logger("shop")
        logger.addHandler(made)
        yield logger.info
        made.close()

    return way


def logstash(transport):
    """Its own thread sends, at most a few times a second here, and keeps what a transport refused for the next time."""

    @contextmanager
    def way(port, folder):
        made = AsynchronousLogstashHandler("127.0.0.1", port, None, transport=f"logstash_async.transport.{transport}")
        logger = logging.Logger("shop")
        logger.addHandler(made)
        yield logger.info
        made.close()

    return way


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(logstash_constants, "QUEUE_CHECK_INTERVAL", 0.1)
    monkeypatch.setattr(logstash_constants, "QUEUED_EVENTS_FLUSH_INTERVAL", 0.1)
    # For which it waits until a server that is dead takes what is in the socket.
    monkeypatch.setattr(logstash_constants, "SOCKET_CLOSE_WAIT_TIMEOUT", 1.0)


@contextmanager
def jaeger_python(port, folder):
    agent = {"reporting_host": "127.0.0.1", "reporting_port": port}
    settings = {"sampler": {"type": "const", "param": 1}, "local_agent": agent, "reporter_flush_interval": 0.1}
    tracer = Config(config=settings, service_name="shop", validate=True).new_tracer()
    yield lambda text: tracer.start_span(text).finish()
    until(tracer.close().done, "jaeger-client ends")


def envoy(name):
    @contextmanager
    def way(port, folder):
        with Envoy(folder, zipkin=port) if name == "zipkin" else Sender(folder, {name: port}) as proxy:
            yield lambda text: ask(proxy, [path(text)])

    return way


@contextmanager
def rsyslog_tcp(port, folder):
    action = f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" {QUEUE})'
    with Rsyslog(folder, action) as rsyslog:
        yield lambda text: rsyslog.send([f"<134>1 2026-11-20T10:00:00Z web-1 app 7 - - {text}"])


def proxied(proxy, *settings):
    """`settings` are those behind the address to log to."""

    @contextmanager
    def way(port, folder):
        with proxy(folder, f"127.0.0.1:{port}", *settings) as running:
            yield lambda text: running.get(path(text))

    return way


@contextmanager
def reads_lines(command, folder, **environment):
    """A program that sends each line of its input."""
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=NODE, **environment)

    def send(text):
        assert process.poll() is None, (folder / "said").read_text()
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()

    try:
        yield send
    finally:
        process.stdin.close()
        process.wait(60)


def node(client):
    return lambda port, folder: reads_lines(["node", "lines.mjs", client, str(port)], folder)


TRACER = """
import sys
from ddtrace.trace import tracer
for line in sys.stdin:
    with tracer.trace(line.strip(), service="shop"):
        pass
    tracer.flush()
"""


def ddtrace(port, folder):
    environment = {"DD_TRACE_AGENT_URL": f"http://127.0.0.1:{port}", "PATH": "/usr/bin:/bin"}
    return reads_lines([sys.executable, "-c", TRACER], folder, env=environment)


WAYS = {
    "fluent-logger-python": ("forward-tcp", fluent_python),
    "fluent-logger-npm": ("forward-tcp", node("fluent-logger")),
    "graypy-udp": ("gelf-udp", graylog(graypy.GELFUDPHandler)),
    "graypy-tcp": ("gelf-tcp", graylog(graypy.GELFTCPHandler)),
    "graypy-http": ("gelf-http", graylog(graypy.GELFHTTPHandler)),
    "logstash-async-udp": ("json-udp", logstash("UdpTransport")),
    "logstash-async-tcp": ("json-tcp", logstash("TcpTransport")),
    "logstash-async-http": ("json-http", logstash("HttpTransport")),
    "rsyslog-tcp": ("syslog-tcp", rsyslog_tcp),
    "haproxy-udp": ("syslog-udp", proxied(haproxy)),
    "haproxy-tcp": ("syslog-tcp", proxied(haproxy_over_tcp)),
    "nginx-udp": ("syslog-udp", proxied(nginx, '{{"path": "$request_uri"}}')),
    "envoy-als": ("envoy-als", envoy("als")),
    "envoy-otlp": ("otlp-grpc", envoy("otlp")),
    "envoy-fluentd": ("forward-tcp", envoy("fluentd")),
    "envoy-datadog": ("datadog-traces", envoy("datadog")),
    "envoy-zipkin": ("zipkin", envoy("zipkin")),
    "jaeger-python-udp": ("jaeger-compact", jaeger_python),
    "jaeger-npm-udp": ("jaeger-binary", node("jaeger-udp")),
    "jaeger-npm-http": ("jaeger-http", node("jaeger-http")),
    "zipkin-npm": ("zipkin", node("zipkin")),
    "ddtrace": ("datadog-traces", ddtrace),
}


# What was refused they keep for the next time.
KEEPS = ("logstash-async-tcp", "logstash-async-http")


def texts(server, word):
    """How often each text is there, in a record or a span: `WORD when N`, with slashes in a path. Of a request that Envoy has
    passed on there are two spans, as a server and as a client."""
    spans = server.answered("/api/v1/spans", q=word, limit=10_000, **EVERYTHING)["spans"]
    found = server.find(word) + [span for span in spans if span["kind"] != "client"]
    said = lambda one: re.search(f"{word}[ /]([a-z]+)[ /]([0-9]+)", json.dumps(one))
    return Counter(" ".join(said(one).groups()) for one in found)


@pytest.mark.parametrize("way", WAYS)
def test_goes_on(make_server, tmp_path, word, way):
    listener, make = WAYS[way]
    server = make_server().start()
    server.keep_port(listener)
    numbered = lambda when: [f"{when} {n}" for n in range(COUNT)]
    with make(server.port(listener), tmp_path) as send:

        def all_arrive(when):
            wanted = set(numbered(when))
            for text in numbered(when):
                send(f"{word} {text}")
            until(lambda: wanted <= set(texts(server, word)), lambda: f"{when}: {texts(server, word)}", every_s=0.1)

        all_arrive("before")
        server.kill()
        for text in numbered("between"):
            with suppress(OSError):
                send(f"{word} {text}")
        server.start()
        probes = itertools.count()

        def is_back():
            with suppress(OSError):
                send(f"{word} probe {next(probes)}")
            return any(text.startswith("probe") for text in texts(server, word))

        until(is_back, "it sends again", 120, 0.2)
        all_arrive("after")
    found = texts(server, word)
    twice = [text for text, times in found.items() if times > 1]
    assert not twice, twice
    kept = numbered("between") if way in KEEPS else []
    assert set(numbered("before") + kept + numbered("after")) <= set(found)
    verified(server)


def test_rsyslog_to_elasticsearch_loses_nothing(server, tmp_path, word):
    """Its documents have ids, so nothing is stored twice either."""
    server.keep_port("elasticsearch")
    module = """module(load="omelasticsearch")
template(name="document" type="list" option.jsonf="on") {
    property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="message" name="msg" format="jsonf")
    property(outname="pid" name="procid" format="jsonf")
}
template(name="id" type="string" string="%app-name%-%procid%")
"""
    action = (
        f'action(type="omelasticsearch" server="127.0.0.1" serverport="{server.port("elasticsearch")}" bulkmode="on" '
        f'template="document" searchIndex="logs" searchType="" bulkid="id" dynbulkid="on" errorFile="{tmp_path}/refused" '
        f'queue.dequeueBatchSize="50" {QUEUE})'
    )
    with Rsyslog(tmp_path, action, module=module) as rsyslog:
        lose_nothing_in_kills(server, rsyslog, word, 3)
    assert not (tmp_path / "refused").exists(), (tmp_path / "refused").read_text()
    bodies = Counter(record["body"].strip() for record in server.find(word))
    assert set(bodies.values()) == {1}
    verified(server)


def test_journal_upload_loses_nothing(server, tmp_path, word):
    """It ends when the connection does, and systemd starts it again: from the last cursor that it has saved."""
    server.keep_port("journal")
    count = 20_000
    made = journal.make(tmp_path, ({"PRIORITY": 6, "MESSAGE": f"{word} number {n}"} for n in range(count)))
    upload = journal.upload(server.port("journal"), made)
    with (tmp_path / "said").open("wb") as said:
        start = lambda: subprocess.Popen(upload, stdout=said, stderr=said)
        uploading = start()
        until(lambda: server.find(word), "some are stored", every_s=0.01)
        assert uploading.poll() is None, "it was killed in the middle"
        server.kill()
        assert uploading.wait(60) != 0
        server.start()
        assert start().wait(120) == 0, (tmp_path / "said").read_text()
    stored = {int(record["body"].rsplit(" ", 1)[1]) for record in server.all_records(word)}
    assert stored == set(range(count))
    verified(server)
