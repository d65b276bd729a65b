"""Damage to the data folder: every byte that matters is noticed, by `verify` and by the server; no answer is wrong.

The folder has segments (written by clean stops) and a write-ahead log (left by a kill). For each damage to a copy of
it: `verify` ends with 1 and says where, or it ends with 0 and then the server's answers over the copy are those of the
original. And whatever `verify` said, a server over the damaged copy refuses, or says that something is missing, or
answers as the original did; a record that was altered, or missing without a word, is a failure.
"""

import random
import re
import shutil
from collections import Counter
from dataclasses import dataclass

import pytest

from support.server import Refused, Server, verify
from support.wait import until

BATCHES = 12
PER_BATCH = 100
LOG = "log:\n  level: warn\n"


@dataclass
class Original:
    folder: object
    data: object
    key: object
    records: list
    by_id: dict
    checkpoints: dict  # of the same folder, at several times
    early: object  # a copy from before the last batches


def checkpoint(data):
    path = data / "tlog/default/default/checkpoint"
    return path.read_text() if path.exists() else ""


def committed(data):
    """Batches that the published checkpoint commits to."""
    lines = checkpoint(data).splitlines()
    return int(lines[1]) if len(lines) > 1 else 0


def fill(server, batches, start):
    for batch in range(start, start + batches):
        server.ingest(
            {
                "message": f"damage {batch}-{n}",
                "n": n,
                "service": f"svc-{n % 7}",
                "trace_id": f"{batch * 1000 + n + 1:032x}",
                "text": "padding " * (n % 20),
            }
            for n in range(PER_BATCH)
        )
    # Until then only the log knows of the last batch: damage to its frame could not be told from a torn write.
    until(lambda: committed(server.data) >= start + batches, "the checkpoint covers what was acknowledged")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    server = Server(folder / "server", LOG)
    checkpoints = {}
    for part in range(2):
        server.start()
        fill(server, BATCHES // 3, part * (BATCHES // 3))
        server.stop()
        checkpoints[part] = checkpoint(server.data)
    early = folder / "early"
    shutil.copytree(server.data, early)
    server.start()
    server.find("damage", limit=10)  # so that there is an audit trail as well
    fill(server, BATCHES // 3, 2 * (BATCHES // 3))
    server.kill()
    checkpoints["last"] = checkpoint(server.data)
    server.no_panic()
    records = serve(folder / "serving", server.data, server.key).records
    assert len(records) == BATCHES * PER_BATCH
    return Original(
        folder, server.data, server.key, records, {record["id"]: record for record in records}, checkpoints, early
    )


@dataclass
class Served:
    records: list
    said: str  # why not, or that something is missing; empty if it claims to be whole


def serve(folder, data, key):
    """What a server over a copy of `data` answers."""
    if folder.exists():
        shutil.rmtree(folder)
    server = Server(folder, LOG)
    shutil.copytree(data, server.data)
    shutil.copy(key, server.key)
    if not server.try_start():
        return Served([], server.last_words())
    try:
        records, said = server.all_records(), ""
        if int(re.search(r"^logkeep_wal_faults (\d+)$", server.get("/metrics").text, re.M)[1]) > 0:
            said = "faults in the log"
        elif re.search(r'"level":"(ERROR|WARN)"', server.stderr):
            said = server.stderr
    except Refused as refusal:
        records, said = [], str(refusal)
    server.stop()
    return Served(records, said)


class Lab:
    """Copies to damage."""

    def __init__(self, original, folder):
        self.original = original
        self.folder = folder
        self.data = folder / "data"

    def files(self):
        found = [path.relative_to(self.original.data) for path in sorted(self.original.data.rglob("*"))]
        return [
            path
            for path in found
            # The reserve is only space: no answer depends on a byte of it.
            if path.name != "reserve"
            and (self.original.data / path).is_file()
            and (self.original.data / path).stat().st_size > 0
        ]

    def fresh(self):
        if self.data.exists():
            shutil.rmtree(self.data)
        shutil.copytree(self.original.data, self.data)
        return self.data

    def judge(self, what, damaged):
        """'reported' or 'harmless'; fails on anything else. `damaged` are the files by their names in the folder."""
        checked = verify(self.data, self.original.key)
        said = checked.stdout + checked.stderr
        assert "panicked" not in said and checked.returncode in (0, 1), (
            f"{what}: verify ended with {checked.returncode}: {said}"
        )
        served = serve(self.folder / "serving", self.data, self.original.key)
        for record in served.records:
            assert record == self.original.by_id.get(record["id"]), (
                f"{what}: an altered record was served; verify: {said}"
            )
        times = Counter(record["id"] for record in served.records)
        assert all(count == 1 for count in times.values()), f"{what}: a record was served twice; verify: {said}"
        missing = len(self.original.records) - len(served.records)
        assert not missing or served.said, f"{what}: {missing} records are missing without a word; verify: {said}"
        if checked.returncode == 0:
            assert served.records == self.original.records, (
                f"{what}: verify saw nothing, the server said {served.said[-1500:]}"
            )
            return "harmless"
        assert any(named(said, file) for file in damaged), f"{what}: verify does not name it: {said}"
        return "reported"


def named(said, path):
    """Whether `verify` says which file, or which tree or catalog it belongs to."""
    if path.name.startswith("catalog"):
        return "catalog" in said
    if path.parts[0] == "tlog" and len(path.parts) > 3:
        return path.name in said or f"tree of {path.parts[1]}/{path.parts[2]}" in said
    # A file of the log that is gone, or its end, is known only by the batches that were in it.
    cut = path.parts[0] == "wal" and re.search(r"batch(es)? \d+.*(are here|are missing)", said)
    return path.name in said or path.stem in said or bool(cut)


@pytest.fixture
def lab(original, tmp_path):
    return Lab(original, tmp_path)


def test_the_undamaged_folder_verifies(lab):
    lab.fresh()
    assert lab.judge("nothing", []) == "harmless"
    assert serve(lab.folder / "serving", lab.data, lab.original.key).said == "", "it says nothing without a reason"
    kinds = {str(path.parts[0]) for path in lab.files()}
    assert {"wal", "objects", "tlog", "catalog.sqlite", "catalog.key"} <= kinds, kinds
    checked = verify(lab.original.data, lab.original.key)
    assert f"{BATCHES * PER_BATCH} records in {BATCHES} batches" in checked.stdout, checked.stdout


def test_a_folder_in_use_and_one_never_flushed_verify(make_server, word):
    """From the first acknowledged record on; nothing has been flushed, and no checkpoint need be there yet."""
    server = make_server(settings="access:\n  loopback: open\n").start()
    server.ingest([{"message": word}])
    server.find(word)
    # The record that closes a read is written a moment after its answer.
    until(lambda: "default/audit: 3 records" in verify(server.data, server.key).stdout, "a start, opened and closed")
    for part in ("running", "killed"):
        if part == "killed":
            server.kill()
        checked = verify(server.data, server.key)
        assert checked.returncode == 0, f"{part}: {checked.stdout}{checked.stderr}"
        assert "default/default: 1 records in 1 batches, 0 segments" in checked.stdout
        assert "default/audit: 3 records" in checked.stdout, "a start, opened and closed"


def test_one_flipped_byte(lab, say, setting):
    flips = setting("E2E_FLIPS", 40)
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    chance = random.Random(seed)
    outcome = Counter()
    files = lab.files()
    for _ in range(flips):
        file = chance.choice(files)
        path = lab.fresh() / file
        at, flip = chance.randrange(path.stat().st_size), chance.randrange(1, 256)
        with open(path, "r+b") as damaged:
            damaged.seek(at)
            byte = damaged.read(1)[0]
            damaged.seek(at)
            damaged.write(bytes([byte ^ flip]))
        outcome[lab.judge(f"seed {seed}: byte {at} of {file} (of {path.stat().st_size}) xor {flip:#04x}", [file])] += 1
    say(f"one flipped byte: {summary(outcome)}, 0 wrong answers, 0 panics (seed {seed})")
    assert outcome["reported"] > 0


def summary(outcome):
    without = f"{outcome['harmless']} without effect on any answer"
    return f"{outcome.total()} times, {outcome['reported']} reported by verify, {without}"


def some(files, chance, most):
    return files if len(files) <= most else sorted(chance.sample(files, most))


def test_deleted_and_truncated_files(lab, say, setting):
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    chance = random.Random(seed)
    outcome = Counter()
    for file in some(lab.files(), chance, setting("E2E_FILES", 12)):
        (lab.fresh() / file).unlink()
        outcome[lab.judge(f"seed {seed}: {file} deleted", [file])] += 1
        path = lab.fresh() / file
        length = chance.randrange(path.stat().st_size)
        with open(path, "r+b") as damaged:
            damaged.truncate(length)
        outcome[lab.judge(f"seed {seed}: {file} truncated to {length}", [file])] += 1
    say(f"deleted or truncated: {summary(outcome)} (seed {seed})")


def test_swapped_files(lab, say, setting):
    """Each file is whole; they are only in each other's place."""
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    chance = random.Random(seed)
    outcome = Counter()
    kind = lambda path: (path.parts[0], path.suffix)
    same = [(a, b) for a in lab.files() for b in lab.files() if a < b and kind(a) == kind(b)]
    content = lambda path: (lab.original.data / path).read_bytes()
    different = [pair for pair in same if content(pair[0]) != content(pair[1])]
    for a, b in some(different, chance, setting("E2E_FILES", 12)):
        data = lab.fresh()
        (data / a).rename(data / "held")
        (data / b).rename(data / a)
        (data / "held").rename(data / b)
        outcome[lab.judge(f"seed {seed}: {a} and {b} swapped", [a, b])] += 1
    say(f"swapped: {summary(outcome)} (seed {seed})")


def test_a_rolled_back_folder_is_noticed(lab, tmp_path):
    """By itself an old copy is whole; against a checkpoint kept elsewhere it is not."""
    original = lab.original
    kept = {}
    for name, text in original.checkpoints.items():
        kept[name] = tmp_path / f"checkpoint-{name}"
        kept[name].write_text(text)
    assert len(set(original.checkpoints.values())) == 3
    assert verify(original.early, original.key).returncode == 0
    rolled_back = verify(original.early, original.key, "--since", kept["last"])
    assert rolled_back.returncode == 1, rolled_back.stdout
    assert "rolled back" in rolled_back.stdout, rolled_back.stdout
    every = [argument for path in kept.values() for argument in ("--since", path)]
    grown = verify(original.data, original.key, *every)
    assert grown.returncode == 0, grown.stdout + grown.stderr
    # A checkpoint that someone else made, or changed, proves nothing.
    forged = tmp_path / "forged"
    lines = original.checkpoints["last"].splitlines(keepends=True)
    forged.write_text("".join([lines[0], f"{int(lines[1]) + 1}\n", *lines[2:]]))
    assert verify(original.data, original.key, "--since", forged).returncode == 1


def test_another_key_opens_nothing(lab, tmp_path):
    other = Server(tmp_path / "other").start()
    other.stop()
    checked = verify(lab.fresh(), other.key)
    assert checked.returncode == 1, checked.stdout
    assert "key" in checked.stdout + checked.stderr
