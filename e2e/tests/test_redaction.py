"""Redaction: what is hidden is hidden from everyone, in every form, whoever sent it; what is dropped is counted."""

import json
import secrets
import socket
import subprocess
import threading
from urllib.parse import urlsplit

import pytest

from support.http import Connection
from support.scan import Scan
from support.senders import DATAGRAMS, SENDERS
from support.server import BINARY, EVERYTHING
from support.wait import until

FLUSH = "flush:\n  bytes: 1MiB\n  interval: 1s\n"
ALL = {"from": "2026-01-01T00:00:00Z", "limit": 5_000}
CARD = "4111 1111 1111 1111"


def ports(server):
    receivers = server.answered("/api/v1/status")["receivers"]
    found = {each["protocol"]: int(each["address"].rsplit(":", 1)[1]) for each in receivers if each["address"]}
    return {**found, "main": urlsplit(server.url).port}


class Secrets:
    """Secrets of many kinds, each with a word in it that chance does not make, and no two with the same."""

    def __init__(self):
        self.words = []

    def word(self):
        self.words.append("Zq7" + secrets.token_hex(8))
        return self.words[-1]

    def line(self, mark):
        """A line as programs write it, with something to find beside the secrets."""
        return (
            f"{mark} password={self.word()} dsn=postgres://app:{self.word()}@db:5432/x "
            f"Authorization: Bearer {self.word()}AbCd ghp_{self.word()}{'A1b2C3d4E5' * 2} "
            f'said "api_key": "{self.word()}" mail {self.word()}@example.com'
        )

    def document(self, mark):
        """The same as fields, at several depths, and one that must be unescaped to be read."""
        inner = json.dumps({"client_secret": self.word(), "url": f"https://a:{self.word()}@h/"}).replace("/", "\\/")
        return {
            "message": f"{mark} in with {self.word()}@example.org",
            "user": {"password": self.word(), "name": "bob", "mail": f"{self.word()}@example.com"},
            "request": {"headers": {"authorization": f"Basic {'Ym9iOnB3'}", "cookie": f"sid={self.word()}; a=b"}},
            "inner": inner,
            "list": [f"token={self.word()}", {"x-api-key": self.word()}],
            f"{self.word()}@example.net": 1,
        }


class Tail(threading.Thread):
    def __init__(self, server):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            [str(BINARY), "tail", "--format", "json"], stdout=subprocess.PIPE, text=True, env=server.environment
        )
        self.said = []

    def run(self):
        for line in self.process.stdout:
            self.said.append(line)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.join(30)


def send_documents(server, hidden, mark):
    document = lambda: json.dumps(hidden.document(mark))
    server.ingest([document() + "\n" for _ in range(3)] + [hidden.line(mark) + "\n"])
    with Connection(f"http://{server.address('elasticsearch')}") as connection:
        body = "".join(f'{{"create":{{"_index":"web"}}}}\n{document()}\n' for _ in range(3))
        answer = connection.post("/_bulk", body.encode())
        assert answer.status == 200 and not answer.json()["errors"], answer.text
    with Connection(f"http://{server.address('loki')}") as connection:
        stream = {"app": "web", "token": hidden.word()}
        values = [["1795168800000000000", document(), {"password": hidden.word()}]]
        push = json.dumps({"streams": [{"stream": stream, "values": values}]})
        assert connection.post("/loki/api/v1/push", push.encode(), {"content-type": "application/json"}).status == 204
    with server.connect() as connection:
        cri = f"2026-11-20T10:00:00Z stdout F {document()}\n"
        assert connection.post("/api/v1/ingest/lines", cri.encode()).status == 200


def attribute(key, text):
    return {"key": key, "value": {"stringValue": text}}


