"""Backups in a bucket of a real S3-compatible server: taken under load, only what is new the second time, damaged, cut short by
the end of the store or of the backup, and restored.
"""

import base64
import os
import random
import shutil
import signal
import subprocess

import pytest

from support.backup import SETTINGS, Load, backup, command, ids_of, restore
from support.s3 import Store
from support.server import Server, verify
from support.wait import until

PREFIX = "site/one"
TARGET = f"s3://logs/{PREFIX}"
QUIET = "flush:\n  bytes: 1GiB\n  interval: 1h\nlog:\n  level: warn\n"


@pytest.fixture
def store(tmp_path):
    one = Store(tmp_path / "s3").start()
    yield one
    one.kill()


def empty_copy(tmp_path, server, name="copy"):
    copy = Server(tmp_path / name, SETTINGS)
    shutil.copy(server.key, copy.key)
    return copy


def fill(server, count, first=0):
    server.ingest({"message": f"backup {n}", "id": str(n)} for n in range(first, first + count))


def backed_up(server, store):
    done = backup(server, TARGET, env=store.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def restored(tmp_path, server, store, name="copy"):
    """Restores the latest backup and gives the ids that are in it."""
    copy = empty_copy(tmp_path, server, name)
    done = restore(TARGET, copy, env=store.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    proven = verify(copy.data, copy.key)
    assert proven.returncode == 0, proven.stdout + proven.stderr
    copy.start()
    found = ids_of(copy)
    copy.stop()
    assert len(found) == len(set(found)), "nothing is there twice"
    return found


def test_backups_under_load_copy_only_what_is_new(make_server, tmp_path, store, say):
    server = make_server(settings=SETTINGS).start()
    load = Load(server)
    load.start()
    load.wait_for(3000)
    backed_up(server, store)
    shared = {name: path.stat().st_mtime_ns for name, path in store.objects(f"{PREFIX}/objects").items()}
    assert shared, "there are segments in it"
    load.wait_for(len(load.acked) + 600)
    acked = list(load.acked)
    said = backed_up(server, store)
    assert said.startswith("backup 2: ") and "is not in it: keep a copy elsewhere" in said
    load.wait_for(len(acked) + 200)
    load.stop()
    now = {name: path.stat().st_mtime_ns for name, path in store.objects(f"{PREFIX}/objects").items()}
    assert all(now.get(name) == written for name, written in shared.items()), "what was there is not written again"
    # Settled, nothing but the small files of the backup itself goes over.
    server.stop()
    backed_up(server, store)
    settled = {name: path.stat().st_mtime_ns for name, path in store.objects(f"{PREFIX}/objects").items()}
    backed_up(server, store)
    again = {name: path.stat().st_mtime_ns for name, path in store.objects(f"{PREFIX}/objects").items()}
    assert again == settled
    key = server.key.read_bytes()
    assert not any(key in path.read_bytes() for path in store.objects().values()), "the key file is not in it"
    assert not [name for name in store.objects() if name.endswith("/claim")]

    for number in (4, 3):
        (store.bucket / PREFIX / f"backups/{number:012}/manifest").unlink()
    found = restored(tmp_path, server, store)
    assert set(acked) <= set(found) <= set(load.acked), "what was acknowledged before the second backup began is in it"
    say(f"s3: {len(acked)} records acked before the second backup, {len(found)} restored, {len(shared)} segments kept")


def test_a_large_file_goes_in_parts(make_server, tmp_path, store):
    server = make_server(settings=QUIET).start()
    for part in range(8):
        server.ingest(
            {"message": "backup", "id": f"{part}-{n}", "fill": base64.b64encode(os.urandom(90_000)).decode()}
            for n in range(32)
        )
    log = max(path.stat().st_size for path in (server.data / "wal").iterdir())
    assert log > 2 * (8 << 20), f"it is longer than two parts: {log}"
    backed_up(server, store)
    assert not store.leftovers()
    assert len(restored(tmp_path, server, store)) == 256


def test_what_is_damaged_or_missing_is_named(make_server, tmp_path, store, say):
    server = make_server(settings=SETTINGS).start()
    fill(server, 500)
    server.stop()
    server.start()
    fill(server, 20, 500)
    server.kill()
    backed_up(server, store)
    named = 0
    for name, path in store.objects(PREFIX).items():
        content = path.read_bytes()
        at = random.randrange(len(content))
        for kind in ("altered", "cut", "missing"):
            if kind == "missing":
                path.unlink()
            elif kind == "cut":
                path.write_bytes(content[:-1])
            else:
                path.write_bytes(content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :])
            copy = empty_copy(tmp_path, server, f"copy-{named}")
            refused = restore(TARGET, copy, env=store.environment())
            path.write_bytes(content)
            said = f"{name} {kind} at {at}: {refused.stdout} {refused.stderr}"
            assert refused.returncode == 1, said
            assert not copy.data.exists()
            if path.name == "manifest" and kind == "missing":
                assert "holds no backup that was completed" in refused.stderr, said
            else:
                # A key that was altered may still be one: then the manifest is not signed by it.
                names = [name, "manifest"] if path.name == "public-key" else [name]
                assert any(name in refused.stderr for name in names), said
            named += 1
    assert sorted(restored(tmp_path, server, store), key=int) == [str(n) for n in range(520)]
    say(f"s3: {named} objects altered, cut or taken away, each refused by name")


def test_what_decayed_is_copied_anew(make_server, tmp_path, store):
    server = make_server(settings=SETTINGS).start()
    fill(server, 500)
    server.stop()
    backed_up(server, store)
    decayed = next(iter(store.objects(f"{PREFIX}/objects").values()))
    content = decayed.read_bytes()
    decayed.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    backed_up(server, store)
    assert decayed.read_bytes() != content, "it is not read"
    done = backup(server, TARGET, "--recheck", env=store.environment())
    assert done.returncode == 0, done.stderr
    assert decayed.read_bytes() == content
    assert len(restored(tmp_path, server, store)) == 500


@pytest.mark.parametrize("victim", ["store", "backup"])
def test_a_backup_that_is_cut_short_leaves_the_one_before_it(make_server, tmp_path, store, say, victim):
    server = make_server(settings=QUIET).start()
    fill(server, 300)
    backed_up(server, store)
    # Some megabytes that are copied each time, so that there is something to cut short.
    for part in range(4):
        server.ingest({"message": "more", "fill": base64.b64encode(os.urandom(90_000)).decode()} for _ in range(32))
    cut = 0
    for _ in range(6):
        before = set(store.objects(f"{PREFIX}/backups"))
        process = subprocess.Popen(
            command("backup", "--config", server.config, "--to", TARGET),
            env=store.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        claimed = lambda before=before: set(store.objects(f"{PREFIX}/backups")) - before
        until(lambda claimed=claimed, process=process: claimed() or process.poll() is not None, "it begins", 60)
        if victim == "store":
            store.kill()
        else:
            process.send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=300)
        if victim == "store":
            store.start()
        if process.returncode == 0:
            continue
        cut += 1
        if victim == "store":
            assert process.returncode == 1, said
            assert TARGET in said and "error:" in said, said
    assert cut, "it was cut short at least once"
    kept = [name for name, path in store.objects(f"{PREFIX}/backups").items() if name.endswith("/manifest") and path.stat().st_size]
    assert "000000000001/manifest" in kept
    if len(kept) == 1:
        assert len(restored(tmp_path, server, store, "before")) == 300
    backed_up(server, store)
    left = [name for name in store.objects(f"{PREFIX}/backups") if name.endswith("/claim")]
    assert not left, f"what was left is tidied away: {left}"
    assert len(restored(tmp_path, server, store, "after")) == 300
    say(f"s3: cut short {cut} times by the end of the {victim}")


def test_what_cannot_be_reached_says_why(make_server, tmp_path, store):
    server = make_server(settings=SETTINGS).start()
    fill(server, 10)
    server.stop()

    def refused(target=TARGET, *more, **variables):
        done = backup(server, target, *more, env=store.environment(**variables))
        assert done.returncode == 1, done.stdout
        assert store.secret not in done.stderr and "panicked" not in done.stderr, done.stderr
        return done.stderr

    assert "holds no backup that was completed" in restore(
        TARGET, empty_copy(tmp_path, server), env=store.environment()
    ).stderr
    assert "SignatureDoesNotMatch" in refused(AWS_SECRET_ACCESS_KEY="0" * 40)
    assert "InvalidAccessKeyId" in refused(AWS_ACCESS_KEY_ID="nobody") or "403" in refused(AWS_ACCESS_KEY_ID="nobody")
    assert "create the bucket first" in refused("s3://none-such/x")
    assert "--allow-http" in refused(AWS_ENDPOINT_URL="http://192.0.2.1:9000")
    assert "neither a folder nor" in refused("gs://logs/x")
    assert "is a folder" in refused(tmp_path / "backups", "--endpoint", store.endpoint)
    store.kill()
    away = refused()
    assert "s3://logs/site/one" in away and "Connection refused" in away, away
    store.start()
    done = backup(server, TARGET, "--endpoint", store.endpoint, env=store.environment(AWS_ENDPOINT_URL="http://127.0.0.1:1"))
    assert done.returncode == 0, done.stderr
