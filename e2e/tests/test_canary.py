"""No plain text at rest: values sent in every place of every protocol are nowhere in the data folder."""

import gzip
import json
import secrets
import socket
import sqlite3
from itertools import count

import lz4.frame
import pytest
import zstandard

from support import wire
from support.http import Connection
from support.scan import Scan

FLUSH = "flush:\n  bytes: 1MiB\n  interval: 1s\n"


class Canaries:
    """Values that all begin with one word that chance does not make; ids begin with the same bytes."""

    def __init__(self):
        self.word = "zcanary" + secrets.token_hex(5)
        self.bytes = secrets.token_bytes(7)
        self.numbers = count()
        self.made = 0

    def text(self):
        self.made += 1
        return f"{self.word}{next(self.numbers):06}"

    def trace_id(self):
        self.made += 1
        return self.bytes + next(self.numbers).to_bytes(9, "big")

    def span_id(self):
        self.made += 1
        return self.bytes + bytes([next(self.numbers) % 255 + 1])

    def needles(self):
        return [self.word.encode(), self.bytes, self.bytes.hex().encode()]


def send_ndjson(server, make):
    documents = [
        {
            "message": f"hello {make.text()}",
            make.text(): make.text(),
            "service": make.text(),
            "host": make.text(),
            "url": f"https://{make.text()}/x?{make.text()}=1",
            "list": [make.text(), {"deep": make.text()}],
            "trace_id": make.trace_id().hex(),
            "span_id": make.span_id().hex(),
            "level": make.text(),
        }
        for _ in range(5)
    ]
    server.ingest(documents, key=make.text())
    server.ingest([f"a plain line with {make.text()}\n"])
    server.ingest(["{" + make.text() + "\n"], key=make.text())
    with server.connect() as connection:
        path = f"/api/v1/ingest/lines?source={make.text()}"
        assert connection.post(path, f"2026-11-20T10:00:00Z stdout F {make.text()}\n".encode()).status == 200
    # What is refused, and whatever is said about it in our own log, leaves nothing either.
    for header, status in [("x-logkeep-tenant", 403), ("content-encoding", 415)]:
        with server.connect() as connection:
            refused = connection.post("/api/v1/ingest/ndjson", make.text().encode(), {header: make.text()})
            assert refused.status == status, refused.text


def send_otlp(server, make):
    attributes = [
        (make.text(), wire.otlp_string(make.text())),
        (
            "map",
            wire.message((6, wire.message((1, wire.message((1, make.text()), (2, wire.otlp_string(make.text()))))))),
        ),
    ]
    records = [
        wire.otlp_record(wire.otlp_string(make.text()), attributes)
        + wire.message((9, make.trace_id()), (10, make.span_id()), (3, make.text()), (12, make.text()))
        for _ in range(5)
    ]
    with Connection(f"http://{server.address('otlp-http')}") as connection:
        answer = connection.post(
            "/v1/logs", wire.otlp_logs(records, service=make.text()), {"content-type": "application/x-protobuf"}
        )
        assert answer.status == 200, answer.text


def send_elasticsearch(server, make):
    lines = []
    for _ in range(5):
        lines.append({"index": {"_index": make.text(), "_id": make.text()}})
        lines.append({"message": make.text(), make.text(): {make.text(): make.text()}})
    body = "".join(json.dumps(line) + "\n" for line in lines)
    with Connection(f"http://{server.address('elasticsearch')}") as connection:
        answer = connection.post("/_bulk", body.encode())
        assert answer.status == 200 and not answer.json()["errors"], answer.text
        assert connection.request("PUT", f"/_index_template/{make.text()}", b"{}").status == 200


def send_loki(server, make):
    values = [[f"179516880000000000{n}", make.text(), {"meta": make.text()}] for n in range(5)]
    body = json.dumps(
        {"streams": [{"stream": {"app": make.text(), f"label_{make.text()}": make.text()}, "values": values}]}
    )
    with Connection(f"http://{server.address('loki')}") as connection:
        assert connection.post("/loki/api/v1/push", body.encode(), {"content-type": "application/json"}).status == 204
        push = wire.snappy(wire.loki_push([(f'{{app="{make.text()}"}}', [make.text()] * 3)]))
        assert connection.post("/loki/api/v1/push", push, {"content-type": "application/x-protobuf"}).status == 204


