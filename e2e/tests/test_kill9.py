"""kill -9 at random moments under load: what was acknowledged is there, once, and nothing twice.

This keeps the page cache, so it shows recovery and deduplication; that an acknowledgement waits for the disk is shown
by `test_fsync.py`.
"""

import http.client
import json
import random
import threading
from collections import Counter

from support.server import pairs
from support.wait import until

CLIENTS = 4
PER_BATCH = 20
# Small and fast enough that flushes and compaction run under the kills too.
SETTINGS = "flush:\n  bytes: 1MiB\n  interval: 1s\nlog:\n  level: warn\n"


class Client(threading.Thread):
    """Sends one batch after the other, each under its own key, and again under that key until it is acknowledged."""

    def __init__(self, number, cluster):
        super().__init__(daemon=True)
        self.number = number
        self.cluster = cluster
        self.acked = []
        self.retried = 0
        self.faults = []

    def run(self):
        try:
            batch = 0
            while not self.cluster.done.is_set():
                self.send(batch)
                batch += 1
        except Exception as fault:
            self.faults.append(repr(fault))

    def send(self, batch):
        ids = [f"c{self.number}-b{batch}-r{n}" for n in range(PER_BATCH)]
        body = "".join(
            json.dumps({"message": f"kill nine {id}", "id9": id, "fill": "x" * random.randrange(400)}) + "\n"
            for id in ids
        ).encode()
        headers = {"x-logkeep-batch": f"key-{self.number}-{batch}"}
        attempt = 0
        while True:
            self.cluster.up.wait()
            try:
                with self.cluster.server.connect() as connection:
                    answer = connection.post("/api/v1/ingest/ndjson", body, headers)
            except (OSError, http.client.HTTPException):
                attempt += 1
                # Busy only until the killer has noticed that it killed.
                continue
            if answer.status == 503:
                continue
            assert answer.status == 200, f"{answer.status} {answer.text}"
            said = answer.json()
            assert said["stored"] + said["deduplicated"] == PER_BATCH, said
            self.retried += attempt > 0
            self.acked += ids
            return


class Cluster:
    def __init__(self, server):
        self.server = server
        self.up = threading.Event()
        self.done = threading.Event()


def test_kill_9_loses_nothing_and_stores_nothing_twice(make_server, say, setting):
    rounds = setting("E2E_KILL9_ROUNDS", 10)
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    chance = random.Random(seed)
    server = make_server(settings=SETTINGS).start()
    cluster = Cluster(server)
    clients = [Client(number, cluster) for number in range(CLIENTS)]
    acked = lambda: sum(len(client.acked) for client in clients)
    cluster.up.set()
    for client in clients:
        client.start()
    for _ in range(rounds):
        goal = acked() + chance.randrange(1, 60) * PER_BATCH
        until(lambda goal=goal: acked() >= goal or any(client.faults for client in clients), "clients make progress")
        # Not only right behind an acknowledgement: anywhere in the milliseconds after it.
        cluster.done.wait(chance.random() * 0.05)
        cluster.up.clear()
        server.kill()
        server.start()
        cluster.up.set()
    cluster.done.set()
    for client in clients:
        client.join(60)
        assert not client.is_alive()
        assert not client.faults, client.faults

    sent = [id for client in clients for id in client.acked]
    check = lambda: Counter(pairs(record, "attributes")["id9"] for record in server.all_records('"kill nine"'))
    found = check()
    lost = [id for id in sent if id not in found]
    twice = [id for id, times in found.items() if times > 1]
    retried = sum(client.retried for client in clients)
    done = f"{rounds} rounds, {len(sent)} records acked, {len(lost)} lost, {len(twice)} stored twice"
    say(f"kill -9: {done} ({retried} batches retried, seed {seed})")
    assert not lost and not twice, f"seed {seed}: lost {lost[:5]}, twice {twice[:5]}"
    assert set(found) == set(sent), "every client ended after an acknowledgement, so nothing else can be there"
    server.stop()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    server.start()
    assert check() == found, "a clean restart changed what is there"
