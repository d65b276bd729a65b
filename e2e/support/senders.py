"""A sender of each protocol in a few lines: what it sends for some records, and what it must hear to be content."""

import base64
import json
import socket
import struct
import zlib
from dataclasses import dataclass

import msgpack


class Sender:
    def content(self, status):
        """Whether this answer says that everything was taken but what is bad by intention."""
        return status in (200, 202, 204) or (status == 400 and self.bad > 0)


@dataclass
class Http(Sender):
    """A request on a port, or on the main one. `bad` records of it can never be stored."""

    protocol: str
    port: str
    path: str
    body: object
    headers: dict
    bad: int = 0
    known_again: bool = False

    def head(self, number, body):
        lines = [f"POST {self.path} HTTP/1.1", "host: 127.0.0.1", "connection: close", f"content-length: {len(body)}"]
        lines += [f"{name}: {value.format(number=number)}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def message(self, number, texts):
        body = self.body(number, texts)
        return self.head(number, body) + body

    def answered(self, connection, count):
        """The status, once the whole answer is there; None if it never came."""
        said = b""
        while b"\r\n\r\n" not in said:
            more = connection.recv(65536)
            if not more:
                return None
            said += more
        return int(said.split(b" ", 2)[1])


@dataclass
class Tcp(Sender):
    """What one connection sends; with an `ack` for so many records, or never answered."""

    protocol: str
    port: str
    body: object
    ack: object = None
    bad: int = 0
    known_again: bool = False

    def message(self, number, texts):
        return self.body(number, texts)

    def answered(self, connection, count):
        if self.ack is None:
            # The end of the connection says nothing: a server that was killed ends it too.
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
            return None
        expected, said = self.ack(count), b""
        while not said.endswith(expected):
            more = connection.recv(65536)
            if not more:
                return None
            said += more
        return 200


def lines(one):
    return lambda number, texts: "".join(one(text) + "\n" for text in texts).encode()


def documents(texts):
    return [{"message": text} for text in texts]


def bulk(number, texts):
    """Every document has an id of its own; the last is none."""
    out = []
    for place, text in enumerate(texts):
        out += [json.dumps({"index": {"_id": f"{number}-{place}"}}), json.dumps({"message": text})]
    return ("\n".join([*out, '{"index":{}}', "bad"]) + "\n").encode()


def loki(number, texts):
    values = [[str(1_795_168_800_000_000_000 + number), text] for text in texts]
    return json.dumps({"streams": [{"stream": {"app": "a"}, "values": [["x", "bad"], *values]}]}).encode()


def otlp(number, texts):
    records = [{"body": {"stringValue": text}} for text in texts] + [{"body": {"intValue": "x"}}]
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()


def otlp_spans(number, texts):
    spans = [{"name": text, "traceId": f"{number + 1:032x}", "spanId": "00000000000000aa"} for text in texts]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [*spans, {"name": 1}]}]}]}).encode()


def zipkin(number, texts):
    return json.dumps([*({"traceId": "1", "id": "2", "name": text} for text in texts), {"name": "bad"}]).encode()


def hec(number, texts):
    return (json.dumps({"message": 1}) + "".join(json.dumps({"event": text}) for text in texts)).encode()


def gelf(text):
    return json.dumps({"version": "1.1", "host": "h", "short_message": text})


def firehose(number, texts):
    data = [{"data": base64.b64encode(text.encode()).decode()} for text in texts]
    return json.dumps({"requestId": f"r{number}", "timestamp": 1, "records": [{"data": "!"}, *data]}).encode()


def journal(number, texts):
    entry = "__CURSOR=c{0}\n__REALTIME_TIMESTAMP=1795168800000000\nMESSAGE={0}\n"
    return "\n".join(entry.format(text) for text in texts).encode() + b"\n"


def forward(number, texts):
    events = [[1_795_168_800, {"message": text}] for text in texts]
    return msgpack.packb(["tag", [*events, 7], {"chunk": "c"}])