def send_syslog(server, make, marks):
    lines = [
        f"<13>1 2026-11-20T10:00:00Z {make.text()} {make.text()} - {make.text()} "
        f'[{make.text()} {make.text()}="{make.text()}"] {make.text()}\n'
        for _ in range(5)
    ]
    marks.append(f"mark{secrets.token_hex(6)}")
    with socket.create_connection(("127.0.0.1", server.port("syslog-tcp"))) as out:
        out.sendall("".join(lines).encode() + f"<13>1 - - - - - - {marks[-1]}\n".encode())
    server.wait_for(marks[-1], 1)


def ask(server, make):
    """Queries are in the audit trail."""
    server.find(make.text(), limit=10)
    server.get("/api/v1/logs", q=f"{make.text()}:[")
    server.get(f"/api/v1/fields/{make.text()}/values", q=make.text())
    server.sql(f"select count(*) from logs where body = '{make.text()}'")
    with server.connect() as connection:
        connection.post("/api/v1/sql", json.dumps({"sql": f"select {make.text()}"}))


def test_no_canary_in_the_data_folder(make_server, say, setting):
    goal = setting("E2E_CANARIES", 2_000)
    server = make_server(settings=FLUSH).start()
    make, marks = Canaries(), []
    scans = []

    def scan():
        scans.append(Scan(make.needles()).folder(server.data))
        assert scans[-1].found == [], scans[-1].found[:20]

    # Three times: left in the log by a kill, written to segments by a clean stop, and in a folder in use.
    for part in (1, 2, 3):
        while make.made < goal * part / 3:
            send_ndjson(server, make)
            send_otlp(server, make)
            send_elasticsearch(server, make)
            send_loki(server, make)
            send_syslog(server, make, marks)
            ask(server, make)
        if part == 1:
            assert server.find(f"{make.word}*", limit=10), "what is looked for was stored"
            server.kill()
            scan()
            server.start()
        elif part == 2:
            server.stop()
            scan()
            assert list(server.data.glob("objects/**/*")), "there are segments"
            server.start()
    scan()
    assert len(server.find(f"{make.word}*")) > goal / 40, "and is still found"
    read, streams = sum(scan.bytes for scan in scans) >> 10, sum(scan.streams for scan in scans)
    files = scans[-1].files
    say(f"canaries: {make.made} sent, 0 found in {files} files ({read} KiB read, {streams} compressed streams opened)")


@pytest.mark.parametrize("hidden", ["plain", "zstd", "gzip", "lz4", "twice", "sqlite", "name", "upper", "utf16"])
def test_the_search_finds_what_is_there(tmp_path, hidden):
    word = b"zcanary0123456789"
    text = b"before " * 100 + word + b" after" * 100
    match hidden:
        case "name":
            (tmp_path / f"x{word.decode()}").write_bytes(b"empty")
        case "sqlite":
            with sqlite3.connect(tmp_path / "database") as database:
                database.execute("create table t (a blob)")
                database.execute("insert into t values (?)", (zstandard.compress(text),))
            database.close()
        case _:
            forms = {
                "plain": lambda: text,
                "upper": text.upper,
                "utf16": lambda: text.decode().encode("utf-16-le"),
                "zstd": lambda: zstandard.compress(text),
                "gzip": lambda: gzip.compress(text),
                "lz4": lambda: lz4.frame.compress(text),
                "twice": lambda: gzip.compress(b"x" + zstandard.compress(text)),
            }
            (tmp_path / "file").write_bytes(b"head" * 10 + forms[hidden]() + b"tail")
    assert Scan([word]).folder(tmp_path).found
    assert not Scan([b"zother0123456789"]).folder(tmp_path).found
