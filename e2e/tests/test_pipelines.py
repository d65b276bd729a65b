"""Pipelines: what they leave out is counted to the record, and a new set is taken up whole, under load and over kill -9."""

import os
import signal
import threading
import time
from collections import Counter

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from support.http import Connection
from support.server import pairs
from support.wait import until

FLUSH = "flush:\n  bytes: 1MiB\n  interval: 1s\n"
LEDGER = {"from": "2026-01-01T00:00:00Z", "series": "minute", "limit": 5_000}
SHOP = """pipelines:
  - name: shop-lines
    match: {service: shop}
    steps:
      - parse: {grok: '%{IP:client.address} %{WORD:http.request.method} %{NOTSPACE:url.path} %{INT:http.response.status_code:int}'}
      - vrl: |
          if .attributes."url.path" == "/healthz" { abort }
          .attributes.tier = join!(["sh", "op"])
"""


def marking(mark, extra=""):
    """Two steps, so that half of a set would show."""
    return f"""pipelines:
  - name: first
    steps: [vrl: '.attributes.first = "{mark}"']
  - name: second
    steps: [vrl: '.attributes.second = "{mark}"']
{extra}"""


def source(server, protocol):
    told = server.answered("/api/v1/sources", **LEDGER)
    assert told["balanced"], told
    found = [source for source in told["sources"] if source["protocol"] == protocol]
    assert len(found) == 1, told["sources"]
    return found[0]


def rewrite(server, before, after):
    """As editors do: a new file under the old name."""
    text = server.config.read_text()
    assert before in text
    new = server.config.with_suffix(".new")
    new.write_text(text.replace(before, after))
    os.replace(new, server.config)


def audited(server, event):
    # A column is there from the first record on that has it.
    known = {column["name"] for column in server.sql("select * from audit limit 1")["columns"]}
    if not {"audit.trigger", *(["audit.reason"] if event.endswith("refused") else [])} <= known:
        return []
    detail = ', "audit.reason"' if event.endswith("refused") else ""
    sql = f"""select body{detail} from audit where event_name = '{event}' and "audit.trigger" <> '' order by time"""
    return server.sql(sql)["rows"]


def test_an_sdks_records_are_parsed_and_what_is_dropped_is_counted(make_server):
    server = make_server(settings=FLUSH + SHOP).start()
    exporter = OTLPLogExporter(endpoint=f"http://{server.address('otlp-grpc')}", insecure=True)
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_export_batch_size=64))
    logger = provider.get_logger("shop")
    total, health = 700, 0
    began = time.time()
    for n in range(total):
        path = "/healthz" if n % 7 == 0 else f"/cart/{n}"
        health += path == "/healthz"
        body = "not a line" if n % 50 == 1 else f"10.0.0.{n % 250} GET {path} 200"
        health -= path == "/healthz" and body == "not a line"
        logger.emit(LogRecord(severity_number=SeverityNumber.INFO, body=body, attributes={"n": n}))
    assert provider.force_flush()
    provider.shutdown()
    ended = time.time()

    def check():
        records = {pairs(record, "attributes")["n"]: record for record in server.all_records("service.name: shop")}
        assert len(records) == total - health
        for n, record in records.items():
            found = pairs(record, "attributes")
            if n % 50 == 1:
                assert found["logkeep.pipeline.errors"] == ["shop-lines, step 1: grok: the pattern does not match"], found
                assert record["body"] == "not a line" and found["tier"] == "shop"
            else:
                assert found["url.path"] == f"/cart/{n}" and found["http.response.status_code"] == 200, found
                assert found["client.address"] == f"10.0.0.{n % 250}" and found["tier"] == "shop", found
        told = source(server, "otlp")
        assert (told["received"], told["stored"], told["dropped_for"]) == (total, total - health, {"shop-lines": health})
        assert told["peer"] == "127.0.0.1"
        minutes = {line["time"][:16] for line in told["series"] if line["dropped"]}
        possible = {time.strftime("%Y-%m-%dT%H:%M", time.gmtime(at)) for at in (began, ended)}
        assert minutes <= possible, (minutes, possible)

    check()
    # Once more from the files alone, after an end that nobody was told of.
    until(lambda: server.find("service.name: shop", limit=1), "records are there")
    time.sleep(2)
    server.kill()
    server.start()
    check()
    metrics = server.get("/metrics").text
    assert 'logkeep_pipeline_dropped_total{pipeline="shop-lines"} 0' in metrics, "counters begin with the process"
    server.stop()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr


