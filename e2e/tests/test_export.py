"""Exports: every record of a selection in three formats, as it was when it began, within limits, and never a short file that looks whole."""

import csv
import http.client
import io
import json
import subprocess
import threading
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
from support.people import CLOSED, administrator, machine, person
from support.server import BINARY, Server
from support.wait import until

ALWAYS = "from=2020-01-01T00:00:00Z&to=2040-01-01T00:00:00Z"
FLUSHED = "flush:\n  interval: 1s\n  bytes: 4MiB\nlog:\n  level: error\n"
OPEN = "access:\n  loopback: open\n  export_rows: 10000000\n"
RECORDS = 60_000
ODD = ['say "hi", you', "two\nlines\r\nof three", "=1+1", "-2+3", "-17", "+4.5", "@SUM(A1)", "\ttab", "żółw 🐢", "\u202eright to left", "\x00\x1b[31m", "plain", "a,b;c"]


def document(n):
    return {
        "@timestamp": f"2026-11-20T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}.{n % 1000:03}Z",
        "message": f"{ODD[n % len(ODD)]}{'' if n % 3 == 0 else f' {n}'}",
        "service": f"svc-{n % 7}",
        "level": ["info", "warn", "error"][n % 3],
        "n": n,
        "half": n / 2 + 0.25,
        "path": f"/p/{n % 11}" if n % 5 else None,
        "nested": {"deep": [n, "x"]},
    }


def download(server, query, headers=None, take=None):
    """Status, headers and body; the body is None if the connection broke before its end."""
    host, port = server.url.removeprefix("http://").split(":")
    raw = http.client.HTTPConnection(host, int(port), timeout=300)
    raw.request("GET", f"/api/v1/export?{query}", headers=headers or {})
    answer = raw.getresponse()
    try:
        body = answer.read(take) if take else answer.read()
    except http.client.IncompleteRead:
        body = None
    raw.close()
    return answer.status, answer.headers, body


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("export") / "server", FLUSHED + OPEN).start()
    for start in range(0, RECORDS, 5_000):
        server.ingest(document(n) for n in range(start, start + 5_000))
    yield server
    server.stop()


def attribute(record, name):
    return dict(map(tuple, record["attributes"])).get(name)


def test_ndjson_has_each_record_once_and_as_a_search_gives_it(full):
    status, headers, body = download(full, f"{ALWAYS}&format=ndjson&order=asc")
    assert status == 200 and headers["content-type"] == "application/x-ndjson"
    assert headers["content-disposition"].startswith('attachment; filename="logs-') and headers["content-disposition"].endswith('.ndjson"')
    assert headers["cache-control"] == "no-store"
    records = [json.loads(line) for line in body.decode().split("\n")[:-1]]
    assert sorted(attribute(record, "n") for record in records) == list(range(RECORDS))
    assert [record["time_ns"] for record in records] == sorted((record["time_ns"] for record in records), key=int)
    page = full.get("/api/v1/logs?order=asc&limit=1000&" + ALWAYS).json()["records"]
    assert records[:1000] == page


def test_csv_is_rfc_4180_and_harmless_to_spreadsheets(full):
    status, headers, body = download(full, f"{ALWAYS}&format=csv&fields=n,half,path,nested.deep,nothing")
    assert status == 200 and headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    assert rows[0] == ["id", "time", "severity", "service", "body", "trace_id", "span_id", "n", "half", "path", "nested.deep", "nothing"]
    assert len(rows) == RECORDS + 1 and body.endswith(b"\r\n")
    times = [row[1] for row in rows[1:]]
    assert times == sorted(times, reverse=True)
    seen = set()
    for row in rows[1:]:
        n = int(row[7])
        sent = document(n)
        seen.add(n)
        message = sent["message"]
        guarded = message[:1] in list("=+-@\t\r") and message not in ("-17", "+4.5")
        assert row[4] == ("'" if guarded else "") + message, (row, message)
        assert row[3] == sent["service"] and float(row[8]) == sent["half"]
        assert row[9] == (sent["path"] or "") and json.loads(row[10]) == sent["nested"]["deep"] and row[11] == ""
    assert len(seen) == RECORDS


def test_parquet_is_typed_and_in_bounded_groups(full, tmp_path):
    status, headers, body = download(full, f"{ALWAYS}&format=parquet&order=asc&q={quote('level:error')}")
    assert status == 200 and headers["content-type"] == "application/vnd.apache.parquet"
    file = pq.ParquetFile(io.BytesIO(body))
    table = file.read()
    assert table.num_rows == RECORDS // 3
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]" and str(table.schema.field("severity_number").type) == "uint8"
    assert all(file.metadata.row_group(place).num_rows <= 65_536 for place in range(file.metadata.num_row_groups))
    found = {json.loads(text)["n"]: body for text, body in zip(table["attributes"].to_pylist(), table["body"].to_pylist())}
    assert found == {n: document(n)["message"] for n in range(2, RECORDS, 3)}
    assert set(table["service"].to_pylist()) == {f"svc-{n}" for n in range(7)}
    assert json.loads(table["resource"][0].as_py())["service.name"] == table["service"][0].as_py()


