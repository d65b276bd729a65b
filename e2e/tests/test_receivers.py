"""Senders of Fluentd, Logstash, Graylog, Splunk, Datadog, rsyslog and systemd, sent here after changing the address only."""

import json
import logging
import subprocess
from pathlib import Path

import graypy
import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.model.content_encoding import ContentEncoding
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem
from fluent.sender import FluentSender
from logstash_async.formatter import LogstashFormatter
from logstash_async.transport import BeatsTransport, HttpTransport, TcpTransport, UdpTransport
from pylogbeat import PyLogBeatClient
from splunk_handler import SplunkHandler

from support import journal
from support.rsyslog import QUEUE, Rsyslog, lose_nothing_in_kills, syslog_lines
from support.server import pairs

NODE = Path(__file__).resolve().parents[1] / "node"
COUNT = 200


def by_number(records, number):
    """Records by the number in them, each of which must occur once."""
    found = {number(record): record for record in records}
    assert sorted(found) == list(range(len(records)))
    return found


def attribute(name):
    return lambda record: pairs(record, "attributes")[name]


def protocol(record):
    return pairs(record, "resource")["logkeep.protocol"]


def check_common(server, word, expected_protocol, count=COUNT):
    """Records that say `WORD number N`, and their level, service and `n`."""
    records = by_number(server.wait_for(word, count), attribute("n"))
    for n, record in records.items():
        assert record["body"] == f"{word} number {n}"
        assert record["severity"] == ("error" if n % 2 else "info")
        assert record["service"] == f"{word}-service"
        assert protocol(record) == expected_protocol
    return records


def fields(word, n):
    level = "error" if n % 2 else "info"
    return {"message": f"{word} number {n}", "level": level, "service": f"{word}-service", "n": n, "ratio": n + 0.5}


@pytest.mark.parametrize("nanoseconds", [False, True])
def test_fluent_logger_python(shared_server, word, nanoseconds):
    port = shared_server.port("forward-tcp")
    sender = FluentSender("app", host="127.0.0.1", port=port, nanosecond_precision=nanoseconds)
    for n in range(COUNT):
        assert sender.emit_with_time("label", 1_795_168_800.25 + n if nanoseconds else 1_795_168_800 + n, fields(word, n))
    sender.close()
    for n, record in check_common(shared_server, word, "forward").items():
        assert pairs(record, "attributes")["fluent.tag"] == "app.label"
        assert pairs(record, "attributes")["ratio"] == n + 0.5
        assert record["time_ns"][:13] == str(1_795_168_800_000 + n * 1000 + (250 if nanoseconds else 0))


MODES = ["Message", "Forward", "PackedForward", "CompressedPackedForward"]


def forward(port, client, word, mode, *security):
    command = ["node", "forward.mjs", client, str(port), str(COUNT), word, mode, *security]
    ran = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=120, check=False)
    return json.loads(ran.stdout.splitlines()[-1]) if ran.returncode == 0 else ran.stderr


@pytest.mark.parametrize("client", ["fluent-org", "fluent-logger"])
@pytest.mark.parametrize("mode", MODES)
def test_fluent_loggers_of_npm(shared_server, word, client, mode):
    if client == "fluent-logger" and mode == "Forward":
        pytest.skip("this client has no such mode")
    assert forward(shared_server.port("forward-tcp"), client, word, mode) == {"acked": COUNT}
    for n, record in check_common(shared_server, word, "forward").items():
        assert pairs(record, "attributes")["fluent.tag"] == "tag.label"
        assert record["time_ns"].startswith(str(1_795_168_800 + n))


