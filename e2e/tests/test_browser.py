"""The console in Chromium, against the real server: the journeys that its own tests walk against a mock."""

import os
import re
import subprocess

from support.server import REPOSITORY, Server


def browse(**environment):
    """The number of journeys that succeeded; all must."""
    ran = subprocess.run(
        ["npm", "run", "--silent", "e2e"],
        cwd=REPOSITORY / "ui",
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    summary = re.search(r"(\d+) passed, 0 failed", said)
    assert summary, said
    return int(summary[1])


def test_console(server, say):
    passed = browse(LOGKEEP_URL=server.url)
    assert passed >= 5
    say(f"console: {passed} passed, 0 failed")


def test_signing_in(tmp_path):
    server = Server(tmp_path, settings="access:\n  loopback: sign_in\n").start()
    link = (server.data / "set-up-link").read_text().strip()
    assert browse(LOGKEEP_URL=server.url, LOGKEEP_SET_UP_LINK=link) == 2
    server.stop()
