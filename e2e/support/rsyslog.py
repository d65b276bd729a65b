"""A real rsyslog, as a user's machine has it: applications write to its socket, one action sends on."""

import itertools
import socket
import subprocess

from .wait import until

QUEUE = 'action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList"'


def syslog_lines(word, numbers):
    return [f"<134>1 2026-11-20T10:00:00Z web-1 {word}-app {n} ID{n} - {word} number {n}" for n in numbers]


def lose_nothing_in_kills(server, rsyslog, word, kills):
    """The server is killed while an action that is answered, with `QUEUE`, sends to it; in the end all lines are stored."""
    for batch in range(kills):
        rsyslog.send(syslog_lines(word, range(batch * 500, batch * 500 + 500)))
        until(lambda batch=batch: len(server.find(word)) > batch * 500, "some are stored", 120)
        server.kill()
        server.start()
    last = kills * 500
    nudges = itertools.count(last)

    def all_stored():
        # librelp looks for answers, and at whether the connection still stands, when there is more to send: the last
        # message alone would wait for it, in a connection that went with the server.
        rsyslog.send(syslog_lines(word, [next(nudges)]))
        found = {int(record["body"].rsplit(" ", 1)[1]) for record in server.find(word)}
        return set(range(last + 1)) <= found

    until(all_stored, "all are stored", 180, 0.2)


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
