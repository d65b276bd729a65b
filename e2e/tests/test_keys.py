"""Another key for a data folder: the real program, batches that are only in the log, and the old key taken away."""

import subprocess

from support.server import BINARY
from support.wait import until


def rotate(server):
    command = [str(BINARY), "keys", "rotate", "--config", str(server.config)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def take_away(old, server, done):
    """Removes the retired key, which must be the one file that has its bytes, and named by the command."""
    retired = [path for path in server.folder.glob("key.*") if path.read_bytes() == old]
    assert len(retired) == 1 and retired[0].name in done.stdout, done.stdout
    retired[0].unlink()


def test_after_a_rotation_the_new_key_alone_opens_everything(make_server):
    server = make_server().start()
    server.ingest({"message": f"rotate {n}", "n": n} for n in range(300))
    server.stop()
    server.start()
    server.ingest({"message": f"rotate {n}", "n": n} for n in range(300, 400))
    server.kill()
    old = server.key.read_bytes()
    done = rotate(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.key.read_bytes() != old
    take_away(old, server, done)
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    server.start()
    assert len(server.all_records("rotate")) == 400
    server.stop()


def test_a_running_server_takes_up_a_new_key_and_goes_on(make_server):
    server = make_server().start()
    server.ingest({"message": f"online {n}", "n": n} for n in range(200))
    old = server.key.read_bytes()
    done = rotate(server)
    assert done.returncode == 0 and "by the server" in done.stdout, done.stdout + done.stderr
    assert server.key.read_bytes() != old
    take_away(old, server, done)
    server.ingest({"message": f"online {n}", "n": n} for n in range(200, 300))
    assert len(server.all_records("online")) == 300
    server.kill()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    server.start()
    assert len(server.all_records("online")) == 300
    server.stop()


def test_a_server_that_is_killed_while_it_rotates_goes_on_by_itself(make_server):
    server = make_server().start()
    server.ingest({"message": f"halfway {n}", "n": n} for n in range(200))
    command = [str(BINARY), "keys", "rotate", "--config", str(server.config)]
    old = server.key.read_bytes()
    ordered = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: server.key.read_bytes() != old, "the new key file")
    server.kill()
    # Who ordered it does it itself, as there is no server any more.
    out, err = ordered.communicate(timeout=120)
    assert ordered.returncode == 0, out + err
    [path.unlink() for path in server.folder.glob("key.*")]
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    server.start()
    assert len(server.all_records("halfway")) == 200
    server.stop()
