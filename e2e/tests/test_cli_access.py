"""The command line as somebody: tokens from files and the environment, people and tokens managed."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from support.people import PASSWORD, administrator
from support.server import BINARY

CLOSED = "access:\n  loopback: sign_in\n"


@pytest.fixture
def server(make_server):
    return make_server(settings=CLOSED).start()


def cli(server, *arguments, stdin=None, **environment):
    environment = {"LOGKEEP_URL": server.url, **environment}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOGKEEP_")}
    return subprocess.run(
        [str(BINARY), *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60, check=False,
        env={**clean, **environment},
    )  # fmt: skip


def done(ran):
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


AS_ROOT = ["--user", "root", "--password-file", "-"]


def test_from_a_password_to_a_token_to_an_answer(server, tmp_path, word):
    root = administrator(server)
    refused = cli(server, "query", word)
    assert refused.returncode == 1 and "--token-file" in refused.stderr
    output = tmp_path / "reader.token"
    roles = ["--role", "analyst", "--role", "collector"]
    made = cli(server, "token", "create", "reader", *roles, "--days", "2", "--output", output, *AS_ROOT, stdin=PASSWORD)
    assert done(made) == "" and output.stat().st_mode & 0o777 == 0o600
    token = output.read_text().strip()
    assert token.startswith("lkt_") and token not in made.stderr
    # The session was for the one command.
    assert [each["user"] for each in root.call("GET", "/sessions").json()["sessions"]] == ["root"]
    lines = tmp_path / "lines.log"
    lines.write_text(f"{word} one\n{word} two\n")
    done(cli(server, "import", lines, "--token-file", output))
    by_file = done(cli(server, "query", word, "--format", "json", "--token-file", output))
    assert by_file.count(word) >= 2
    assert done(cli(server, "query", word, "--format", "json", LOGKEEP_TOKEN=token)) == by_file
    assert done(cli(server, "query", word, "--format", "json", LOGKEEP_TOKEN_FILE=str(output))) == by_file
    assert word in done(cli(server, "sql", f"select body from logs where body like '{word}%'", "--token-file", output))
    assert "import" in done(cli(server, "sources", "--token-file", output))
    trace = cli(server, "trace", "4bf92f3577b34da6a3ce929d0e0e4736", "--token-file", output)
    assert "401" not in trace.stderr and "sign in" not in trace.stderr
    identifier = token.removeprefix("lkt_").split(".")[0]
    listed = done(cli(server, "token", "list", "--format", "json", *AS_ROOT, stdin=PASSWORD))
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [identifier]
    done(cli(server, "token", "revoke", identifier, *AS_ROOT, stdin=PASSWORD))
    assert cli(server, "query", word, "--token-file", output).returncode == 1


def test_a_tail_shows_a_token_and_no_process_list_does(server, tmp_path, word):
    administrator(server)
    secret = done(cli(server, "token", "create", "tail", "--role", "analyst", *AS_ROOT, stdin=PASSWORD)).strip()
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(secret)
    command = [str(BINARY), "tail", word, "--limit", "1", "--format", "json", "--url", server.url, "--token-file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert secret.encode() not in Path(f"/proc/{tail.pid}/cmdline").read_bytes()
        deadline = time.monotonic() + 60
        while tail.poll() is None and time.monotonic() < deadline:
            server.ingest([{"message": word}])
            time.sleep(0.2)
        out, err = tail.communicate(timeout=60)
    assert tail.returncode == 0 and word in out, err


def test_people(server, tmp_path):
    administrator(server)
    done(cli(server, "token", "create", "admin", "--role", "administrator", "--output", tmp_path / "admin", *AS_ROOT, stdin=PASSWORD))
    admin = ["--token-file", tmp_path / "admin"]
    done(cli(server, "user", "add", "bob", "--role", "analyst", "--new-password-file", "-", *admin, stdin=PASSWORD))
    weak = cli(server, "user", "add", "eve", "--new-password-file", "-", *admin, stdin="password1234")
    assert weak.returncode == 1 and "easy to guess" in weak.stderr and "password1234" not in weak.stderr
    listed = [json.loads(line) for line in done(cli(server, "user", "list", "--format", "json", *admin)).splitlines()]
    assert {each["user"]: each["roles"] for each in listed}["bob"] == ["analyst"]
    assert "bob" in done(cli(server, "user", "list", *admin))
    done(cli(server, "user", "set", "bob", "--role", "auditor", "--disabled", *admin))
    [bob] = [json.loads(line) for line in done(cli(server, "user", "list", "--format", "json", *admin)).splitlines() if "bob" in line]
    assert (bob["roles"], bob["disabled"]) == (["auditor"], True)
    wrong = cli(server, "user", "list", "--user", "root", "--password-file", "-", stdin="wrong")
    assert wrong.returncode == 1 and "not recognised" in wrong.stderr


def test_what_is_not_done_with_a_token(server, tmp_path):
    file = tmp_path / "token"
    file.write_text("lkt_0000000000000000." + "0" * 64)
    file.chmod(0o644)
    said = cli(server, "query", "--token-file", file).stderr
    assert "chmod 600" in said and "lkt_" not in said
    file.chmod(0o600)
    clear = cli(server, "query", "--token-file", file, LOGKEEP_URL="http://logs.example:7280")
    assert clear.returncode == 1 and "https://" in clear.stderr
    unknown = cli(server, "query", "--token-file", file)
    assert unknown.returncode == 1 and "not known" in unknown.stderr and "lkt_" not in unknown.stderr.replace("lkt_…", "")
    assert cli(server, "token", "create", "x", "--role", "analyst", "--output", tmp_path / "x", "--token-file", file).returncode == 1
    assert not (tmp_path / "x").exists()