def beats(number, texts):
    events = b""
    for sequence, text in enumerate(texts, 1):
        body = json.dumps({"message": text, "@timestamp": "2026-11-20T10:00:00.000Z"}).encode()
        events += b"2J" + struct.pack(">II", sequence, len(body)) + body
    packed = zlib.compress(events)
    return b"2W" + struct.pack(">I", len(texts)) + b"2C" + struct.pack(">I", len(packed)) + packed


def relp(number, texts):
    out = b"1 open 14 relp_version=0\n"
    for transaction, text in enumerate(texts, 2):
        message = f"<13>1 2026-11-20T10:00:00Z web-1 app 7 - - {text}".encode()
        out += f"{transaction} syslog {len(message)} ".encode() + message + b"\n"
    return out


JSON = {"content-type": "application/json", "user-agent": "chaos/1"}

SENDERS = [
    Http("ndjson", "main", "/api/v1/ingest/ndjson", lines(lambda text: json.dumps({"message": text})),
         {"x-logkeep-batch": "n{number}"}, known_again=True),
    Http("json", "json-http", "/", lambda number, texts: json.dumps(documents(texts)).encode() + b"\n{broken", JSON, bad=1),
    Http("elasticsearch", "elasticsearch", "/web/_bulk", bulk, JSON, bad=1, known_again=True),
    Http("loki", "loki", "/loki/api/v1/push", loki, JSON, bad=1),
    Http("otlp", "otlp-http", "/v1/logs", otlp, JSON, bad=1),
    Http("otlp", "otlp-http", "/v1/traces", otlp_spans, JSON, bad=1),
    Http("zipkin", "zipkin", "/api/v2/spans", zipkin, JSON, bad=1),
    Http("splunk-hec", "splunk-hec", "/services/collector/event", hec, {"authorization": "Splunk t"}, bad=1),
    Http("gelf", "gelf-http", "/gelf", lambda number, texts: b"x\n" + lines(gelf)(number, texts), JSON, bad=1),
    Http("datadog", "datadog-http", "/api/v2/logs",
         lambda number, texts: json.dumps(documents(texts)).encode() + b"\n{broken", {"dd-api-key": "k"}, bad=1),
    Http("firehose", "main", "/firehose", firehose, JSON, bad=1, known_again=True),
    Http("journal", "journal", "/upload", journal, {"content-type": "application/vnd.fdo.journal"}),
    Tcp("forward", "forward-tcp", forward, lambda count: b"\x81\xa3ack\xa1c", bad=1, known_again=True),
    Tcp("beats", "beats", beats, lambda count: b"2A" + struct.pack(">I", count)),
    Tcp("relp", "relp", relp, lambda count: f"{count + 1} rsp 6 200 OK\n".encode()),
    Tcp("syslog", "syslog-tcp", lines(lambda text: f"<13>1 2026-11-20T10:00:00Z web-1 app 7 - - {text}")),
    Tcp("json", "json-tcp", lines(lambda text: json.dumps({"message": text}))),
    Tcp("gelf", "gelf-tcp", lambda number, texts: "".join(gelf(text) + "\0" for text in texts).encode()),
    Tcp("datadog", "datadog-tcp", lines(lambda text: f"0123456789abcdef0123456789abcdef {text}")),
]

ANSWERED = [sender for sender in SENDERS if getattr(sender, "ack", True)]


def exchange(sender, port, message, count, read=True):
    """The answer to a message of so many records, over a connection of its own; None if it never came or is not read."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(message)
        return sender.answered(connection, count) if read else None


DATAGRAMS = [
    ("syslog", "syslog-udp", lambda text: f"<13>1 2026-11-20T10:00:00Z web-1 app 7 - - {text}".encode()),
    ("gelf", "gelf-udp", lambda text: gelf(text).encode()),
    ("json", "json-udp", lambda text: json.dumps({"message": text}).encode()),
]
