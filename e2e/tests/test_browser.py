"""The console in Chromium, against the real server: the journeys that its own tests walk against a mock."""

import os
import re
import subprocess

from support.server import REPOSITORY, Server

NODE = REPOSITORY / "e2e" / "node"


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


def test_console(make_server, say):
    server = make_server(settings="access:\n  loopback: open\n").start()
    passed = browse(LOGKEEP_URL=server.url)
    assert passed >= 5
    say(f"console: {passed} passed, 0 failed")


def test_signing_in(tmp_path):
    server = Server(tmp_path, settings="access:\n  loopback: sign_in\n").start()
    link = (server.data / "set-up-link").read_text().strip()
    assert browse(LOGKEEP_URL=server.url, LOGKEEP_SET_UP_LINK=link) == 13
    server.stop()


def test_signing_in_at_a_provider(tmp_path):
    """The provider is the npm package `oidc-provider`, with pages of its own on which people say who they are."""
    secret = tmp_path / "client-secret"
    secret.write_text("a secret of the client")
    command = ["node", "oidc.mjs", "logkeep", secret.read_text()]
    with subprocess.Popen(command, cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider:
        issuer = provider.stdout.readline().strip()
        settings = (
            f"access:\n  loopback: sign_in\noidc:\n  issuer: {issuer}\n  client_id: logkeep\n"
            f'  client_secret_file: "{secret}"\n  label: Example\n  roles: {{devs: analyst}}\n'
        )
        server = Server(tmp_path / "server", settings=settings).start()
        provider.stdin.write(f"{server.url}/api/v1/session/oidc/callback\n")
        provider.stdin.flush()
        assert provider.stdout.readline().strip() == "ready"
        assert browse(LOGKEEP_URL=server.url, LOGKEEP_SET_UP_LINK="none", LOGKEEP_PROVIDER=issuer) == 2
        server.stop()
        provider.stdin.close()
        assert provider.wait(30) == 0
