"""HAProxy and nginx, whose access logs come over syslog."""

import json

import pytest

from support.proxies import haproxy, nginx
from support.server import pairs

COUNT = 60
STATUSES = (200, 404, 503)


def path(word, n):
    return f"/{word}/{n}/{STATUSES[n % 3]}"


def ask(proxy, word):
    for n in range(COUNT):
        assert proxy.get(path(word, n), **{"user-agent": f"agent/{n}"}) == STATUSES[n % 3]


def by_number(records, word, text):
    found = {int(text(record).split(f"/{word}/")[1].split("/")[0]): record for record in records}
    assert sorted(found) == list(range(COUNT)), "each request is there once"
    return found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_haproxy(make_server, tmp_path, word, transport):
    server = make_server().start()
    port = server.port(f"syslog-{transport}")
    if transport == "udp":
        log, rings = f"127.0.0.1:{port}", ""
    else:
        # Over TCP HAProxy logs through a ring that a server empties.
        log = "ring@tcplog"
        rings = f"ring tcplog\n  format rfc5424\n  maxlen 4096\n  size 1048576\n  timeout connect 5s\n  timeout server 10s\n  server log 127.0.0.1:{port} log-proto octet-count\n"
    proxy = haproxy(tmp_path, log, rings=rings)
    with proxy:
        ask(proxy, word)
        records = server.wait_for(word, COUNT)
    for n, record in by_number(records, word, lambda record: record["body"]).items():
        assert f'"GET {path(word, n)} HTTP/1.1"' in record["body"]
        assert f" {STATUSES[n % 3]} " in record["body"]
        assert "web app/one" in record["body"]
        resource = pairs(record, "resource")
        assert (resource["logkeep.protocol"], record["service"]) == ("syslog", "edge-proxy")
        assert resource["process.pid"]


def test_nginx(make_server, tmp_path, word):
    server = make_server().start()
    keys = {
        "time": "$time_iso8601", "method": "$request_method", "path": "$request_uri", "status": "$status",
        "user_agent": "$http_user_agent", "upstream": "$upstream_addr", "bytes_sent": "$body_bytes_sent",
    }
    with nginx(tmp_path, f"127.0.0.1:{server.port('syslog-udp')}", json.dumps(keys).replace("{", "{{").replace("}", "}}")) as proxy:
        ask(proxy, word)
        records = server.wait_for(word, COUNT)
    for n, record in by_number(records, word, lambda record: json.dumps(record)).items():
        text = json.dumps(record)
        assert path(word, n) in text and f"agent/{n}" in text
        attributes = pairs(record, "attributes")
        assert int(attributes.get("http.response.status_code", attributes.get("status"))) == STATUSES[n % 3]
        assert (pairs(record, "resource")["logkeep.protocol"], record["service"]) == ("syslog", "nginx")