class Load(threading.Thread):
    """Sends requests with a key each, again and again until one is answered."""

    def __init__(self, state, number):
        super().__init__(daemon=True)
        self.state, self.number, self.requests, self.faults = state, number, 0, []

    def run(self):
        while not self.state["done"].is_set():
            request = f"{self.number}-{self.requests}"
            body = "".join(f'{{"message":"line {n}","request":"{request}","n":{n}}}\n' for n in range(200)).encode()
            while True:
                try:
                    with Connection(self.state["url"]) as connection:
                        headers = {"content-type": "application/x-ndjson", "x-logkeep-batch": request}
                        answer = connection.post("/api/v1/ingest/ndjson", body, headers)
                    if answer.status == 200:
                        break
                    self.faults.append(answer.text)
                except OSError:
                    time.sleep(0.02)
            self.requests += 1


def test_a_set_is_taken_up_whole_under_load_and_over_kills(make_server):
    server = make_server(settings=FLUSH + marking("m0")).start()
    state = {"done": threading.Event(), "url": server.url}
    load = [Load(state, number) for number in range(3)]
    for thread in load:
        thread.start()
    reloads = lambda: Counter(line.split(" ")[-1] for line in server.get("/metrics").text.splitlines() if "reloads_total" in line)
    for round_ in range(1, 5):
        before = audited(server, "audit.pipelines.loaded")
        rewrite(server, f'"m{round_ - 1}"', f'"m{round_}"')
        if round_ % 2:
            os.kill(server.pid(), signal.SIGHUP)
        until(lambda before=before: len(audited(server, "audit.pipelines.loaded")) > len(before), "the new set is in use", 30)
        if round_ == 2:
            server.kill()
            server.start()
            state["url"] = server.url
    # One that has a fault changes nothing, and the trail says so.
    rewrite(server, 'second = "m4"', 'second = upcas("m5")')
    os.kill(server.pid(), signal.SIGHUP)
    until(lambda: "refused\"} 1" in server.get("/metrics").text, "the set is refused", 30)
    until(lambda: "refused" in str(server.sql("select event_name from audit")["rows"]), "the trail says so", 30)
    assert "undefined function" in str(audited(server, "audit.pipelines.refused"))
    marked = len(server.find('first: "m4"', limit=10_000))
    until(lambda: len(server.find('first: "m4"', limit=10_000)) > marked or marked == 10_000, "the old set goes on", 30)
    state["done"].set()
    for thread in load:
        thread.join(120)
        assert not thread.is_alive() and not thread.faults, thread.faults
    assert reloads()

    seen, counts = {}, Counter()
    for record in server.all_records("request: *", page=5_000):
        found = pairs(record, "attributes")
        assert found["first"] == found["second"], f"half a set: {found}"
        seen.setdefault(found["request"], set()).add(found["first"])
        counts[found["request"]] += 1
    assert all(len(marks) == 1 for marks in seen.values()), "a request passed two sets"
    assert {next(iter(marks)) for marks in seen.values()} >= {"m0", "m1", "m2", "m3", "m4"}
    sent = {f"{thread.number}-{n}" for thread in load for n in range(thread.requests)}
    assert set(counts) == sent and set(counts.values()) == {200}, "each record once, none lost"
    assert source(server, "ndjson")["stored"] == 200 * len(sent)


def test_a_faulty_set_does_not_start(make_server):
    server = make_server(settings=FLUSH + marking("m0").replace('second = "m0"', 'second = 1 +'))
    assert not server.try_start()
    assert "`second`, step 1" in server.last_words() and "syntax error" in server.last_words()
