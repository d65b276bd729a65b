"""A real rsyslog, as a user's machine has it: applications write to its socket, one action sends on."""

import socket
import subprocess

from .wait import until


class Rsyslog:
    def __init__(self, folder, action, module=""):
        self.folder = folder
        self.input = folder / "rsyslog.sock"
        self.config = folder / "rsyslog.conf"
        self.config.write_text(
            f'{module}\nmodule(load="imptcp")\nglobal(workDirectory="{folder}" maxMessageSize="64k")\n'
            f'input(type="imptcp" path="{self.input}" name="applications")\n'
            f"{action}\n"
        )
        self.process = None

    def __enter__(self):
        command = ["rsyslogd", "-n", "-f", str(self.config), "-i", str(self.folder / "rsyslog.pid")]
        with open(self.folder / "rsyslog.out", "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        until(self._listens, lambda: f"rsyslog listens; it said: {(self.folder / 'rsyslog.out').read_text()}")
        return self

    def _listens(self):
        assert self.process.poll() is None, (self.folder / "rsyslog.out").read_text()
        return self.input.exists()

    def send(self, lines):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as out:
            out.connect(str(self.input))
            out.sendall("".join(line + "\n" for line in lines).encode())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
