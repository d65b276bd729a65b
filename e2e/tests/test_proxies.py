"""HAProxy and nginx, whose access logs come over syslog."""

import json
import re
import socket
from datetime import datetime

import pytest

from support.proxies import haproxy, haproxy_over_tcp, nginx
from support.server import pairs

COUNT = 60
HOST = socket.gethostname().lower()
STATUSES = (200, 404, 503)


def path(word, n):
    return f"/{word}/{n}/{STATUSES[n % 3]}?of=a%20{n}"


def agent(n):
    """What has to be escaped in JSON, too."""
    return f'agent/{n} (the "best" \\ one)'


def ask(proxy, word):
    for n in range(COUNT):
        assert proxy.get(path(word, n), **{"user-agent": agent(n)}) == STATUSES[n % 3]


def by_number(records, word, text):
    found = {int(text(record).split(f"/{word}/")[1].split("/")[0]): record for record in records}
    assert sorted(found) == list(range(COUNT)), "each request is there once"
    return found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_haproxy(make_server, tmp_path, word, transport):
    server = make_server().start()
    make = {"udp": haproxy, "tcp": haproxy_over_tcp}[transport]
    proxy = make(tmp_path, f"127.0.0.1:{server.port(f'syslog-{transport}')}")
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


def nginx_said(proxy, word, n):
    """What nginx says of a request, but for what only it can know."""
    headers = [f"Host: 127.0.0.1:{proxy.port}", "Accept-Encoding: identity", f"user-agent: {agent(n)}"]
    sent = "\r\n".join([f"GET {path(word, n)} HTTP/1.1", *headers, "", ""])
    return {
        "method": "GET", "path": path(word, n), "status": str(STATUSES[n % 3]), "user_agent": agent(n),
        "upstream": f"127.0.0.1:{proxy.backend.port}", "bytes_sent": "2", "remote_addr": "127.0.0.1",
        "protocol": "HTTP/1.1", "referer": "", "request_length": str(len(sent)), "host": "127.0.0.1",
    }  # fmt: skip


NGINX_KEYS = {
    "time": "$time_iso8601", "method": "$request_method", "path": "$request_uri", "status": "$status",
    "user_agent": "$http_user_agent", "upstream": "$upstream_addr", "bytes_sent": "$body_bytes_sent",
    "remote_addr": "$remote_addr", "remote_port": "$remote_port", "protocol": "$server_protocol", "referer": "$http_referer",
    "request_id": "$request_id", "request_length": "$request_length", "request_time": "$request_time",
    # Whom the request was for, and not who says so.
    "host": "$host",
}  # fmt: skip


def test_nginx(make_server, tmp_path, word):
    server = make_server().start()
    form = json.dumps(NGINX_KEYS).replace("{", "{{").replace("}", "}}")
    with nginx(tmp_path, f"127.0.0.1:{server.port('syslog-udp')}", form) as proxy:
        ask(proxy, word)
        records = server.wait_for(word, COUNT)
    ids = set()
    for n, record in by_number(records, word, lambda record: record["body"]).items():
        attributes = pairs(record, "attributes")
        assert (attributes.pop("syslog.facility.code"), attributes.pop("syslog.facility.name")) == (23, "local7")
        # The line as nginx wrote it, and each of its keys as an attribute but the time, which is the record's.
        said = json.loads(record["body"])
        at = datetime.fromisoformat(said.pop("time")).timestamp()
        assert sorted(said.items()) == sorted(attributes.items())
        head = r"<190>\w{3} [ \d]\d \d\d:\d\d:\d\d"
        assert re.fullmatch(f"{head} {re.escape(HOST)} nginx: {re.escape(record['body'])}", record["original"])
        assert {"time", *attributes} == set(NGINX_KEYS)
        assert record["time_ns"] == f"{at:.0f}000000000"
        assert abs(datetime.fromisoformat(record["received"]).timestamp() - at) < 300
        assert 1024 <= int(attributes.pop("remote_port")) <= 65535
        assert re.fullmatch(r"\d+\.\d{3}", attributes.pop("request_time"))
        ids.add(attributes.pop("request_id"))
        assert attributes == nginx_said(proxy, word, n)
        assert (record["severity"], record["severity_number"], record["severity_text"]) == ("info", 9, "")
        assert (record["service"], record["event_name"], record["trace_id"], record["span_id"]) == ("nginx", "", None, None)
        assert pairs(record, "resource") == {
            "host.name": HOST, "service.name": "nginx", "logkeep.protocol": "syslog", "logkeep.source": "127.0.0.1",
        }  # fmt: skip
    assert len(ids) == COUNT and all(re.fullmatch(r"[0-9a-f]{32}", id) for id in ids)
