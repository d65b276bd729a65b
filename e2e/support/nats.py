"""A real nats-server with JetStream, and what is published to it."""

import asyncio
import contextlib
import socket
import subprocess
from pathlib import Path

import nats
from nats.js.api import StreamConfig

from .ports import free_port
from .wait import until


class NatsServer:
    def __init__(self, folder, *arguments, scheme="nats"):
        self.folder, self.port = Path(folder) / "nats", free_port()
        self.folder.mkdir()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.arguments, self.process = arguments, None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder), *self.arguments]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._listens, lambda: f"nats-server listens; it said: {(self.folder / 'log').read_text()[-2000:]}")
        return self

    def _listens(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def run(self, work, **options):
        """Calls `work` with a client and its JetStream, and gives back what it gives."""

        async def connected():
            client = await nats.connect(self.url, **options)
            try:
                return await work(client, client.jetstream())
            finally:
                await client.drain()

        # Not `asyncio.run`: it leaves the thread without a loop, which other clients expect to find.
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            return loop.run_until_complete(asyncio.wait_for(connected(), 120))

    def make_stream(self, name, subjects, **options):
        return self.run(lambda _, js: js.add_stream(StreamConfig(name=name, subjects=subjects)), **options)

    def publish(self, messages, **options):
        """Publishes (subject, payload, headers) to a stream; gives back the sequence of each."""

        async def work(_, js):
            return [(await js.publish(subject, payload, headers=headers)).seq for subject, payload, headers in messages]

        return self.run(work, **options)

    def say(self, messages, **options):
        """Publishes without a stream."""

        async def work(client, _):
            for subject, payload in messages:
                await client.publish(subject, payload)
            await client.flush()

        return self.run(work, **options)

    def consumer(self, stream, name):
        return self.run(lambda _, js: js.consumer_info(stream, name))

    def all_acked(self, stream, name):
        info = self.consumer(stream, name)
        return info.num_ack_pending == 0 and info.num_pending == 0
