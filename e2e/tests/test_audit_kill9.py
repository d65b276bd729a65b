"""kill -9 at random moments while people read: the trail has every question that was answered."""

import http.client
import random
import threading
from collections import Counter
from urllib.parse import quote

from support.wait import until

READERS = 4
SETTINGS = "log:\n  level: warn\nflush:\n  interval: 1s\n"


class Reader(threading.Thread):
    """Asks one question after the other, none twice, and keeps those that were answered in full."""

    def __init__(self, number, server, up, done):
        super().__init__(daemon=True)
        self.number, self.server, self.up, self.done = number, server, up, done
        self.asked = 0
        self.answered = []
        self.faults = []

    def run(self):
        try:
            while not self.done.is_set():
                self.up.wait()
                self.ask()
        except Exception as fault:
            self.faults.append(repr(fault))

    def ask(self):
        question = f"asked{self.number}x{self.asked}"
        self.asked += 1
        try:
            with self.server.connect() as connection:
                # Not again by itself: a question that is sent twice is in the trail twice.
                answer = connection.request("GET", f"/api/v1/{self.what()}q={quote(question)}&from=-7d")
        except (OSError, http.client.HTTPException):
            return
        assert answer.status == 200, f"{answer.status} {answer.text}"
        self.answered.append(question)

    def what(self):
        return ("logs?", "histogram?", "fields?", "fields/n/values?")[self.asked % 4]


def test_every_question_that_was_answered_is_in_the_trail(make_server, say, setting):
    rounds = setting("E2E_AUDIT_KILLS", 6)
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    chance = random.Random(seed)
    server = make_server(settings=SETTINGS).start()
    server.ingest({"message": f"line {n}", "n": n} for n in range(200))
    up, done = threading.Event(), threading.Event()
    readers = [Reader(number, server, up, done) for number in range(READERS)]
    answered = lambda: sum(len(reader.answered) for reader in readers)
    up.set()
    for reader in readers:
        reader.start()
    for _ in range(rounds):
        goal = answered() + chance.randrange(5, 60)
        until(lambda goal=goal: answered() >= goal or any(reader.faults for reader in readers), "readers make progress")
        done.wait(chance.random() * 0.05)
        up.clear()
        server.kill()
        server.start()
        up.set()
    done.set()
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive() and not reader.faults, reader.faults
    sql = """select "audit.query" from audit where event_name = 'audit.access.opened' and "audit.query" like 'asked%' limit 100000"""
    trail = Counter(row[0] for row in server.sql(sql)["rows"])
    missing = [question for reader in readers for question in reader.answered if question not in trail]
    say(f"kill -9 under readers: {rounds} rounds, {answered()} questions answered, {len(missing)} not in the trail (seed {seed})")
    assert not missing, f"seed {seed}: {missing[:5]}"
    starts = server.answered("/api/v1/audit", q="event_name:audit.server.started", limit=1000)["rows"]
    assert Counter(row["more"]["server.before"] for row in starts) == {"none": 1, "unclean": rounds}
    server.stop()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
