"""Senders that repeat themselves until they hear an ack, while the server is killed."""

import threading
from collections import Counter

from .wait import until

# Flushes under the kills too.
SETTINGS = "flush:\n  bytes: 1MiB\n  interval: 1s\nlog:\n  level: warn\n"


class Repeating(threading.Thread):
    """Sends some texts after the other, each time again until they are acked. `deliver` says whether they were."""

    def __init__(self, run, name, deliver, together=8):
        super().__init__(daemon=True)
        self.run_, self.word, self.deliver, self.together = run, f"{run.word} {name}", deliver, together
        # How often each text was sent, at most so often is it stored.
        self.attempts, self.acked, self.faults = Counter(), 0, []

    def run(self):
        number = 0
        while not self.run_.done.is_set() and not self.faults:
            number += 1
            texts = [f"{self.word} {number} {place}" for place in range(self.together)]
            try:
                self.send(number, texts)
            except Exception as fault:
                self.faults.append(f"{self.word}: {fault!r}")

    def send(self, number, texts):
        while True:
            self.run_.up.wait()
            self.attempts.update(texts)
            try:
                if self.deliver(number, texts):
                    self.acked += len(texts)
                    return
            except OSError:
                # Until the killer has noticed that it killed.
                self.run_.over.wait(0.005)


class Run:
    def __init__(self, server, word):
        self.word, self.server, self.ports = word, server, server.ports()
        self.up, self.done, self.over = threading.Event(), threading.Event(), threading.Event()
        self.up.set()

    def kill_while(self, senders, kills, chance):
        """Kills the server at random moments, each time after every sender has heard an ack again, and ends the senders."""
        acked = lambda: [sender.acked for sender in senders]
        faults = lambda: [fault for sender in senders for fault in sender.faults]
        for round_ in range(kills + 1):
            goals = [count + chance.randrange(1, 60) for count in acked()]
            progressed = lambda goals=goals: all(n >= goal for n, goal in zip(acked(), goals, strict=True)) or faults()
            until(progressed, lambda goals=goals: f"all hear acks: {acked()} of {goals}", 120)
            if round_ < kills:
                # Not only right behind an ack: anywhere in the milliseconds after it.
                self.over.wait(chance.random() * 0.03)
                self.up.clear()
                self.server.kill()
                self.server.start()
                self.ports = self.server.ports()
                self.up.set()
        self.done.set()
        for sender in senders:
            sender.join(60)
            assert not sender.is_alive()
        assert not faults(), faults()

    def stored(self):
        """How often each text is there."""
        return Counter(record["body"] for record in self.server.all_records(self.word))


def check(found, attempts, once, seed):
    """All senders ended with an ack, so all that was ever sent is there, and nothing else."""
    lost = [text for text in attempts if text not in found]
    more = [text for text, times in found.items() if times > (1 if once else attempts[text])]
    assert not lost and not more, f"seed {seed}: lost {lost[:5]}, stored too often {more[:5]}"


def repeated(attempts):
    return f"{sum(times > 1 for times in attempts.values())} of {len(attempts)} were sent again"


def verified(server):
    server.stop()
    told = server.verify()
    assert told.returncode == 0, told.stdout + told.stderr
