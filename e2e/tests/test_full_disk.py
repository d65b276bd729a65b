"""A disk that fills up: senders come back later, reading goes on, and with the space everything does.

The data folder is a small tmpfs, which only root can mount.
"""

import json
import os
import random
import subprocess
from collections import Counter, deque

import pytest
from support.server import pairs
from support.wait import until

DISK_MIB = 24
RESERVE_MIB = 4
# Segments and merges too, while the disk fills up.
SETTINGS = f"flush:\n  bytes: 1MiB\n  interval: 1s\ndisk:\n  reserve: {RESERVE_MIB}MiB\n"
# Does not compress, so that the disk is full soon.
FILL = 2_000


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "server/data"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here, which takes root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def documents(seed, count):
    chance = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    ids = [f"full-{seed}-{n}" for n in range(count)]
    texts = ["".join(chance.choices(letters, k=FILL)) for _ in ids]
    return ids, [json.dumps({"message": f"fulldisk {text}", "id7": id}) + "\n" for id, text in zip(ids, texts)]


class Sender:
    def __init__(self, server):
        self.server = server
        self.acked = []
        self.batches = 0

    def send(self):
        ids, lines = documents(self.batches, 50)
        with self.server.connect() as connection:
            key = {"x-logkeep-batch": f"k{self.batches}"}
            answer = connection.post("/api/v1/ingest/ndjson", "".join(lines).encode(), key)
        if answer.status == 200:
            self.acked += ids
            self.batches += 1
        return answer


def check(server, acked):
    found = Counter(pairs(record, "attributes")["id7"] for record in server.all_records("fulldisk", page=500))
    assert set(acked) <= set(found), "acknowledged records are gone"
    assert max(found.values(), default=1) == 1, "a record is there twice"
    return found


def every_protocol_says_later(server):
    """False if there was room for one of them after all: a flush makes some now and then."""
    line = json.dumps({"message": "later"})
    with server.connect() as connection:
        native = connection.post("/api/v1/ingest/ndjson", (line + "\n").encode(), {})
        loki_body = {"streams": [{"stream": {"app": "a"}, "values": [["1800000000000000000", "later"]]}]}
        json_type = {"content-type": "application/json"}
        loki = connection.post("/loki/api/v1/push", json.dumps(loki_body), json_type)
        otlp_body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "later"}}]}]}]}
        otlp = connection.post("/v1/logs", json.dumps(otlp_body), json_type)
        create = json.dumps({"create": {"_index": "i"}})
        bulk = connection.post("/es/_bulk", f"{create}\n{line}\n", {"content-type": "application/x-ndjson"})
    answers = {"native": native, "loki": loki, "otlp": otlp, "bulk": bulk}
    for name, answer in answers.items():
        assert answer.status < 300 or answer.status == 503, f"{name}: {answer.status} {answer.text}"
        assert answer.status < 300 or int(answer.headers["retry-after"]) > 0, name
    return all(answer.status == 503 for answer in answers.values())


def full_for_good(disk, sender):
    """A flush may make room for the reserve again, so the room it makes is taken away, but for what the audit trail needs."""
    status = sender.send().status
    if (disk / "reserve").exists():
        return False
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    if free > 3 << 20:
        occupy(disk, free - (2 << 20))
        return False
    return status == 503


def occupy(disk, size):
    assert could_occupy(disk, size)


def could_occupy(disk, size):
    ballast = disk / f"ballast{len(list(disk.glob('ballast*')))}"
    done = subprocess.run(["fallocate", "-l", str(size), str(ballast)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        assert "No space left" in done.stderr, done.stderr
        ballast.unlink(missing_ok=True)
    return done.returncode == 0


def test_a_full_disk_costs_nothing_that_was_acknowledged(small_disk, make_server, say):
    server = make_server(settings=SETTINGS).start()
    reserve = small_disk / "reserve"
    assert reserve.stat().st_blocks * 512 >= RESERVE_MIB << 20
    sender = Sender(server)
    # Something else fills most of the disk, and leaves room for about ten megabytes.
    occupy(small_disk, (DISK_MIB - RESERVE_MIB - 10) << 20)
    until(lambda: sender.send().status == 503, "the disk is full", every_s=0)
    assert sender.acked
    # For longer than the server waits after a flush that failed.
    stays = deque([False], maxlen=30)
    until(lambda: stays.append(full_for_good(small_disk, sender)) or all(stays), "the disk stays full", every_s=0.1)
    acked = list(sender.acked)
    says_later = lambda: full_for_good(small_disk, sender) and every_protocol_says_later(server)
    until(says_later, "every protocol says later", every_s=0.1)
    queries = 20
    for _ in range(queries):
        assert len(server.find("fulldisk", limit=5)) == 5
    check(server, acked)

    for path in small_disk.glob("ballast*"):
        path.unlink()
    until(lambda: sender.send().status == 200, "senders are served again")
    assert reserve.exists()
    found = check(server, sender.acked)
    assert set(found) == set(sender.acked), "what was refused is there"
    after = len(sender.acked) - len(acked)
    say(f"full disk: {len(acked)} records acked before, {queries} queries while it was full, {after} acked after")

    server.kill()
    server.start()
    assert check(server, sender.acked) == found
    server.stop()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_without_room_for_the_trail_nothing_is_answered(small_disk, make_server, say):
    server = make_server(settings=SETTINGS).start()
    server.ingest({"message": f"unseen {n}"} for n in range(50))
    assert len(server.find("unseen")) == 50

    def took_all():
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        # The server may take some of it meanwhile.
        return free == 0 or could_occupy(small_disk, free)

    def take_all():
        until(took_all, "all space is taken", every_s=0)

    def refused():
        take_all()
        return server.get("/api/v1/logs", q="unseen").status == 503

    # What was free in the last page of the log takes some records more, and a flush makes room now and then.
    stays = deque([False], maxlen=30)
    until(lambda: stays.append(refused()) or all(stays), "nothing is left for the trail", every_s=0.05)
    asked = Counter()
    for path in ["logs", "spans", "histogram", "fields", "fields/n/values", "status", "audit", "tail", "overview", "patterns", "compare", "services", "sources"] * 5:
        take_all()
        answer = server.get(f"/api/v1/{path}", q="unseen")
        asked[answer.status] += 1
        assert answer.status == 503 and "audit trail" in answer.text and "unseen" not in answer.text, f"{path}: {answer.status}"
    say(f"no room for the trail: {asked[503]} questions, 0 answers")
    for path in small_disk.glob("ballast*"):
        path.unlink()
    until(lambda: server.get("/api/v1/logs", q="unseen").status == 200, "with the space everything goes on")
    assert len(server.find("unseen")) == 50
