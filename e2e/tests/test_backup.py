"""Backup and restore of a server under load: what was acknowledged before a backup began is in it, whatever happens to the
backup itself; the restored copy and the original go on as two logs, and both verify.
"""

import random
import shutil
import signal
import subprocess
import threading

import pytest

from support.backup import SETTINGS, Load, backup, command, ids_of, restore
from support.server import Server, verify
from support.wait import until


def test_backups_under_load_hold_what_was_acknowledged(make_server, tmp_path, say):
    server = make_server(settings=SETTINGS).start()
    load, target = Load(server), tmp_path / "backups"
    load.start()
    killed = 0
    for at in range(6):
        load.wait_for(400 * (at + 1))
        # Killed at some moment while it copies, or, the last times, just after it was done.
        process = subprocess.Popen(
            command("backup", "--config", server.config, "--to", target), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        own = target / "backups"
        until(lambda own=own, process=process: process.poll() is not None or (own.exists() and any(own.iterdir())), "it begins")
        load.done.wait(random.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.communicate()
    acked = list(load.acked)
    done = backup(server, target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is not in it: keep a copy elsewhere" in done.stdout
    load.wait_for(len(acked) + 400)
    load.stop()

    copy = Server(tmp_path / "copy", SETTINGS)
    shutil.copy(server.key, copy.key)
    restored = restore(target, copy)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    before = verify(copy.data, copy.key)
    assert before.returncode == 0, before.stdout + before.stderr
    copy.start()
    found = ids_of(copy)
    assert len(found) == len(set(found)), "nothing is there twice"
    assert set(acked) <= set(found), "what was acknowledged before the backup began is in it"
    assert set(found) <= set(load.acked)
    copy.ingest([{"message": "after the restore", "id": "new"}])
    copy.stop()
    after = copy.verify()
    assert after.returncode == 0, after.stdout + after.stderr

    server.ingest([{"message": "the original goes on", "id": "old"}])
    server.stop()
    original = server.verify()
    assert original.returncode == 0, original.stdout + original.stderr
    origin = lambda of: (of.data / "tlog/default/default/checkpoint").read_text().splitlines()
    assert origin(server)[0] != origin(copy)[0], "two logs, two names"
    assert origin(copy)[3].startswith(f"succeeds {origin(server)[0]} ")
    # The copy does not have what the original signed later, and says so.
    later = copy.verify("--since", str(server.data / "tlog/default/default/checkpoint"))
    assert later.returncode == 1 and "that log went on after the backup" in later.stdout, later.stdout
    say(f"backup: {killed} of 6 killed, {len(acked)} records acked before the last one, {len(found)} restored")


def test_a_damaged_backup_is_not_restored_and_the_file_is_named(make_server, tmp_path, say):
    server = make_server(settings=SETTINGS).start()
    server.ingest({"message": f"backup {n}", "id": str(n)} for n in range(500))
    server.stop()
    target = tmp_path / "backups"
    done = backup(server, target)
    assert done.returncode == 0, done.stderr
    key = server.key.read_bytes()
    files = sorted(path for path in target.rglob("*") if path.is_file())
    assert not any(key in path.read_bytes() for path in files), "the key file is not in it"
    named = 0
    for path in files:
        content = path.read_bytes()
        if not content:
            continue
        at = random.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :])
        copy = Server(tmp_path / f"copy-{named}", SETTINGS)
        shutil.copy(server.key, copy.key)
        refused = restore(target, copy)
        assert refused.returncode == 1, f"{path} byte {at}: {refused.stdout}"
        # A key that was altered may still be one: then the manifest is not signed by it.
        names = [path.name, "manifest"] if path.name == "public-key" else [path.name]
        assert any(name in refused.stderr for name in names), f"{path} byte {at}: {refused.stderr}"
        assert not copy.data.exists()
        path.write_bytes(content)
        named += 1
    say(f"backup: {named} files damaged, each refused by name")


def test_a_restore_that_is_killed_leaves_no_folder_and_is_run_again(make_server, tmp_path, say):
    server = make_server(settings=SETTINGS).start()
    for part in range(20):
        server.ingest({"message": f"backup {n}", "id": f"{part}-{n}"} for n in range(500))
    server.stop()
    target = tmp_path / "backups"
    assert backup(server, target).returncode == 0
    copy = Server(tmp_path / "copy", SETTINGS)
    shutil.copy(server.key, copy.key)
    staging = copy.data.with_name("data.restoring")
    killed = 0
    for _ in range(8):
        process = subprocess.Popen(
            command("restore", "--config", copy.config, "--from", target), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        until(lambda process=process: process.poll() is not None or staging.exists(), "it begins")
        threading.Event().wait(random.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            break
        killed += 1
        if copy.data.exists():
            break
    if not copy.data.exists():
        again = restore(target, copy)
        assert again.returncode == 0, again.stdout + again.stderr
    assert not staging.exists()
    verified = copy.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    copy.start()
    assert len(ids_of(copy)) == 10_000
    copy.stop()
    say(f"restore: killed {killed} times, then whole")


@pytest.mark.parametrize("kind", ["wrong key", "no key", "not a backup", "used folder"])
def test_what_cannot_be_restored_says_why(make_server, tmp_path, kind):
    server = make_server(settings=SETTINGS).start()
    server.ingest([{"message": "backup", "id": "1"}])
    server.stop()
    target = tmp_path / "backups"
    assert backup(server, target).returncode == 0
    copy = Server(tmp_path / "copy", SETTINGS)
    shutil.copy(server.key, copy.key)
    expected = {
        "wrong key": "does not open with this key file",
        "no key": "put the file back",
        "not a backup": "holds no backup that was completed",
        "used folder": "is not empty",
    }[kind]
    if kind == "wrong key":
        other = make_server("other").start()
        other.stop()
        shutil.copy(other.key, copy.key)
    elif kind == "no key":
        copy.key.unlink()
    elif kind == "not a backup":
        target = tmp_path
    else:
        copy.data.mkdir()
        (copy.data / "mine").write_text("precious")
    refused = restore(target, copy)
    assert refused.returncode == 1, refused.stdout
    assert expected in refused.stderr, refused.stderr
    if kind == "used folder":
        assert (copy.data / "mine").read_text() == "precious"
