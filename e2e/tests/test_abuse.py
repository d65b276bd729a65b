"""Senders that mean harm, or are broken as if they did: nobody else notices, and the server stays small.

While each of them is at work a well-behaved sender goes on; how long its acks take then is printed beside how long they take
without, as a report: on a busy machine it is no measure. That each of them arrives, and that memory has a bound, is asserted."""

import contextlib
import gzip
import json
import re
import socket
import struct
import threading
import time
import zlib
from pathlib import Path

import msgpack
import pytest
import zstandard

from support.http import Connection
from support.server import Server
from support.wait import until

MIB = 1 << 20
# Beyond what it holds when all is calm.
GROWTH = 512 * MIB
CALM_S, ATTACK_S = 1.5, 4.0
# Longer than anything here takes, shorter than any sender waits.
LATE_S = 30
PER_REQUEST = 20


def resident(server, name="VmRSS"):
    status = Path(f"/proc/{server.pid()}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024


class WellBehaved(threading.Thread):
    """Sends a small request after the other and waits for each answer."""

    def __init__(self, server, word):
        super().__init__(daemon=True)
        self.server, self.word = server, word
        self.took, self.faults, self.sent, self.over = [], [], 0, threading.Event()

    def run(self):
        try:
            with Connection(self.server.url, LATE_S) as connection:
                while not self.over.is_set():
                    lines = [json.dumps({"message": f"{self.word} good {self.sent + n}"}) for n in range(PER_REQUEST)]
                    began = time.monotonic()
                    answer = connection.post("/api/v1/ingest/ndjson", "\n".join(lines).encode(), {})
                    self.took.append(time.monotonic() - began)
                    assert answer.status == 200, f"{answer.status} {answer.text[:300]}"
                    self.sent += PER_REQUEST
                    self.over.wait(0.01)
        except Exception as fault:
            self.faults.append(repr(fault))

    def p99_ms(self):
        took = sorted(self.took)
        return took[len(took) * 99 // 100] * 1000 if took else float("inf")

    def stop(self):
        self.over.set()
        self.join(2 * LATE_S)
        assert not self.faults, self.faults
        assert self.took, "it never got an answer"
        return self


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("abuse"), "log:\n  level: error\n").start()
    yield server
    server.stop()
    server.no_panic()


@pytest.fixture
def attack(target, word, say):
    """Runs `work(server, over)` beside a well-behaved sender, over and over until it is over."""

    def run(name, work):
        calm = WellBehaved(target, f"{word}calm")
        calm.start()
        time.sleep(CALM_S)
        calm.stop()
        Path(f"/proc/{target.pid()}/clear_refs").write_text("5")
        before = resident(target)
        over, faults = threading.Event(), []

        def attacking():
            try:
                while not over.is_set():
                    work(target, over)
            except Exception as fault:
                faults.append(repr(fault))

        attacker = threading.Thread(target=attacking, daemon=True)
        attacker.start()
        try:
            # What holds many connections needs a while to open them.
            time.sleep(0.5)
            beside = WellBehaved(target, f"{word}beside")
            beside.start()
            time.sleep(ATTACK_S)
            beside.stop()
        finally:
            over.set()
            attacker.join(60)
        assert not faults, faults
        peak = resident(target, "VmHWM")
        say(
            f"{name}: p99 of an ack {beside.p99_ms():.0f} ms beside it, {calm.p99_ms():.0f} ms without; memory {before / MIB:.0f} MiB, at most {peak / MIB:.0f}"
        )
        assert peak - before < GROWTH, f"the server grew from {before / MIB:.0f} to {peak / MIB:.0f} MiB"
        for sender in (calm, beside):
            assert sum(row["n"] for row in rows(target, sender.word)) == sender.sent
        assert target.get("/readyz").status == 200

    return run


def rows(server, word):
    found = server.sql(f"SELECT count(*) AS n FROM logs WHERE body LIKE '{word} good %'")
    names = [column["name"] if isinstance(column, dict) else column for column in found["columns"]]
    return [dict(zip(names, row, strict=True)) for row in found["rows"]]


def connect(server, port, timeout=10):
    number = int(server.url.rsplit(":", 1)[1]) if port == "main" else server.port(port)
    return socket.create_connection(("127.0.0.1", number), timeout=timeout)


def say_all(connection, bytes_):
    """What a server that ends the connection does not take is its right."""
    with contextlib.suppress(OSError):
        connection.sendall(bytes_)


def ends(connection):
    """Reads until the other end is done; a server that has said no may go at once."""
    said = b""
    with contextlib.suppress(OSError):
        while more := connection.recv(65536):
            said += more
    return said


@contextlib.contextmanager
def many(server, port, count):
    opened = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):
                opened.append(connect(server, port))
        yield opened
    finally:
        for connection in opened:
            connection.close()