def send_otlp(server, hidden, mark):
    resource = {"attributes": [attribute("service.name", "web"), attribute("db.password", hidden.word())]}
    record = {
        "body": {"kvlistValue": {"values": [attribute("message", mark), attribute("passwd", hidden.word())]}},
        "attributes": [attribute("http.url", f"https://a:{hidden.word()}@h/")],
    }
    span = {
        "name": f"{mark} GET /?access_token={hidden.word()}",
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "00f067aa0ba902b7",
        "status": {"code": 2, "message": f"password={hidden.word()}"},
        "attributes": [attribute("api_key", hidden.word())],
        "events": [{"name": "e", "attributes": [attribute("exception.message", f"Bearer {hidden.word()}")]}],
        "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b8",
                   "attributes": [attribute("secretkey", hidden.word())]}],
    }
    scope = {"name": f"lib password={hidden.word()}"}
    logs = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": [record]}]}]}
    spans = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [span]}]}]}
    with Connection(f"http://{server.address('otlp-http')}") as connection:
        for path, body in [("/v1/logs", logs), ("/v1/traces", spans)]:
            answer = connection.post(path, json.dumps(body).encode(), {"content-type": "application/json"})
            assert answer.status == 200, answer.text


def send_everywhere(server, hidden, mark):
    """A line to every receiver. Returns how many records of which there are none of the mark."""
    at, sent = ports(server), 0
    for number, sender in enumerate(SENDERS):
        message = sender.message(number, [hidden.line(mark), hidden.line(mark)])
        with socket.create_connection(("127.0.0.1", at[sender.port]), timeout=60) as connection:
            connection.sendall(message)
            sender.answered(connection, 2)
        sent += 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for _, port, message in DATAGRAMS:
            out.sendto(message(hidden.line(mark)), ("127.0.0.1", at[port]))
            sent += 1
    return sent


def everything_said(server, mark):
    """All that can be read of the records, as text."""
    for table in ("logs", "spans"):
        yield json.dumps(server.sql(f"select * from {table}"))
    yield json.dumps(server.all_records())
    yield json.dumps(server.answered("/api/v1/spans", q="", limit=5_000, **EVERYTHING))
    yield json.dumps(server.answered("/api/v1/traces/0af7651916cd43dd8448eb211c80319c"))
    yield json.dumps(server.answered("/api/v1/fields", q=mark, **EVERYTHING))
    yield json.dumps(server.answered("/api/v1/sources", **ALL))


def test_secrets_are_nowhere_whoever_sent_them(make_server, say):
    settings = "redact:\n  rules:\n    - find: email\n      action: hash\n"
    server = make_server(settings=FLUSH + settings).start()
    hidden, mark = Secrets(), "mark" + secrets.token_hex(6)
    tail = Tail(server)
    tail.start()
    # A tail shows what comes after it has begun.
    number = 0

    def begun():
        nonlocal number
        number += 1
        server.ingest([f"begin {number}\n"])
        return tail.said

    until(begun, "the tail shows records", every_s=0.2)
    sent = send_everywhere(server, hidden, mark)
    send_documents(server, hidden, mark)
    send_otlp(server, hidden, mark)
    count = lambda: sum(mark in json.dumps(row) for table in ("logs", "spans") for row in server.sql(f"select * from {table}")["rows"])
    # Eight documents, a line and two of OTLP came by themselves.
    until(lambda: count() >= sent + 11, lambda: f"all {sent + 11} are stored, there are {count()}", every_s=0.5)

    def check():
        for said in everything_said(server, mark):
            assert mark in said or "sources" in said
            found = [word for word in hidden.words if word.lower() in said.lower()]
            assert found == [], f"{len(found)} of {len(hidden.words)}: {found[:3]} in {said[:300]}"
            assert "Ym9iOnB3" not in said
        # Many at a time, as each question is asked of all that is stored.
        for start in range(0, len(hidden.words), 40):
            words = hidden.words[start : start + 40]
            q = " or ".join([*words, *(f"*{word[2:]}*" for word in words)])
            assert server.find(q, limit=1) == []
            assert server.answered("/api/v1/spans", q=q, limit=1, **EVERYTHING)["spans"] == []

    check()
    for marker in ["secret", "url_password", "authorization", "github_token"]:
        assert server.find(f'"redacted:{marker}"', limit=1), marker
    until(lambda: any(mark in line for line in tail.said), "the tail shows them")
    tail.stop()
    assert not [line for line in tail.said if any(word.lower() in line.lower() for word in hidden.words)]
    server.kill()
    needles = [word.encode() for word in hidden.words]
    assert Scan(needles).folder(server.folder).found == [], "neither in the data folder nor in what the server said"
    server.start()
    check()
    server.stop()
    assert Scan(needles).folder(server.folder).found == []
    server.start()
    check()
    say(f"redaction: {len(hidden.words)} secrets in {sent + 11} records over {len(SENDERS) + len(DATAGRAMS) + 6} ways, 0 found")


