"""Full ingest and ten heavy queries at a time in a gigabyte of memory: what does not fit waits or is refused, and the
kernel kills nothing.
"""

import json
import random
import threading
import time
from collections import Counter

import pytest
from support.cgroup import MemoryLimit, NoCgroup
from support.wait import until

LIMIT = 1 << 30
SENDERS = 4
QUERIES = 10
BODY = 2 << 20
HEAVY = [
    'SELECT "url.path", "session.id", count(*) AS n FROM logs GROUP BY 1, 2 ORDER BY n DESC LIMIT 50',
    "SELECT * FROM logs ORDER BY body DESC LIMIT 1000",
    'SELECT "session.id", max(body) AS b FROM logs GROUP BY 1 ORDER BY b LIMIT 100',
    'SELECT count(DISTINCT body) AS a, count(DISTINCT "session.id") AS b FROM logs',
    'SELECT "url.path", body, row_number() OVER (PARTITION BY "url.path" ORDER BY body) AS n FROM logs ORDER BY n DESC LIMIT 10',
]
# A query that is too large, too long or one too many may be refused, with the reason; nothing else may happen.
FAIR = {200, 408, 413, 422, 429, 503, 504}


@pytest.fixture
def limit():
    try:
        made = MemoryLimit(LIMIT)
    except NoCgroup as reason:
        pytest.skip(str(reason))
    yield made
    until(lambda: not (made.folder / "cgroup.procs").read_text().strip(), "the control group is empty")
    made.close()


def body(chance):
    lines, size = [], 0
    while size < BODY:
        line = {
            "message": f"request {chance.randrange(1 << 40):x} to the checkout took {chance.randrange(5000)} ms",
            "service.name": f"service-{chance.randrange(40)}",
            "url.path": f"/shop/{chance.randrange(2000)}/items",
            "session.id": f"{chance.randrange(1 << 64):016x}",
            "http.response.status_code": chance.choice([200, 200, 200, 404, 500]),
        }
        lines.append(json.dumps(line) + "\n")
        size += len(lines[-1])
    return "".join(lines).encode(), len(lines)


class Load:
    def __init__(self, server, seconds):
        self.server = server
        self.end = time.monotonic() + seconds
        self.answers = Counter()
        self.reasons = Counter()
        self.stored = 0
        self.faults = []
        self.lock = threading.Lock()

    def threads(self):
        work = [(self.send, n) for n in range(SENDERS)] + [(self.ask, n) for n in range(QUERIES)]
        return [threading.Thread(target=self.guard, args=each, daemon=True) for each in work]

    def guard(self, work, number):
        try:
            while time.monotonic() < self.end and not self.faults:
                work(number)
        except Exception as fault:
            self.faults.append(repr(fault))

    def count(self, kind, answer):
        with self.lock:
            self.answers[kind, answer.status] += 1
            if answer.status != 200:
                self.reasons[answer.text[:160]] += 1

    def send(self, number):
        sent, records = body(random.Random(f"{number} {time.monotonic()}"))
        with self.server.connect() as connection:
            answer = connection.post("/api/v1/ingest/ndjson", sent, {"content-type": "application/x-ndjson"})
        self.count("ingest", answer)
        if answer.status == 200:
            with self.lock:
                self.stored += records

    def ask(self, number):
        with self.server.connect() as connection:
            request = json.dumps({"sql": HEAVY[number % len(HEAVY)]})
            answer = connection.post("/api/v1/sql", request, {"content-type": "application/json"})
        self.count("query", answer)


def test_a_gigabyte_is_enough(limit, make_server, say, setting):
    server = make_server(settings="query:\n  memory: 256MiB\nlog:\n  level: warn\n").start()
    limit.add(server.pid())
    load = Load(server, setting("E2E_MEMORY_S", 15))
    # A column is there once a record has it.
    load.send(0)
    threads = load.threads()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    peak = limit.peak_bytes() >> 20
    answered = dict(sorted(load.answers.items()))
    own = server.peak_memory_bytes() >> 20
    say(f"memory: {load.stored} records stored, peak {peak} MiB of 1024, {own} MiB of it the server's; {answered}")
    assert limit.kills() == 0, "the kernel killed the server"
    assert not load.faults, load.faults
    assert all(status in FAIR for _, status in load.answers), f"{answered}: {load.reasons}"
    assert load.answers["ingest", 200] > 0
    assert load.answers["query", 200] > 0, load.reasons
    count = server.sql("SELECT count(*) AS n FROM logs")
    assert str(load.stored) in json.dumps(count), f"{load.stored} records were acknowledged: {count}"
