"""Bad input to every receiver: a clear error in the protocol's own form, the good records of the same request kept, and
a server that is alive and small afterwards."""

import gzip
import json
import socket

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from support import wire
from support.http import Connection
from support.server import EVERYTHING, pairs
from support.wait import until

MIB = 1 << 20
OVERSIZED = 16 * MIB + 1
BOMB = 65 * MIB
MEMORY = 1 << 30
DEEP = 20_000


@pytest.fixture(autouse=True, scope="module")
def still_well(shared_server):
    """After all of it: the process is the same, answers, and never grew beyond a bound."""
    process = shared_server.process.pid
    yield
    assert shared_server.process.poll() is None and shared_server.process.pid == process
    shared_server.no_panic()
    assert shared_server.get("/readyz").status == 200
    shared_server.ingest([{"message": "stillwell"}])
    assert len(shared_server.find("stillwell")) == 1
    peak = shared_server.peak_memory_bytes()
    print(f"peak memory {peak / MIB:.0f} MiB")
    assert peak < MEMORY, f"the server grew to {peak / MIB:.0f} MiB"


def ndjson(server, body, **headers):
    with server.connect() as connection:
        return connection.post(
            "/api/v1/ingest/ndjson", body, {name.replace("_", "-"): value for name, value in headers.items()}
        )


def refused(answer, status, code):
    assert answer.status == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code and len(error["message"]) > 10, answer.text
    return error["message"]


def good_lines(word, count=2):
    return "".join(json.dumps({"message": f"{word} good {n}"}) + "\n" for n in range(count)).encode()


