"""The console in Chromium, against the real server: the journeys that its own tests walk against a mock."""

import os
import re
import subprocess

from support.server import REPOSITORY


def test_console(server, say):
    ran = subprocess.run(
        ["npm", "run", "--silent", "e2e"],
        cwd=REPOSITORY / "ui",
        env=os.environ | {"LOGKEEP_URL": server.url},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    summary = re.search(r"(\d+) passed, 0 failed", said)
    assert summary and int(summary[1]) >= 5, said
    say(f"console: {summary[0]}")