def test_equal_values_stay_joinable_over_restarts(make_server):
    settings = "redact:\n  rules:\n    - find: email\n      action: hash\n"
    server = make_server(settings=FLUSH + settings).start()
    server.ingest([{"message": "one", "mail": "Bob@example.com"}, {"message": "two", "mail": "eve@example.com"}])
    server.stop()
    server.start()
    server.ingest(["three came from bob@example.com\n"])
    rows = server.sql("select body, mail from logs where body in ('one', 'two') order by body")["rows"]
    hash_of = {body: mail for body, mail in rows}
    assert hash_of["one"] != hash_of["two"]
    [three] = server.find("three", limit=10)
    assert three["body"] == f"three came from {hash_of['one']}"
    assert {each["body"] for each in server.find(hash_of["one"].strip("[]").split(":")[1])} == {"one", three["body"]}


@pytest.mark.parametrize("kept, dropped", [(7, 5), (0, 3)])
def test_dropped_records_are_counted_for_their_source(make_server, kept, dropped):
    rules = "    - name: no-cards\n      find: card\n      action: drop_record\n"
    server = make_server(settings=FLUSH + "redact:\n  rules:\n" + rules).start()
    lines = [f"order {number} paid" for number in range(kept)] + [f"paid with {CARD}"] * dropped
    syslog = "".join(f"<13>1 2026-11-20T10:00:00Z web app 7 - - {line}\n" for line in lines)
    with socket.create_connection(("127.0.0.1", server.port("syslog-tcp"))) as out:
        out.sendall(syslog.encode())
        out.shutdown(socket.SHUT_WR)
        out.recv(1)
    answer = server.ingest([{"message": line} for line in lines])
    assert answer["stored"] == kept
    with Connection(f"http://{server.address('elasticsearch')}") as connection:
        # Left out in the middle: the answers of those around it are their own.
        items = [f'{{"create":{{"_id":"{n}"}}}}\n{{"message":"{line}"}}\n' for n, line in enumerate(reversed(lines))]
        for stored in (201, 409):
            answer = connection.post("/web/_bulk", "".join(items).encode(), {"user-agent": "bulk/1"}).json()
            found = [item["create"]["status"] for item in answer["items"]]
            assert found == [201] * dropped + [stored] * kept, answer
    said = lambda: {
        source["protocol"]: source for source in server.answered("/api/v1/sources", **ALL)["sources"] if source["protocol"] != "logkeep"
    }
    until(lambda: said().get("syslog", {}).get("received") == kept + dropped, lambda: f"syslog is counted: {said()}", every_s=0.2)
    expected = {"syslog": 1, "ndjson": 1, "elasticsearch": 2}
    for protocol, times in expected.items():
        source = said()[protocol]
        assert source["dropped_for"] == {"no-cards": times * dropped}, source
        assert (source["received"], source["stored"]) == (times * (kept + dropped), kept), source
        assert source["deduplicated"] == (times - 1) * kept, source
    command = [str(BINARY), "sources"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=server.environment).stdout
    assert f"no-cards {dropped}" in printed
    assert server.find("4111") == []
