"""A `logkeep serve` of its own for a test: free ports, a folder of its own, and its end checked."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from .http import Connection
from .people import reader
from .wait import until

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("LOGKEEP_BIN", REPOSITORY / "target/debug/logkeep")).resolve()


def listeners():
    """The keys below `listen`, as the program prints them."""
    printed = subprocess.run([str(BINARY), "config", "print"], capture_output=True, text=True, check=True).stdout
    section = re.search(r"^listen:\n((?:  .*\n)+)", printed, re.MULTILINE)
    return re.findall(r"^  (\w+): ", section[1], re.MULTILINE)


# By which the servers of this run are read; a copy of a folder has the tokens of the one it was made of.
TOKENS = []
EVERYTHING = {"from": "1971-01-01T00:00:00Z", "to": "2200-01-01T00:00:00Z"}
START_S = 60


class Server:
    """Data and key below `folder`. `settings` are lines of YAML beside `data_dir`, `key_file` and `listen`, where `listen` has other
    values than a free port of loopback. `tls` is how to call it, if it is to be called by https://. The first start makes an
    administrator and a token to read with, unless the settings say who may read on loopback, or certificates do."""

    def __init__(self, folder, settings="", wrap=(), listen=None, tls=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.key = self.folder / "key"
        self.config = self.folder / "logkeep.yaml"
        self.wrap = list(wrap)
        self.tls = tls
        # Of no use without a certificate.
        usual = [name for name in listeners() if name != "syslog_tls"]
        values = {**dict.fromkeys(usual, '"127.0.0.1:0"'), **(listen or {})}
        listen = "".join(f"  {name}: {value}\n" for name, value in values.items())
        self.config.write_text(f'data_dir: "{self.data}"\nkey_file: "{self.key}"\nlisten:\n{listen}{settings}')
        self.process = None
        self.url = None
        self.is_ours = "loopback:" not in settings and "client_ca" not in values.get("main", "")
        self.token = None
        self.starts = 0
        self.ready_s = None

    @property
    def stderr(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("stderr.*")))

    def spawn(self):
        """Starts the process and returns without waiting for it."""
        self.starts += 1
        said = self.folder / f"stdout.{self.starts:03}"
        with said.open("wb") as out, said.with_name(f"stderr.{self.starts:03}").open("wb") as err:
            command = [*self.wrap, str(BINARY), "serve", "--config", str(self.config)]
            self.process = subprocess.Popen(command, stdout=out, stderr=err, cwd=self.folder)

    def start(self):
        started = time.monotonic()
        self.spawn()
        over = lambda: self._ready() or self.process.poll() is not None
        until(over, lambda: f"the server is ready; it said: {self.last_words()[-2000:]}", START_S, 0.005)
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.last_words()[-2000:]}"
        self.ready_s = time.monotonic() - started
        self.find_token()
        return self

    def find_token(self):
        """A token to read with: a new one, or that of the folder that this one was copied from."""
        if not self.is_ours or self.token:
            return
        if (self.data / "set-up-link").exists():
            self.token = reader(self)
            TOKENS.append(self.token)
            return
        for token in reversed(TOKENS):
            with Connection(self.url, tls=self.tls, token=token) as connection:
                if connection.get("/api/v1/session").status == 200:
                    self.token = token
                    return

    @property
    def environment(self):
        """For the command line, as somebody who may read."""
        return {**os.environ, "LOGKEEP_URL": self.url, **({"LOGKEEP_TOKEN": self.token} if self.token else {})}

    def try_start(self):
        """Whether it starts; False if it refuses, with code 1 and a reason."""
        self.spawn()
        process = self.process
        until(lambda: process.poll() is not None or self._ready(), "the server starts or refuses to", START_S, 0.005)
        if process.poll() is None:
            self.find_token()
            return True
        self.process = None
        assert process.returncode == 1, f"refusing to start is code 1, not {process.returncode}: {self.last_words()}"
        assert "panicked" not in self.last_words()
        assert self.last_words().strip(), "it does not say why"
        return False

    def last_words(self):
        return (self.folder / f"stderr.{self.starts:03}").read_text(errors="replace")

    def _ready(self):
        if self.process.poll() is not None:
            return False
        said = (self.folder / f"stdout.{self.starts:03}").read_text(errors="replace")
        found = re.search(r"ready: (https?://\S+)\n", said)
        if not found:
            return False
        # A listener on every address is called by a name that its certificate has.
        self.url = found[1].replace("//0.0.0.0:", "//localhost:")
        try:
            with self.connect() as connection:
                return connection.get("/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        """SIGTERM; a clean end is part of every test."""
        if self.process is None:
            return
        pid, process, self.process = self.pid(), self.process, None
        os.kill(pid, signal.SIGTERM)
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"SIGTERM did not end the server: {self.stderr[-2000:]}") from None
        assert code == 0, f"the server ended with {code}: {self.stderr[-2000:]}"
        self.no_panic()

    def kill(self):
        pid, process, self.process = self.pid(), self.process, None
        os.kill(pid, signal.SIGKILL)
        process.wait()

    def pid(self):
        """The server's own, also under a tracer, which ends as the server does."""
        pid = self.process.pid
        if self.wrap and self.process.poll() is None:
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return pid

    def no_panic(self):
        assert "panicked" not in self.stderr, self.stderr[-4000:]

    # The API, as docs/api.md has it.

    def connect(self):
        return Connection(self.url, tls=self.tls, token=self.token)

    def get(self, path, **parameters):
        with self.connect() as connection:
            return connection.get(path + ("?" + urlencode(parameters) if parameters else ""))

    def answered(self, path, **parameters):
        answer = self.get(path, **parameters)
        assert answer.status == 200, f"{path} {parameters}: {answer.status} {answer.text[:2000]}"
        return answer.json()

    def find(self, q, limit=10_000, **parameters):
        """The records of one page, newest first, over all time unless the test says otherwise."""
        return self.answered("/api/v1/logs", q=q, limit=limit, **{**EVERYTHING, **parameters})["records"]

    def wait_for(self, q, count, **parameters):
        """Waits until `q` finds `count` records, and fails if it ever finds more."""
        found = []

        def enough():
            found[:] = self.find(q, **parameters)
            return len(found) >= count

        until(enough, lambda: f"{count} records for {q!r}, found {len(found)}", every_s=0.1)
        assert len(found) == count, f"{q!r} finds {len(found)} records, {count} were sent"
        return found

    def all_records(self, q="", page=1_000):
        """Every record, by paging to the end."""
        records, after = [], None
        with self.connect() as connection:
            while True:
                parameters = {"q": q, "limit": page, "order": "asc", **EVERYTHING}
                if after:
                    parameters["after"] = after
                answer = connection.get("/api/v1/logs?" + urlencode(parameters))
                if answer.status != 200:
                    raise Refused(answer)
                read = answer.json()
                if read["partial"] is not None:
                    raise Refused(answer)
                records += read["records"]
                after = read["next"]
                if after is None:
                    return records

    def sql(self, sql):
        with self.connect() as connection:
            answer = connection.post("/api/v1/sql", json.dumps({"sql": sql}), {"content-type": "application/json"})
        assert answer.status == 200, f"{sql}: {answer.status} {answer.text[:2000]}"
        return answer.json()

    def ingest(self, documents, key=None):
        """NDJSON, as the README has it for curl."""
        body = "".join(document if isinstance(document, str) else json.dumps(document) + "\n" for document in documents)
        headers = {"content-type": "application/x-ndjson"} | ({"x-logkeep-batch": key} if key else {})
        with self.connect() as connection:
            answer = connection.post("/api/v1/ingest/ndjson", body.encode(), headers)
        assert answer.status == 200, f"{answer.status} {answer.text[:2000]}"
        return answer.json()

    def address(self, protocol):
        receivers = {receiver["protocol"]: receiver for receiver in self.answered("/api/v1/status")["receivers"]}
        assert receivers[protocol]["state"] == "listening", receivers
        return receivers[protocol]["address"]

    def port(self, protocol):
        return int(self.address(protocol).rsplit(":", 1)[1])

    def ports(self):
        """The port of each protocol that listens, and the main one."""
        receivers = self.answered("/api/v1/status")["receivers"]
        found = {each["protocol"]: int(each["address"].rsplit(":", 1)[1]) for each in receivers if each["address"]}
        return {**found, "main": urlsplit(self.url).port}

    def keep_port(self, protocol):
        """The port that was taken stays the same after a restart."""
        key, text = protocol.replace("-", "_"), self.config.read_text()
        self.config.write_text(text.replace(f'{key}: "127.0.0.1:0"', f'{key}: "127.0.0.1:{self.port(protocol)}"'))

    def metric(self, name):
        """The values of a metric, by the values of its labels."""
        lines = re.findall(rf"^{name}\{{(.*)\}} (\d+)$", self.get("/metrics").text, re.MULTILINE)
        return {tuple(re.findall(r'="([^"]*)"', labels)): int(value) for labels, value in lines}

    def peak_memory_bytes(self):
        status = Path(f"/proc/{self.pid()}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def verify(self, *arguments, data=None):
        return verify(data or self.data, self.key, *arguments)


class Refused(Exception):
    """The server said that it cannot answer, or not in full."""

    def __init__(self, answer):
        super().__init__(f"{answer.status} {answer.text[:500]}")


def verify(data, key, *arguments):
    """`logkeep verify`, run on files alone."""
    command = [str(BINARY), "verify", "--data-dir", str(data), "--key-file", str(key), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False)


def pairs(record, name):
    """The attributes or resource of a record as a dict; a repeated key is a fault here."""
    found = dict(record[name])
    assert len(found) == len(record[name]), f"a key repeats: {record[name]}"
    return found
