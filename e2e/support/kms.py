"""AWS KMS as moto serves it: real requests, real encryption under a context; signatures are not checked."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

from .wait import until

REGION = "eu-central-1"


class Kms:
    """A server with one key. What it knows ends with it; `pause` makes it silent instead."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.secret = secrets.token_hex(20)
        self.credentials = self.folder / "credentials"
        self.credentials.write_text(f"[log]\naws_access_key_id = AKIATEST\naws_secret_access_key = {self.secret}\n")
        self.process = None
        self.key_id = None

    def start(self):
        program = Path(sys.executable).with_name("moto_server")
        with (self.folder / "moto.log").open("ab") as said:
            command = [sys.executable, str(program), "-H", "127.0.0.1", "-p", str(self.port)]
            self.process = subprocess.Popen(command, stdout=said, stderr=said)
        until(lambda: self.process.poll() is not None or self._answers(), "moto answers", 60)
        assert self.process.poll() is None, (self.folder / "moto.log").read_text()
        self.key_id = self.ask("CreateKey")["KeyMetadata"]["Arn"]
        return self

    def _answers(self):
        try:
            return bool(self.ask("ListKeys"))
        except OSError:
            return False

    def ask(self, action, **body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        scope = f"Credential=AKIATEST/20260101/{REGION}/kms/aws4_request, SignedHeaders=host, Signature=0"
        headers = {
            "x-amz-target": f"TrentService.{action}",
            "content-type": "application/x-amz-json-1.1",
            "authorization": f"AWS4-HMAC-SHA256 {scope}",
        }
        try:
            connection.request("POST", "/", json.dumps(body), headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()

    def settings(self, by_profile=True):
        profile = f'  credentials_file: "{self.credentials}"\n  profile: log\n' if by_profile else ""
        return (
            f'keys:\n  provider: aws_kms\naws_kms:\n  key_id: "{self.key_id}"\n'
            f'  endpoint: "http://127.0.0.1:{self.port}"\n{profile}'
        )

    def environment(self):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**inherited, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": self.secret}