def test_what_comes_later_is_not_in_it(full):
    """Each of two is of one moment: all records of whole batches, none of later ones, while a thread goes on sending."""
    stop = threading.Event()

    def send():
        batch = 0
        while not stop.is_set():
            full.ingest({"@timestamp": "2026-11-20T12:00:00Z", "message": f"later {batch}", "batch": batch, "service": "late"} for _ in range(100))
            batch += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        until(lambda: full.find("service:late", limit=1), "they come")
        for order in ("asc", "desc"):
            status, _, body = download(full, f"{ALWAYS}&format=ndjson&order={order}")
            assert status == 200
            records = [json.loads(line) for line in body.decode().split("\n")[:-1]]
            ids = [record["id"] for record in records]
            assert len(ids) == len(set(ids))
            late = [attribute(record, "batch") for record in records if record["service"] == "late"]
            assert len(records) - len(late) == RECORDS
            assert sorted(late) == [batch for batch in range(max(late) + 1) for _ in range(100)], "whole batches up to one moment"
    finally:
        stop.set()
        thread.join()


def test_limits_and_what_is_wrong(full):
    status, _, body = download(full, f"{ALWAYS}&format=csv&limit=2500&q=service:svc-1")
    assert status == 200 and body.count(b"\r\n") >= 2501 and len(list(csv.reader(io.StringIO(body.decode(), newline="")))) == 2501
    status, _, body = download(full, "from=2019-01-01T00:00:00Z&to=2019-01-02T00:00:00Z&format=csv")
    assert (status, body) == (200, b"id,time,severity,service,body,trace_id,span_id,attributes,resource\r\n"), "no record is an answer, too"
    status, _, body = download(full, "from=2019-01-01T00:00:00Z&to=2019-01-02T00:00:00Z&format=parquet")
    assert status == 200 and pq.read_table(io.BytesIO(body)).num_rows == 0
    for query, named in [
        ("", "`format` is ``"),
        ("format=xml", "`csv`, `ndjson` or `parquet`"),
        ("format=csv&order=up", "`order`"),
        ("format=csv&limit=0", "`limit`"),
        ("format=csv&fields=a,,b", "`fields`"),
        ("format=csv&fields=a,a", "`fields`"),
        ("format=csv&fields=body", "a column anyway"),
        ("format=parquet&fields=received", "a column anyway"),
        ("format=ndjson&fields=a", "leave out `fields`"),
        (f"format=csv&fields={','.join(map(str, range(101)))}", "at most 100"),
        ("format=csv&q=%28", "position"),
        ("format=csv&from=never", "`from`"),
    ]:
        status, _, body = download(full, query)
        assert status == 400 and named in body.decode(), (query, body)


@pytest.fixture
def lab(make_server):
    server = make_server(settings=CLOSED + "  export_rows: 9000\n  export_rows_a_day: 20000\n").start()
    root = administrator(server)
    server.ingest({"message": f"line {n}", "n": n, "pad": "x" * 400} for n in range(10_000))
    return server, person(server, root, "ann", "analyst"), person(server, root, "eve", "auditor")


def ended(auditor):
    """How the exports that began have ended, and with how many rows, latest first."""
    rows = auditor.call("GET", "/audit?user=ann&object=export&decision=allow").json()["rows"]
    return [(row["outcome"], row["rows"]) for row in rows]


def test_more_than_one_may_read_out_never_leaves(lab):
    server, ann, eve = lab
    status, _, body = download(server, "format=csv", ann.headers)
    assert status == 403 and b"over_export" in body and b"10000 rows" in body and b"line 1" not in body
    status, _, body = download(server, "format=csv&limit=9000", ann.headers)
    assert status == 200 and body.count(b"\r\n") == 9001
    # 11,000 rows of the day are left, so that the third breaks in its middle.
    assert download(server, "format=ndjson&limit=9000", ann.headers)[0] == 200
    status, _, body = download(server, "format=ndjson&limit=9000", ann.headers)
    assert body is None or status == 403, "2,000 are left"
    until(lambda: len(ended(eve)) == 4 and ended(eve)[0][0], "all ends are in the trail")
    assert [outcome for outcome, _ in ended(eve)] == ["withheld", "answered", "answered", "withheld"]
    assert [rows for _, rows in ended(eve)][1:] == [9000, 9000, 0]
    assert ended(eve)[0][1] <= 2_000
    reasons = [row["reason"] for row in eve.call("GET", "/audit?user=ann&decision=deny").json()["rows"]]
    assert reasons == ["access.export_rows_a_day", "access.export_rows"]


