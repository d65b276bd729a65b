"""The demonstration: one command, a link that signs in once, and nobody reads without."""

import os
import re
import signal
import subprocess

import pytest
from support.http import Connection
from support.people import JSON
from support.server import BINARY
from support.wait import until


@pytest.fixture
def demo(tmp_path):
    said = tmp_path / "stdout"
    with said.open("wb") as out:
        command = [str(BINARY), "demo", "--port", "0", "--rate", "1", "--data-dir", str(tmp_path / "demo")]
        running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    until(lambda: "Ctrl-C" in said.read_text() or running.poll() is not None, lambda: said.read_text(), 120)
    yield said.read_text()
    running.send_signal(signal.SIGTERM)
    assert running.wait(120) == 0, said.read_text()[-2000:]


def test_a_link_signs_in_once_and_a_token_reads(demo, tmp_path):
    url, link = re.search(r"(http://\S+)/#sign-in=(lkl_\S+)", demo).groups()
    with Connection(url) as connection:
        sign_in = lambda: connection.request("POST", "/api/v1/session", f'{{"link": "{link}"}}', JSON)
        assert connection.get("/api/v1/logs").status == 401
        answer = sign_in()
        assert answer.status == 200, answer.text
        cookie = answer.headers["set-cookie"].split(";")[0]
        found = lambda: connection.get("/api/v1/logs?limit=1", cookie=cookie).json()["records"]
        until(found, "the shop's logs arrive", 60)
        assert connection.get("/api/v1/session", cookie=cookie).json()["name"] == "demo"
        assert sign_in().status == 401, "once"
    token = tmp_path / "demo" / "token"
    assert token.stat().st_mode & 0o777 == 0o600
    ask = [str(BINARY), "query", "--limit", "1", "--format", "json", "--url", url]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOGKEEP_")}
    ran = subprocess.run([*ask, "--token-file", str(token)], capture_output=True, text=True, timeout=60, check=False, env=clean)
    assert ran.returncode == 0 and ran.stdout.count("\n") == 1, ran.stderr
    assert subprocess.run(ask, capture_output=True, timeout=60, check=False, env=clean).returncode == 1
