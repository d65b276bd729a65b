"""Another key for a data folder: the real program, batches that are only in the log, and the old key taken away."""

import subprocess

from support.server import BINARY


def rotate(server):
    command = [str(BINARY), "keys", "rotate", "--config", str(server.config)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_after_a_rotation_the_new_key_alone_opens_everything(make_server):
    server = make_server().start()
    server.ingest({"message": f"rotate {n}", "n": n} for n in range(300))
    server.stop()
    server.start()
    server.ingest({"message": f"rotate {n}", "n": n} for n in range(300, 400))
    busy = rotate(server)
    assert busy.returncode == 1 and "is in use by another process" in busy.stderr, busy.stdout + busy.stderr
    server.kill()
    old = server.key.read_bytes()
    done = rotate(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.key.read_bytes() != old
    retired = [path for path in server.folder.glob("key.*") if path.read_bytes() == old]
    assert len(retired) == 1 and retired[0].name in done.stdout, done.stdout
    retired[0].unlink()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    server.start()
    assert len(server.all_records("rotate")) == 400
    server.stop()
