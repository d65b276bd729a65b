"""kill -9 while senders await acks: what a receiver has acked is there; once, where its protocol lets a retry be known."""

import random
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest
from pylogbeat import ConnectionException, PyLogBeatClient

from support.kills import SETTINGS, Repeating, Run, check, repeated, verified
from support.senders import ANSWERED, exchange

NODE = Path(__file__).resolve().parents[1] / "node"


@pytest.fixture
def chaos(make_server, word, setting):
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    run = Run(make_server(settings=SETTINGS).start(), word)
    return run, setting("E2E_RECEIVER_KILLS", 4), seed


SPANS = ("/v1/traces", "/api/v2/spans")
LOGS = [sender for sender in ANSWERED if getattr(sender, "path", None) not in SPANS]


def test_every_protocol_that_answers(chaos, say):
    run, kills, seed = chaos

    def deliver(sender):
        chance = random.Random(f"{seed} {sender.protocol}")

        def once(number, texts):
            # Some answers are never read, as if the network had lost them.
            read = chance.random() < 0.9
            answer = exchange(sender, run.ports[sender.port], sender.message(number, texts), len(texts), read)
            return sender.content(answer)

        return once

    senders = [Repeating(run, sender.protocol, deliver(sender)) for sender in LOGS]
    for sender in senders:
        sender.start()
    run.kill_while(senders, kills, random.Random(seed))
    found = run.stored()
    for sent, sender in zip(senders, LOGS, strict=True):
        own = {text: times for text, times in found.items() if text.startswith(f"{sent.word} ")}
        check(own, sent.attempts, sender.known_again, seed)
    assert sum(found.values()) >= sum(sender.acked for sender in senders)
    attempts = sum((sender.attempts for sender in senders), Counter())
    say(f"{len(LOGS)} protocols: {kills} kills, {repeated(attempts)} (seed {seed})")
    verified(run.server)


def test_pylogbeat(chaos, say):
    run, kills, seed = chaos

    def client():
        open_ = None

        def window(_, texts):
            nonlocal open_
            try:
                open_ = open_ or PyLogBeatClient("127.0.0.1", run.ports["beats"], timeout=30)
                open_.send([{"message": text, "@timestamp": "2026-11-20T10:00:00.000Z"} for text in texts])
                return True
            except (OSError, ConnectionException):
                # The window begins anew on a new connection.
                open_.close()
                open_ = None
                return False

        return window

    senders = [Repeating(run, f"client {n}", client(), together=50) for n in range(3)]
    for sender in senders:
        sender.start()
    run.kill_while(senders, kills, random.Random(seed))
    attempts = sum((sender.attempts for sender in senders), Counter())
    check(run.stored(), attempts, False, seed)
    say(f"pylogbeat: {kills} kills, {repeated(attempts)} (seed {seed})")
    verified(run.server)


class ForwardOfNpm(threading.Thread):
    """Reads what `forward_kill.mjs` has heard an ack for."""

    def __init__(self, run, client, mode):
        super().__init__(daemon=True)
        self.run_, self.attempts, self.faults = run, {}, []
        command = ["node", "forward_kill.mjs", client, str(run.ports["forward-tcp"]), run.word, mode]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=NODE, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        threading.Thread(target=self.end, daemon=True).start()

    @property
    def acked(self):
        return len(self.attempts)

    def end(self):
        self.run_.done.wait()
        self.process.stdin.close()

    def run(self):
        for line in self.process.stdout:
            number, attempts = line.split()
            self.attempts[f"{self.run_.word} number {number}"] = int(attempts)
        if self.process.wait() != 0 or not self.run_.done.is_set():
            self.faults.append(self.process.stderr.read())


@pytest.mark.parametrize("mode", ["Message", "CompressedPackedForward"])
@pytest.mark.parametrize("client", ["fluent-org", "fluent-logger"])
def test_forward_of_npm(chaos, client, mode, say):
    """These clients give an event that is sent again a new chunk id, so only those sent once are sure to be there once."""
    run, kills, seed = chaos
    run.server.keep_port("forward-tcp")
    sender = ForwardOfNpm(run, client, mode)
    sender.start()
    run.kill_while([sender], kills, random.Random(seed))
    check(run.stored(), sender.attempts, False, seed)
    say(f"{client} in mode {mode}: {kills} kills, {repeated(sender.attempts)} (seed {seed})")
    verified(run.server)