def test_the_trail_has_what_was_exported(lab):
    server, ann, eve = lab
    _, _, body = download(server, "format=csv&limit=5&q=line&from=-1h", ann.headers)
    assert body.count(b"\r\n") == 6
    until(lambda: ended(eve) == [("answered", 5)], "it is in the trail")
    (row,) = eve.call("GET", "/audit?user=ann&object=export").json()["rows"]
    assert row["action"] == "query" and row["query"] == "line" and row["bytes"] == len(body)
    sql = "select \"audit.format\" from audit where \"audit.object\" = 'export' and \"audit.format\" is not null"
    assert eve.call("POST", "/sql", {"sql": sql}).json()["rows"] == [["csv"]]


def test_the_command_leaves_no_file_that_is_cut_short(lab, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("files")
    server, ann, _ = lab
    token = machine(server, ann, "analyst").headers["authorization"].removeprefix("Bearer ")

    def run(*arguments):
        command = [str(BINARY), "export", "--url", server.url, *arguments]
        return subprocess.run(command, env={"LOGKEEP_TOKEN": token}, capture_output=True, timeout=120)

    whole = run("line", "--limit", "9000", "--format", "parquet", "--fields", "n", "--order", "asc", "-o", str(tmp_path / "a.parquet"))
    assert whole.returncode == 0, whole.stderr
    assert pq.read_table(tmp_path / "a.parquet")["n"].to_pylist() == [str(n) for n in range(9000)]
    shown = run("n<3", "--format", "csv")
    assert shown.returncode == 0 and shown.stdout.count(b"\r\n") == 4
    refused = run("line", "--output", str(tmp_path / "b.ndjson"))
    assert refused.returncode == 1 and b"10000 rows" in refused.stderr
    # 10,997 rows of the day are left, then 5,997.
    assert run("--limit", "5000", "--output", str(tmp_path / "c.ndjson")).returncode == 0
    broken = run("--limit", "9000", "--output", str(tmp_path / "d.ndjson"))
    assert broken.returncode == 3 and b"cut short after" in broken.stderr, broken
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "c.ndjson"]


def test_those_who_go_away_leave_room(make_server):
    server = make_server(settings=FLUSHED + OPEN).start()
    for part in range(8):
        server.ingest({"message": f"{part} {n} " + "y" * 2000, "n": n} for n in range(4_000))
    host, port = server.url.removeprefix("http://").split(":")
    waiting = []
    for _ in range(2):
        raw = http.client.HTTPConnection(host, int(port), timeout=60)
        raw.request("GET", "/api/v1/export?format=ndjson")
        assert raw.getresponse().read(1000)
        waiting.append(raw)
    status, headers, body = download(server, "format=ndjson")
    assert status == 429 and b"too_many_exports" in body and headers["retry-after"] == "1"
    for raw in waiting:
        raw.sock.close()
        raw.close()
    until(lambda: download(server, "format=csv&limit=1")[0] == 200, "there is room again")
    outcomes = lambda: [row["outcome"] for row in server.get("/api/v1/audit?object=export").json()["rows"]]
    until(lambda: outcomes().count("abandoned") == 2, f"both are written down: {outcomes()}")
    assert server.peak_memory_bytes() < 500 << 20


def test_damage_in_the_middle_is_seen(make_server):
    server = make_server(settings=FLUSHED + OPEN).start()
    for part in range(4):
        server.ingest({"@timestamp": f"2026-11-2{part}T10:00:00Z", "message": f"{part} {n} " + f"{n * 7919:x}" * 50, "n": n} for n in range(8_000))
        until(lambda: len(segments(server)) > part, "it is flushed")
    server.stop()
    latest = max(segments(server), key=lambda path: path.name)
    content = bytearray(latest.read_bytes())
    for place in range(len(content) // 4, len(content) // 2):
        content[place] ^= 0x55
    latest.write_bytes(content)
    server.start()
    assert download(server, f"{ALWAYS}&format=ndjson&order=asc")[0] == 503, "it is seen when they are counted, before anything leaves"
    # Fewer than one may read out are not counted.
    status, _, body = download(server, f"{ALWAYS}&format=ndjson&order=asc&limit=1000000")
    assert (status, body) == (200, None), "what was read before the damage left, and the connection broke"
    outcomes = lambda: [row["outcome"] for row in server.get("/api/v1/audit?object=export").json()["rows"]]
    until(lambda: outcomes()[:1] == ["failed"], f"it is written down: {outcomes()}")


def segments(server):
    return list((server.data / "objects/default/default/segment").glob("*"))
