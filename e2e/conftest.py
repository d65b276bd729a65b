"""Fixtures: a server for one test, or one for all tests of a file that only add records."""

import os
import secrets

import pytest

from support.server import BINARY, Server


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"there is no {BINARY}: build it with `cargo build`, or name one with LOGKEEP_BIN", returncode=2)


@pytest.fixture
def make_server(tmp_path):
    """Makes servers below the test's own folder; those still running at its end are stopped and their exit checked."""
    made = []

    def make(name="server", settings="", **options):
        made.append(Server(tmp_path / name, settings, **options))
        return made[-1]

    yield make
    faults = []
    for server in made:
        try:
            server.stop()
            server.no_panic()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def server(make_server):
    return make_server().start()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """For tests that look only at records with their own word."""
    server = Server(tmp_path_factory.mktemp("shared")).start()
    yield server
    server.stop()


@pytest.fixture
def word():
    """A word that no other test's records hold."""
    return "zq" + secrets.token_hex(6)


@pytest.fixture
def say(capsys):
    """Prints one line of results past pytest's capturing."""

    def line(text):
        with capsys.disabled():
            print(f"\n  {text}", end=" ", flush=True)

    return line


@pytest.fixture
def setting():
    """A number from the environment, or its default for CI."""
    return lambda name, default: int(os.environ.get(name, default))