def test_heads_that_never_end(attack):
    def slowly(server, over):
        with many(server, "main", 300) as opened:
            for connection in opened:
                say_all(connection, b"POST /api/v1/ingest/ndjson HTTP/1.1\r\nhost: x\r\n")
            while not over.wait(0.3):
                for connection in opened:
                    say_all(connection, b"x-more: 1\r\n")

    attack("heads that never end", slowly)


def test_bodies_that_never_end(attack):
    """More of them than there are places for requests."""

    def slowly(server, over):
        with many(server, "json-http", 200) as opened:
            for connection in opened:
                say_all(connection, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n")
            while not over.wait(0.3):
                for connection in opened:
                    say_all(connection, b" ")

    attack("bodies that never end", slowly)


def test_bodies_that_hold_their_room(attack):
    """Nearly all of a large body, and then nothing: together more than there is room for."""

    def hold(server, over):
        with many(server, "json-http", 30) as opened:
            for connection in opened:
                connection.settimeout(0.5)
                say_all(connection, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 16000000\r\n\r\n" + b" " * 15_900_000)
            over.wait(60)

    attack("bodies that hold their room", hold)


def test_ten_thousand_idle_connections(attack):
    def idle(server, over):
        # Two descriptors each, one of them ours.
        with many(server, "main", 4_000), many(server, "relp", 3_000), many(server, "otlp-http", 3_000):
            over.wait(60)

    attack("10,000 idle connections", idle)


def test_connections_that_are_half_open(attack):
    """The sender has ended its half, or the network has swallowed it: nothing more will come."""

    def half(server, over):
        with many(server, "forward-tcp", 200) as forward, many(server, "beats", 200) as beats, many(server, "main", 200) as http:
            for connection in forward:
                say_all(connection, b"\x92\xa3tag\xdd")
            for connection in beats:
                say_all(connection, b"2W\x00\x00\x00\x05")
            for connection in http:
                say_all(connection, b"POST /api/v1/ingest/ndjson HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{")
            for connection in (*forward[::2], *beats[::2], *http[::2]):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            over.wait(60)

    attack("half-open connections", half)


def forward_events(chunk, texts):
    return msgpack.packb(["tag", [[1_795_168_800, {"message": text}] for text in texts], {"chunk": chunk}])


def beats_window(first, texts):
    events = b""
    for sequence, text in enumerate(texts, first):
        body = json.dumps({"message": text}).encode()
        events += b"2J" + struct.pack(">II", sequence, len(body)) + body
    return b"2W" + struct.pack(">I", len(texts)) + events


@pytest.mark.parametrize("protocol", ["forward-tcp", "beats", "relp"])
def test_acks_that_nobody_reads(attack, word, protocol):
    def message(number):
        texts = [f"{word} unread {number}"]
        if protocol == "forward-tcp":
            # The longer the chunk's id, the longer its ack.
            return forward_events(f"{number:04000}", texts)
        if protocol == "beats":
            return beats_window(1, texts)
        head = b"1 open 0\n" if number == 0 else b""
        return head + f"{number + 2} syslog {len(texts[0])} {texts[0]}\n".encode()

    def deaf(server, over):
        with connect(server, protocol, 0.2) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            number = 0
            while not over.is_set():
                try:
                    connection.sendall(message(number))
                except TimeoutError:
                    # Full: it reads no more from us until we read.
                    over.wait(0.2)
                    return
                except OSError:
                    return
                number += 1

    attack(f"{protocol}: acks that nobody reads", deaf)


def bombs():
    zeroes = b" " * (512 * MIB)
    packed = zstandard.ZstdCompressor(level=3).compress(zeroes)
    deflated = gzip.compress(zeroes, 1)
    events = msgpack.packb([1, {"m": "x"}]) * 2_000_000
    return deflated, packed, gzip.compress(events, 6)


def test_bombs(attack):
    deflated, packed, events = bombs()

    def http(server, encoding, body):
        with connect(server, "json-http") as connection:
            head = f"POST / HTTP/1.1\r\nhost: x\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            say_all(connection, head.encode() + body)
            said = ends(connection)
            assert b" 413 " in said.split(b"\r\n")[0] or not said, said[:200]

    def forward(server, body, compressed):
        with connect(server, "forward-tcp") as connection:
            message = ["tag", body, {"compressed": compressed, "chunk": "c"}]
            say_all(connection, msgpack.packb(message))
            # One that unpacks to too much is never acked.
            assert b"ack" not in ends(connection) or body is events

    def beats(server):
        with connect(server, "beats") as connection:
            body = zlib.compress(b"\0" * (256 * MIB), 1)
            say_all(connection, b"2W\0\0\0\1" + b"2C" + struct.pack(">I", len(body)) + body)
            assert not ends(connection).startswith(b"2A\0\0\0\1")

    def drop(server, over):
        for each in (
            lambda: http(server, "gzip", deflated),
            lambda: http(server, "zstd", packed),
            lambda: forward(server, deflated, "gzip"),
            lambda: forward(server, packed, "zstd"),
            lambda: beats(server),
        ):
            if not over.is_set():
                each()

    attack("decompression bombs", drop)


def test_lengths_that_lie(attack):
    """Each announces gigabytes, and costs nothing until they are there."""
    gigabytes = struct.pack(">I", 0xFFFFFFFF)
    lies = [
        ("beats", b"2W" + gigabytes + b"2J" + struct.pack(">I", 1) + gigabytes),
        ("beats", b"2W\0\0\0\1" + b"2C" + gigabytes),
        ("forward-tcp", b"\x92\xa1t\xc6" + gigabytes),
        ("forward-tcp", b"\x92\xa1t\xdd" + gigabytes),
        ("forward-tcp", b"\x92\xa1t\x91\x92\x01\xdf" + gigabytes),
        ("forward-tcp", b"\x92\xdb" + gigabytes),
        ("relp", b"1 open 0\n2 syslog 999999999 x"),
        ("relp", b"1 open 99999999999999999999999 x"),
        ("syslog-tcp", b"99999999999 <13>1"),
        ("syslog-tcp", b"999999999 <13>1"),
        ("datadog-traces", b"PUT /v0.4/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: close\r\n\r\n\xdd" + gigabytes),
        ("main", b"POST /api/v1/ingest/ndjson HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n{}"),
        ("main", b"POST /api/v1/ingest/ndjson HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\n{}"),
    ]

    def lie(server, over):
        for port, bytes_ in lies:
            with connect(server, port, 0.05) as connection:
                say_all(connection, bytes_)
                ends(connection)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gelf:
            address = ("127.0.0.1", server.port("gelf-udp"))
            for number in range(2_000):
                # Of 128 pieces that never come, and the piece after the last.
                gelf.sendto(b"\x1e\x0f" + struct.pack(">Q", number) + b"\x00\x80" + b"x" * 1_000, address)
                gelf.sendto(b"\x1e\x0f" + struct.pack(">Q", number) + b"\xff\x02" + b"x", address)

    attack("lengths that lie", lie)


def test_nests_without_end(attack):
    deep = 200_000
    nests = [
        ("forward-tcp", b"\x92\xa1t" + b"\x91" * deep),
        ("forward-tcp", b"\x93\xa1t\x01" + b"\x81\xa1k" * deep + b"\x01"),
        ("forward-tcp", b"\xdd\x00\x00\x00\x02\xa1t" + b"\xdc\x00\x01" * deep),
    ]

    def nest(server, over):
        for port, bytes_ in nests:
            with connect(server, port, 2) as connection:
                say_all(connection, bytes_)
                connection.shutdown(socket.SHUT_WR)
                assert b"ack" not in ends(connection)
        body = b'{"a":' * deep
        with server.connect() as connection:
            assert connection.post("/api/v1/ingest/json", body, {}).status in (200, 400)
        with connect(server, "datadog-traces") as connection:
            spans = b"\x91" * deep
            head = f"PUT /v0.4/traces HTTP/1.1\r\nhost: x\r\ncontent-length: {len(spans)}\r\nconnection: close\r\n\r\n"
            say_all(connection, head.encode() + spans)
            assert ends(connection).startswith(b"HTTP/1.1 4")

    attack("nests without end", nest)


def test_one_chunk_id_of_two_senders(target, word):
    """Neither an id alone nor a sender alone makes events known."""

    def send(texts):
        with connect(target, "forward-tcp") as connection:
            connection.sendall(forward_events("the same", texts))
            assert connection.recv(64).startswith(b"\x81\xa3ack")

    def from_elsewhere(texts):
        with socket.socket() as connection:
            connection.bind(("127.0.0.9", 0))
            connection.connect(("127.0.0.1", target.port("forward-tcp")))
            connection.sendall(forward_events("the same", texts))
            assert connection.recv(64).startswith(b"\x81\xa3ack")

    send([f"{word} of one"])
    from_elsewhere([f"{word} of another"])
    from_elsewhere([f"{word} of one"])
    send([f"{word} of one"])
    found = sorted(record["body"] for record in target.wait_for(word, 3))
    assert found == [f"{word} of another", f"{word} of one", f"{word} of one"]


def test_it_is_small_again(target):
    """What all of that needed is given back, connections too."""
    until(lambda: resident(target) < 700 * MIB, lambda: f"{resident(target) / MIB:.0f} MiB", 60, 0.5)
    descriptors = lambda: len(list(Path(f"/proc/{target.pid()}/fd").iterdir()))
    until(lambda: descriptors() < 600, lambda: f"{descriptors()} descriptors are open", 90, 0.5)
