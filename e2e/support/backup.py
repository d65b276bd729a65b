"""Backing up and restoring a server that is written to meanwhile."""

import http.client
import json
import random
import subprocess
import threading

from .server import BINARY, pairs
from .wait import until

PER_BATCH = 20
# Flushes and merges run all the time, so that files come and go under the backup.
SETTINGS = "flush:\n  bytes: 1MiB\n  interval: 1s\nlog:\n  level: warn\n"


class Load(threading.Thread):
    """Sends until it is told to stop, and knows what was acknowledged."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.done = threading.Event()
        self.acked = []
        self.fault = None

    def run(self):
        try:
            with self.server.connect() as connection:
                batch = 0
                while not self.done.is_set():
                    ids = [f"b{batch}-r{n}" for n in range(PER_BATCH)]
                    self.send(connection, ids)
                    self.acked += ids
                    batch += 1
        except (OSError, AssertionError, http.client.HTTPException) as fault:
            self.fault = repr(fault)

    def send(self, connection, ids):
        lines = (json.dumps({"message": f"backup {id}", "id": id, "fill": "x" * random.randrange(900)}) for id in ids)
        answer = connection.post("/api/v1/ingest/ndjson", "\n".join(lines).encode() + b"\n")
        assert answer.status == 200, f"{answer.status} {answer.text}"

    def wait_for(self, count):
        until(lambda: len(self.acked) >= count or self.fault, lambda: f"{count} acknowledged, now {len(self.acked)}")
        assert not self.fault, self.fault

    def stop(self):
        self.done.set()
        self.join(60)
        assert not self.fault, self.fault


def command(*arguments):
    return [str(BINARY), *map(str, arguments)]


def run(*arguments, env=None):
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=env)


def backup(server, target, *more, env=None):
    return run("backup", "--config", server.config, "--to", target, *more, env=env)


def restore(target, server, *more, env=None):
    return run("restore", "--config", server.config, "--from", target, *more, env=env)


def ids_of(server):
    return [pairs(record, "attributes")["id"] for record in server.all_records('"backup"')]
