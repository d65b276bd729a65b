"""Starting and stopping."""

import signal

from support.server import verify


def test_an_empty_folder_is_ready_at_once(make_server, say):
    server = make_server().start()
    say(f"start-up: ready {server.ready_s * 1000:.0f} ms after the start on an empty folder")
    assert server.get("/healthz").status == 200
    assert server.all_records() == []
    # Its end, with code 0, is checked by the fixture.


def test_sigint_ends_it_cleanly_too(make_server):
    server = make_server().start()
    process, server.process = server.process, None
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_the_key_stays_private_and_is_required(make_server, word):
    server = make_server().start()
    server.ingest([{"message": word}])
    assert server.key.stat().st_mode & 0o777 == 0o600
    server.stop()

    server.key.chmod(0o644)
    assert not server.try_start()
    assert str(server.key) in server.last_words()
    server.key.chmod(0o600)

    hidden = server.key.rename(server.folder / "hidden")
    assert not server.try_start(), "data without its key must refuse to start"
    assert not server.key.exists(), "and no new key is made beside old data"
    checked = verify(server.data, server.key)
    assert checked.returncode == 1 and checked.stdout + checked.stderr != ""
    hidden.rename(server.key)
    server.start()
    assert [record["body"] for record in server.find(word)] == [word]


def test_one_server_a_folder(make_server):
    server = make_server().start()
    other = make_server("other")
    other.config.write_text(server.config.read_text())
    assert not other.try_start()
    assert "in use" in other.last_words()
    assert server.get("/readyz").status == 200