def test_forward_with_a_shared_key_and_users(make_server, tmp_path, word):
    (tmp_path / "key").write_text("a key\n")
    (tmp_path / "users").write_text("ann:pass\n")
    settings = f'forward:\n  shared_key_file: "{tmp_path}/key"\n  users_file: "{tmp_path}/users"\n'
    server = make_server(settings=settings).start()
    port = server.port("forward-tcp")
    for client in ["fluent-org", "fluent-logger"]:
        assert forward(port, client, f"{word}{client[-1]}", "Message", "a key", "ann", "pass") == {"acked": COUNT}
        check_common(server, f"{word}{client[-1]}", "forward")
    for wrong in [["other", "ann", "pass"], ["a key", "ann", "other"], []]:
        command = ["node", "forward.mjs", "fluent-org", str(port), "1", f"{word}wrong", "Message", *wrong]
        try:
            ran = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=10, check=False)
            assert ran.returncode != 0, ran.stdout
        except subprocess.TimeoutExpired:
            pass  # It goes on trying.
    assert server.find(f"{word}wrong") == []
    assert "a key" not in server.stderr and "pass" not in server.stderr.replace("username/password", "")


def test_pylogbeat(shared_server, word):
    client = PyLogBeatClient("127.0.0.1", shared_server.port("beats"), timeout=30)
    client.connect()
    for start in range(0, COUNT, 50):
        events = [fields(word, n) | {"@metadata": {"beat": "test"}} for n in range(start, start + 50)]
        client.send([json.dumps(event) for event in events])
    client.close()
    for record in check_common(shared_server, word, "beats").values():
        assert not any(key.startswith("@metadata") for key, _ in record["attributes"])


NO_TLS = {"ssl_enable": False, "ssl_verify": False, "keyfile": None, "certfile": None, "ca_certs": None}


def logstash_transport(server, name):
    plain = NO_TLS | {"ssl_verify_flags": None}
    match name:
        case "beats":
            return BeatsTransport("127.0.0.1", server.port("beats"), timeout=30, **plain)
        case "tcp":
            return TcpTransport("127.0.0.1", server.port("json-tcp"), timeout=30, **plain)
        case "udp":
            return UdpTransport("127.0.0.1", server.port("json-udp"), timeout=30, **plain)
        case "http":
            return HttpTransport("127.0.0.1", server.port("json-http"), timeout=30, ssl_enable=False)


@pytest.mark.parametrize("name", ["beats", "tcp", "udp", "http"])
def test_python_logstash_async(shared_server, word, name):
    transport = logstash_transport(shared_server, name)
    formatter = LogstashFormatter(extra_prefix=None, extra={"service": f"{word}-service"})
    count = 50
    events = []
    for n in range(count):
        level = logging.ERROR if n % 2 else logging.INFO
        record = logging.LogRecord("shop", level, __file__, 1, "%s number %d", (word, n), None)
        record.n = n
        events.append(formatter.format(record).encode() + b"\n")
    transport.send(events)
    transport.close()
    check_common(shared_server, word, "beats" if name == "beats" else "json", count)


@pytest.mark.parametrize("name", ["udp", "tcp", "http"])
def test_graypy(shared_server, word, name):
    handlers = {"udp": graypy.GELFUDPHandler, "tcp": graypy.GELFTCPHandler, "http": graypy.GELFHTTPHandler}
    handler = handlers[name]("127.0.0.1", port=shared_server.port(f"gelf-{name}"))
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    count = 40
    for n in range(count):
        # Random text does not compress, so that over UDP it comes in pieces.
        extra = {"service": f"{word}-service", "n": n, "blob": "".join(chr(33 + (n * i * i + i) % 90) for i in range(6000))}
        logger.log(logging.ERROR if n % 2 else logging.INFO, "%s number %d", word, n, extra=extra)
        if n % 8 == 7:
            # Nobody slows a sender over UDP down: on a busy machine the kernel drops what is not fetched in time.
            shared_server.wait_for(word, n + 1)
    handler.close()
    for record in check_common(shared_server, word, "gelf", count).values():
        assert len(pairs(record, "attributes")["blob"]) == 6000
        assert pairs(record, "resource")["host.name"]