class TestNdjson:
    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("not-utf8", b'{"message": "\xff\xfe\x80 WORD"}'),
            ("cut-off", b'{"message": "WORD", "n": [1, 2'),
            ("nested", b'{"message": "WORD", "deep": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
            ("nested-open", b'{"message": "WORD", "deep": ' + b'{"a":' * DEEP),
            ("not-an-object", b'["WORD", 1]'),
            ("duplicate-keys", b'{"message": "WORD", "a": 1, "a": 2, "a": {"b": 3}}'),
            ("attributes", b'{"message": "WORD", ' + b", ".join(b'"key%d": %d' % (n, n) for n in range(10_000)) + b"}"),
            ("long-key", b'{"message": "WORD", "' + b"k" * 100_000 + b'": 1}'),
            ("numbers", b'{"message": "WORD", "n": 123456789012345678901234567890, "e": 1e999, "m": -0.0}'),
            ("wrong-clock", b'{"message": "WORD", "time": "9999-99-99T99:99:99Z", "ts": -1}'),
            ("nul", b'{"message": "WORD\\u0000\x00", "\\u0000": "\\ud800"}'),
            ("surrogates", b'{"message": "WORD \\ud83d \\ude00"}'),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_bad_line_is_kept_among_good_ones(self, shared_server, word, name, line):
        body = good_lines(word) + line.replace(b"WORD", word.encode()) + b"\n" + good_lines(word)
        answer = ndjson(shared_server, body)
        assert answer.status == 200, answer.text
        assert answer.json() == {"received": 5, "stored": 5, "deduplicated": 0, "rejected": 0, "errors": []}
        assert len(shared_server.find(f'"{word} good"')) == 4
        assert len(shared_server.find(word)) == 5, "the line itself is found by its word"

    def test_attributes_are_all_there(self, shared_server, word):
        document = {"message": word} | {f"key{n}": n for n in range(10_000)}
        shared_server.ingest([document])
        [record] = shared_server.find(f"{word} and key9999:9999")
        found = pairs(record, "attributes")
        assert all(found[f"key{n}"] == n for n in range(10_000))

    def test_a_long_line_is_cut_and_says_so(self, shared_server, word):
        line = b'{"message": "' + word.encode() + b" " + b"y" * (2 * MIB) + b'"}'
        assert ndjson(shared_server, line + b"\n" + good_lines(word)).json()["stored"] == 3
        [cut] = [record for record in shared_server.find(word) if "good" not in str(record["body"])[:100]]
        assert pairs(cut, "attributes")["logkeep.truncated_bytes"] == len(line) - MIB
        assert len(cut["body"]) <= MIB

    def test_the_largest_request_is_accepted(self, shared_server, word):
        line = json.dumps({"message": f"{word} " + "z" * 100_000}).encode() + b"\n"
        body = line * (16 * MIB // len(line))
        answer = ndjson(shared_server, body)
        assert answer.status == 200 and answer.json()["stored"] == body.count(b"\n"), answer.text

    def test_oversized(self, shared_server, word):
        message = refused(ndjson(shared_server, word.encode() + b"a" * OVERSIZED), 413, "too_large")
        assert str(16 * MIB) in message
        assert shared_server.find(word) == []

    @pytest.mark.parametrize(("encoding", "bomb"), [("gzip", wire.gzip_bomb), ("zstd", wire.zstd_bomb)])
    def test_bombs(self, shared_server, encoding, bomb):
        refused(ndjson(shared_server, bomb(BOMB), content_encoding=encoding), 413, "too_large")
        # A bomb in a bomb is opened once.
        nested = gzip.compress(bomb(BOMB * 4))
        assert ndjson(shared_server, nested, content_encoding=f"{encoding}, gzip").status == 413

    def test_corrupt_and_unknown_encodings(self, shared_server, word):
        whole = gzip.compress(good_lines(word, 100))
        refused(ndjson(shared_server, whole[: len(whole) // 2], content_encoding="gzip"), 400, "bad_request")
        refused(ndjson(shared_server, b"\x1f\x8b\x08garbage", content_encoding="gzip"), 400, "bad_request")
        refused(ndjson(shared_server, b"\x28\xb5\x2f\xfdgarbage", content_encoding="zstd"), 400, "bad_request")
        refused(ndjson(shared_server, good_lines(word), content_encoding="br"), 415, "bad_request")
        assert shared_server.find(word) == []

    def test_the_content_type_does_not_matter(self, shared_server, word):
        for content_type in ["image/png", "", "application/json; charset=latin1", "a/b/c"]:
            assert ndjson(shared_server, good_lines(word), content_type=content_type).status == 200
        assert len(shared_server.find(word)) == 8

    def test_headers(self, shared_server, word):
        refused(ndjson(shared_server, good_lines(word), x_logkeep_tenant="nobody"), 403, "forbidden")
        refused(ndjson(shared_server, good_lines(word), x_logkeep_tenant="../../etc"), 403, "forbidden")
        refused(ndjson(shared_server, good_lines(word), x_logkeep_batch="k" * 257), 400, "bad_request")
        refused(ndjson(shared_server, good_lines(word), x_logkeep_batch=""), 400, "bad_request")
        assert shared_server.find(word) == []

    def test_a_refusal_can_be_read_by_one_who_is_still_sending(self, shared_server):
        """Where a server answers and hangs up in the middle of a body, the sender sees a broken connection instead."""
        large = b"x" * (8 * MIB)
        for headers in [{"x-logkeep-tenant": "nobody"}, {"x-logkeep-batch": "k" * 257}, {"content-encoding": "br"}]:
            with shared_server.connect() as connection:
                for _ in range(2):
                    answer = connection.post("/api/v1/ingest/ndjson", large, headers)
                    assert 400 <= answer.status < 500
        with Connection(f"http://{shared_server.address('loki')}") as connection:
            assert connection.post("/loki/api/v1/push", large, {"x-scope-orgid": "nobody"}).status == 401
        with Connection(f"http://{shared_server.address('otlp-http')}") as connection:
            assert connection.post("/v1/logs", large, {"content-type": "text/plain"}).status == 415

    def test_empty(self, shared_server):
        for body in [b"", b"\n\n \r\n"]:
            answer = ndjson(shared_server, body)
            assert (answer.status, answer.json()["received"]) == (200, 0), answer.text

    def test_a_body_that_breaks_off_stores_nothing(self, shared_server, word):
        host, port = shared_server.url.removeprefix("http://").split(":")
        for head in [
            f"Content-Length: 1000000\r\n\r\n{good_lines(word).decode()}",
            f"Transfer-Encoding: chunked\r\n\r\nffff\r\n{good_lines(word).decode()}",
        ]:
            with socket.create_connection((host, int(port))) as out:
                out.sendall(f"POST /api/v1/ingest/ndjson HTTP/1.1\r\nHost: {host}\r\n{head}".encode())
                out.shutdown(socket.SHUT_WR)
                out.settimeout(30)
                said = out.recv(4096)
                assert b" 200 " not in said
        assert shared_server.find(word) == []


class TestOtlpHttp:
    def post(self, server, body, content_type="application/x-protobuf", path="/v1/logs", **headers):
        with Connection(f"http://{server.address('otlp-http')}") as connection:
            return connection.post(path, body, {"content-type": content_type} | headers)

    def good(self, word):
        return [wire.otlp_record(wire.otlp_string(f"{word} good {n}")) for n in range(2)]

    def test_one_bad_record_among_good_ones(self, shared_server, word):
        deep = wire.otlp_string("x")
        for _ in range(300):
            deep = wire.message((5, wire.message((1, deep))))
        bad = [wire.otlp_record(wire.message((1, b"\xff\xfe"))), b"\x2a\xff\xff", wire.otlp_record(deep)]
        body = wire.otlp_logs([*self.good(word), *bad])
        for headers, sent in [({}, body), ({"content-encoding": "gzip"}, gzip.compress(body))]:
            answer = self.post(shared_server, sent, **headers)
            assert (answer.status, answer.headers["content-type"]) == (200, "application/x-protobuf"), answer.text
            partial = ExportLogsServiceResponse.FromString(answer.body).partial_success
            assert partial.rejected_log_records == 3 and partial.error_message
        assert len(shared_server.find(f'"{word} good"')) == 4

    def test_one_bad_record_in_json(self, shared_server, word):
        records = [{"body": {"stringValue": f"{word} good"}}, {"body": {"intValue": "nonsense"}}, {"timeUnixNano": []}]
        body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
        answer = self.post(shared_server, body.encode(), "application/json")
        assert answer.status == 200, answer.text
        partial = answer.json()["partialSuccess"]
        assert int(partial["rejectedLogRecords"]) == 2 and partial["errorMessage"]
        assert len(shared_server.find(f'"{word} good"')) == 1

    @pytest.mark.parametrize(
        ("name", "body", "content_type", "status"),
        [
            (
                "truncated",
                wire.otlp_logs([wire.otlp_record(wire.otlp_string("x" * 100))])[:-30],
                "application/x-protobuf",
                400,
            ),
            ("garbage", b"\xff" * 1000, "application/x-protobuf", 400),
            ("json-truncated", b'{"resourceLogs": [{"scopeLogs": [', "application/json", 400),
            ("json-nested", b'{"resourceLogs": ' + b"[" * DEEP + b"]" * DEEP + b"}", "application/json", 400),
            ("json-not-utf8", b'{"resourceLogs": "\xff"}', "application/json", 400),
            ("media-type", b"hello", "text/plain", 415),
            ("oversized", b"\x0a" + b"a" * OVERSIZED, "application/x-protobuf", 413),
        ],
        ids=lambda value: value if isinstance(value, str) and "/" not in value else "",
    )
    def test_refused(self, shared_server, name, body, content_type, status):
        answer = self.post(shared_server, body, content_type)
        assert answer.status == status, answer.text
        self.is_status(answer, content_type)

    def is_status(self, answer, content_type):
        """`google.rpc.Status`, in the form of the request."""
        if content_type == "application/x-protobuf":
            assert answer.headers["content-type"] == content_type
            assert answer.body[0] == 0x08 and b"\x12" in answer.body, answer.body
        else:
            assert answer.json()["code"] > 0 and answer.json()["message"]

    def test_bombs(self, shared_server):
        for encoding, bomb in [("gzip", wire.gzip_bomb), ("zstd", wire.zstd_bomb)]:
            answer = self.post(shared_server, bomb(BOMB), **{"content-encoding": encoding})
            assert answer.status == 413, answer.text
            self.is_status(answer, "application/x-protobuf")

    def test_a_million_empty_records_are_bounded(self, shared_server):
        answer = self.post(shared_server, wire.otlp_logs([b""] * 600_000))
        assert answer.status == 413, answer.text


@pytest.fixture(scope="module")
def export(shared_server):
    """`LogsService/Export` over bytes as they are."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(shared_server.address("otlp-grpc"), options=options) as channel:
        method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        yield channel.unary_unary(method, request_serializer=None, response_deserializer=None)


class TestOtlpGrpc:
    def test_one_bad_record_among_good_ones(self, shared_server, export, word):
        records = [wire.otlp_record(wire.otlp_string(f"{word} good")), wire.otlp_record(wire.message((1, b"\xff")))]
        partial = ExportLogsServiceResponse.FromString(export(wire.otlp_logs(records), timeout=30)).partial_success
        assert partial.rejected_log_records == 1 and partial.error_message
        assert len(shared_server.find(f'"{word} good"')) == 1

    @pytest.mark.parametrize(
        ("name", "body", "code"),
        [
            ("garbage", b"\xff" * 100, grpc.StatusCode.INVALID_ARGUMENT),
            (
                "truncated",
                wire.otlp_logs([wire.otlp_record(wire.otlp_string("x" * 100))])[:-30],
                grpc.StatusCode.INVALID_ARGUMENT,
            ),
            ("oversized", b"\x0a" + b"a" * BOMB, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refused(self, export, name, body, code):
        with pytest.raises(grpc.RpcError) as refusal:
            export(body, timeout=60)
        assert refusal.value.code() == code, refusal.value
        assert refusal.value.details()


class TestElasticsearch:
    def bulk(self, server, body, method="POST", path="/_bulk", **headers):
        with Connection(f"http://{server.address('elasticsearch')}") as connection:
            answer = connection.request(
                method,
                path,
                body,
                {"content-type": "application/x-ndjson"} | {k.replace("_", "-"): v for k, v in headers.items()},
            )
        assert answer.headers["x-elastic-product"] == "Elasticsearch"
        return answer

    def pair(self, document, action=b'{"index": {"_index": "bad"}}'):
        return action + b"\n" + document + b"\n"

    def error(self, answer, status, kind=None):
        assert answer.status == status, answer.text
        said = answer.json()
        assert said["status"] == status and said["error"]["reason"], said
        assert kind in (None, said["error"]["type"]), said

    def test_each_item_for_itself(self, shared_server, word):
        good = json.dumps({"message": f"{word} good"}).encode()
        cases = [
            (good, None, 201),
            (b'{"message": "cut', None, 400),
            (b'["no object"]', None, 400),
            (b'{"deep": ' + b"[" * DEEP + b"]" * DEEP + b"}", None, 400),
            (good, b'{"index": {"_index": "Bad Name"}}', 400),
            (b'{"doc": {}}', b'{"update": {"_index": "bad", "_id": "1"}}', 400),
            (b'{"message": "' + word.encode() + b' good \xff"}', None, 201),
            (good, b'{"create": {"_index": "bad"}}', 201),
        ]
        body = b"".join(self.pair(document, action) if action else self.pair(document) for document, action, _ in cases)
        answer = self.bulk(shared_server, body)
        assert answer.status == 200, answer.text
        said = answer.json()
        assert said["errors"] is True
        items = [next(iter(item.values())) for item in said["items"]]
        assert [item["status"] for item in items] == [status for *_, status in cases]
        assert all(item["error"]["type"] and item["error"]["reason"] for item in items if item["status"] == 400)
        assert len(shared_server.find(f'"{word} good"')) == 3

    def test_framing(self, shared_server, word):
        good = self.pair(json.dumps({"message": word}).encode())
        # After an action line that is none nothing can be told apart, so nothing of the request is stored.
        self.error(self.bulk(shared_server, good + b"nonsense\n" + good), 400, "illegal_argument_exception")
        self.error(self.bulk(shared_server, b""), 400)
        assert shared_server.find(word) == []
        answer = self.bulk(shared_server, good + b'{"index": {"_index": "bad"}}\n')
        if answer.status == 200:
            assert [next(iter(item.values()))["status"] for item in answer.json()["items"]] == [201, 400]
        else:
            self.error(answer, 400)

    def test_sizes_and_encodings(self, shared_server):
        self.error(self.bulk(shared_server, b"a" * OVERSIZED), 413, "content_too_long_exception")
        self.error(
            self.bulk(shared_server, wire.gzip_bomb(BOMB), content_encoding="gzip"), 413, "content_too_long_exception"
        )
        self.error(self.bulk(shared_server, b"\x1f\x8b\x08cut", content_encoding="gzip"), 400)
        self.error(self.bulk(shared_server, b"{}", content_encoding="lzma"), 415)

    def test_unknown_paths(self, shared_server):
        for method, path in [("GET", "/no/such/api/here"), ("POST", "/_search/scroll"), ("DELETE", "/bad")]:
            answer = self.bulk(shared_server, b"", method, path)
            assert 400 <= answer.status < 500 and answer.json()["error"], (path, answer.text)


class TestLoki:
    def push(self, server, body, content_type="application/json", **headers):
        with Connection(f"http://{server.address('loki')}") as connection:
            return connection.post(
                "/loki/api/v1/push",
                body,
                {"content-type": content_type} | {k.replace("_", "-"): v for k, v in headers.items()},
            )

    def test_bad_lines_among_good_ones(self, shared_server, word):
        now = "1795168800000000000"
        streams = [
            {
                "stream": {"app": word},
                "values": [
                    [now, f"{word} good"],
                    [now],
                    ["yesterday", "x"],
                    [now, f"{word} good", {"n": 1}],
                    [now, f"{word} good", {"n": "1"}],
                ],
            },
            {"stream": {"app": 1}, "values": [[now, f"{word} lost"]]},
        ]
        answer = self.push(shared_server, json.dumps({"streams": streams}).encode())
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (400, "text/plain")
        assert answer.text.startswith("4 of 6 lines rejected, the others are stored")
        assert len(shared_server.find(f'"{word} good"')) == 2
        assert shared_server.find(f'"{word} lost"') == []

    def test_bad_labels_in_protobuf(self, shared_server, word):
        body = wire.loki_push(
            [
                ('{app="x"}', [f"{word} good"]),
                ("{app=nonsense", [f"{word} lost"]),
                ('{app="x"}', [f"{word} good".encode() + b"\xff"]),
            ]
        )
        answer = self.push(shared_server, wire.snappy(body), "application/x-protobuf")
        assert answer.status == 400 and "lines rejected" in answer.text, answer.text
        assert shared_server.find(f'"{word} lost"') == []
        assert len(shared_server.find(f'"{word} good"')) in (1, 2)

    @pytest.mark.parametrize(
        ("name", "body", "headers", "status"),
        [
            ("json-truncated", b'{"streams": [{"stream": {', {}, 400),
            ("json-nested", b'{"streams": ' + b"[" * DEEP, {}, 400),
            ("json-not-utf8", b"\xff\xfe", {}, 400),
            ("snappy-garbage", b"\xff\xff\xff", {"content_type": "application/x-protobuf"}, 400),
            ("protobuf-garbage", wire.snappy(b"\xff" * 100), {"content_type": "application/x-protobuf"}, 400),
            ("snappy-bomb", wire.varint(1 << 31) + b"\x00a", {"content_type": "application/x-protobuf"}, 413),
            ("gzip-bomb", wire.gzip_bomb(BOMB), {"content_encoding": "gzip"}, 413),
            ("oversized", b"a" * OVERSIZED, {}, 413),
            ("tenant", b'{"streams": []}', {"x_scope_orgid": "nobody"}, 401),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refused(self, shared_server, name, body, headers, status):
        answer = self.push(shared_server, body, **headers)
        assert answer.status == status, f"{answer.status} {answer.text}"
        assert answer.headers["content-type"].startswith("text/plain") and len(answer.text) > 10


class TestSyslog:
    def send(self, server, *parts):
        """Sends on one connection, and reads until the server closes it or there is nothing to read any more."""
        with socket.create_connection(("127.0.0.1", server.port("syslog-tcp"))) as out:
            try:
                for part in parts:
                    out.sendall(part)
                out.shutdown(socket.SHUT_WR)
                out.settimeout(30)
                while out.recv(4096):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass

    def good(self, word):
        return f"<13>1 2026-11-20T10:00:00Z host app - - - {word} good\n".encode()

    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("not-utf8", b"<13>1 2026-11-20T10:00:00Z host app - - - \xff\xfe\n"),
            ("no-priority", b"just some text\n"),
            ("wrong-priority", b"<999999>1 nonsense\n"),
            ("wrong-clock", b"<13>1 2026-99-99T99:99:99Z host app - - - x\n"),
            ("open-structure", b'<13>1 2026-11-20T10:00:00Z host app - - [a b="c\n'),
            ("nul", b"<13>\x00\x00\x00\n"),
            ("empty", b"\n\r\n\n"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_bad_line_among_good_ones(self, shared_server, word, name, line):
        self.send(shared_server, self.good(word) + line + self.good(word))
        shared_server.wait_for(f'"{word} good"', 2)

    def test_a_line_without_end_is_cut(self, shared_server, word):
        self.send(
            shared_server,
            self.good(word),
            b"<13>1 2026-11-20T10:00:00Z host app - - - " + word.encode() + b" long " + b"z" * (3 * MIB) + b"\n",
            self.good(word),
        )
        shared_server.wait_for(f'"{word} good"', 2)
        [cut] = shared_server.wait_for(f'"{word} long"', 1)
        assert pairs(cut, "attributes")["logkeep.truncated_bytes"] > MIB

    def test_wrong_octet_counts_end_the_connection_only(self, shared_server, word):
        one = self.good(word).strip()
        counted = str(len(one)).encode() + b" " + one
        for nonsense in [b"99999999999999999999 x", b"12x", b"-5 hello"]:
            self.send(shared_server, counted + nonsense + b"\n" * 100)
        shared_server.wait_for(f'"{word} good"', 3)

    def test_other_protocols(self, shared_server, word):
        self.send(shared_server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500)
        self.send(shared_server, b"\x78\x9c" + b"\x00" * 500)
        self.send(shared_server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.send(shared_server, self.good(word))
        shared_server.wait_for(f'"{word} good"', 1)

    def test_datagrams(self, shared_server, word):
        address = ("127.0.0.1", shared_server.port("syslog-udp"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for datagram in [b"", b"\x00", b"\xff" * 60_000, b"<", b"<13>" + b"(" * 60_000]:
                out.sendto(datagram, address)

            def arrived():
                # The kernel may drop any datagram.
                out.sendto(self.good(word), address)
                return shared_server.find(f'"{word} good"')

            until(arrived, "a good datagram after the bad ones", every_s=0.2)


class TestConfiguredLimits:
    def test_a_record_is_cut_at_the_configured_length(self, make_server, word):
        server = make_server("limits", "limits:\n  record_bytes: 4KiB\n").start()
        assert ndjson(server, word.encode() + b" " + b"x" * 5_000).status == 200
        (cut,) = server.find(word)
        assert len(cut["body"]) == 4_096
        assert pairs(cut, "attributes")["logkeep.truncated_bytes"] == len(word) + 5_001 - 4_096

    def test_a_request_is_refused_at_the_configured_length(self, make_server, word):
        server = make_server("limits", "limits:\n  request_bytes: 8KiB\n  record_bytes: 8KiB\n").start()
        refused(ndjson(server, b"x" * 9_000), 413, "too_large")
        assert ndjson(server, good_lines(word)).status == 200
        assert len(server.find(word)) == 2


class TestAfterwards:
    def test_everything_is_still_readable(self, shared_server):
        """No stored record, however odd, breaks an answer."""
        assert len(shared_server.all_records()) > 50
        assert shared_server.answered("/api/v1/fields", q="", **EVERYTHING)["total"] > 50
        assert shared_server.answered("/api/v1/histogram", q="", **EVERYTHING)["total"] > 50
        assert shared_server.sql("select count(*) from logs")["rows"][0][0] > 50
