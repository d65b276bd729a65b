"""A real S3-compatible server (s3s-fs) over a folder, so that what it holds can be looked at, damaged, and outlives it."""

import os
import secrets
import socket
import subprocess
from pathlib import Path

from .wait import until

PROGRAM = Path(__file__).resolve().parents[1] / ".tools/bin/s3s-fs"
BUCKET = "logs"


class Store:
    """A store with one bucket below `folder`. It checks signatures."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.root = self.folder / "store"
        self.bucket = self.root / BUCKET
        self.bucket.mkdir(parents=True)
        self.access, self.secret = secrets.token_hex(10), secrets.token_hex(20)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--access-key", self.access]
        with (self.folder / "s3s.log").open("ab") as said:
            self.process = subprocess.Popen(
                [str(PROGRAM), *arguments, "--secret-key", self.secret, str(self.root)], stdout=said, stderr=said
            )
        until(lambda: self.process.poll() is not None or self._answers(), "the store answers", 60)
        assert self.process.poll() is None, (self.folder / "s3s.log").read_text()
        return self

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self):
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()

    def environment(self, **more):
        """For a program that uses it, and gives up soon when it is away."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own = {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "eu-central-1",
            "AWS_MAX_ATTEMPTS": "2",
        }
        return {**inherited, **own, **more}

    def objects(self, prefix=""):
        """The objects by name, as the files that they are."""
        below = self.bucket / prefix
        return {str(path.relative_to(below)): path for path in sorted(below.rglob("*")) if path.is_file()}

    def leftovers(self):
        """Parts of uploads that were neither completed nor aborted."""
        return [path.name for path in self.root.rglob(".upload*")]