def test_splunk_handler(shared_server, word):
    handler = SplunkHandler(
        host="127.0.0.1", port=shared_server.port("splunk-hec"), token="t", index="main", protocol="http",
        hostname="web-1", source="shop", sourcetype="json", flush_interval=0.2, record_format=True,
    )  # fmt: skip
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    for n in range(COUNT):
        logger.log(logging.INFO, json.dumps(fields(word, n)))
    handler.force_flush()
    records = by_number(shared_server.wait_for(word, COUNT), attribute("n"))
    for n, record in records.items():
        attributes, resource = pairs(record, "attributes"), pairs(record, "resource")
        assert record["body"] == f"{word} number {n}"
        assert (attributes["com.splunk.source"], attributes["com.splunk.sourcetype"]) == ("shop", "json")
        assert (resource["host.name"], protocol(record)) == ("web-1", "splunk-hec")


def test_what_docker_asks_of_splunk(shared_server):
    url = f"http://{shared_server.address('splunk-hec')}/services/collector/event/1.0"
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "OPTIONS", url]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "200"


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_datadog_api_client(shared_server, word, encoding):
    configuration = Configuration(server_operation_index={"submit_log": 1})
    address = {"protocol": "http", "name": shared_server.address("datadog-http")}
    configuration.server_operation_variables = {"submit_log": address}
    configuration.api_key["apiKeyAuth"] = "k"
    with ApiClient(configuration) as client:
        api = LogsApi(client)
        for start in range(0, COUNT, 50):
            items = [
                HTTPLogItem(
                    message=f"{word} number {n}", ddsource="test", ddtags="env:prod,team:shop", hostname="web-1",
                    service=f"{word}-service", status="error" if n % 2 else "info", n=str(n),
                )  # fmt: skip
                for n in range(start, start + 50)
            ]
            api.submit_log(content_encoding=ContentEncoding(encoding), body=HTTPLog(items))
    records = by_number(shared_server.wait_for(word, COUNT), lambda record: int(pairs(record, "attributes")["n"]))
    for n, record in records.items():
        resource = pairs(record, "resource")
        assert (record["body"], record["severity"]) == (f"{word} number {n}", "error" if n % 2 else "info")
        assert (resource["host.name"], record["service"]) == ("web-1", f"{word}-service")
        assert (resource["deployment.environment.name"], protocol(record)) == ("prod", "datadog")


def relp_action(server, extra=""):
    return (
        f'action(type="omrelp" target="127.0.0.1" port="{server.port("relp")}" '
        f'template="RSYSLOG_SyslogProtocol23Format" {extra})'
    )


def test_rsyslog_relp(shared_server, tmp_path, word):
    with Rsyslog(tmp_path, relp_action(shared_server), module='module(load="omrelp")') as rsyslog:
        rsyslog.send(syslog_lines(word, range(COUNT)))
        found = shared_server.wait_for(word, COUNT)
    for n, record in by_number(found, lambda record: pairs(record, "resource")["process.pid"]).items():
        assert record["body"] == f"{word} number {n}"
        assert (record["service"], protocol(record)) == (f"{word}-app", "relp")


def test_nothing_is_lost_over_relp_when_the_server_is_killed(server, tmp_path, word):
    server.keep_port("relp")
    action = relp_action(server, QUEUE)
    with Rsyslog(tmp_path, action, module='module(load="omrelp")') as rsyslog:
        lose_nothing_in_kills(server, rsyslog, word, 3)


def test_journal_upload(shared_server, tmp_path, word):
    entry = lambda n: {"_HOSTNAME": "web-1", "SYSLOG_IDENTIFIER": f"{word}-app", "PRIORITY": 3 if n % 2 else 6, "N": n, "MESSAGE": f"{word} number {n}"}
    made = journal.make(tmp_path, map(entry, range(COUNT)))
    upload = journal.upload(shared_server.port("journal"), made)
    ran = subprocess.run(upload, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "LAST_CURSOR=" in (tmp_path / "state").read_text()
    records = by_number(shared_server.wait_for(word, COUNT), lambda record: int(pairs(record, "attributes")["N"]))
    for n, record in records.items():
        assert record["body"] == f"{word} number {n}"
        assert record["severity"] == ("error" if n % 2 else "info")
        assert (record["service"], pairs(record, "resource")["host.name"]) == (f"{word}-app", "web-1")
        assert record["time_ns"] == str(1_795_168_800_000_000_000 + n * 1000)
        assert protocol(record) == "journal"
