"""Writers to queues while a test goes on: batch after batch, some messages bad, the queue cut off when it is asked for."""

import json
import random
import threading

from .kafka import produce

TOPIC, STREAM, GROUP = "chaos", "CHAOS", "logkeep"


class Feed(threading.Thread):
    """What both kinds have in common. `done` ends it; the queue can be reached then."""

    def __init__(self, queue, done, seed):
        super().__init__(daemon=True)
        self.queue, self.done, self.chance = queue, done, random.Random(seed)
        self.good, self.bad, self.cuts, self.faults = 0, 0, 0, []
        # Set to have the queue cut off once, from its reader or from everybody.
        self.cut = threading.Event()

    def run(self):
        try:
            while not self.done.is_set():
                self.write_some()
                if self.cut.is_set():
                    self.cut.clear()
                    self.cuts += 1
                    self.cut_off()
                self.done.wait(0.1)
        except Exception as fault:
            self.faults.append(f"{self.protocol}: {fault!r}")

    def write_some(self):
        count = self.chance.randrange(1, 40)
        numbers = range(self.good, self.good + count)
        messages = [json.dumps({"message": f"chaos {self.protocol} {n}"}).encode() for n in numbers]
        bad = [b"{broken"] * self.chance.randrange(3)
        for each in bad:
            messages.insert(self.chance.randrange(len(messages)), each)
        self.write(messages)
        self.good, self.bad = self.good + count, self.bad + len(bad)


class KafkaFeed(Feed):
    protocol = "kafka"

    def __init__(self, cluster, done, seed):
        super().__init__(cluster, done, seed)
        self.producer = cluster.producer()
        self.source = {"name": "topics", "brokers": cluster.brokers, "group": GROUP, "topics": [TOPIC], "format": "json"}
        self.peer = ",".join(cluster.brokers)

    def write(self, messages):
        produce(self.producer, TOPIC, [{"value": message} for message in messages])

    def cut_off(self):
        self.queue.away()
        self.done.wait(0.1)
        self.queue.back()

    def all_read(self):
        return self.queue.committed(GROUP, TOPIC) == self.good + self.bad


class NatsFeed(Feed):
    protocol = "nats"

    def __init__(self, nats, done, seed):
        super().__init__(nats, done, seed)
        nats.make_stream(STREAM, ["chaos.>"])
        self.source = {"name": "subjects", "servers": [nats.url], "group": GROUP, "stream": STREAM, "format": "json"}
        self.peer = f"127.0.0.1:{nats.port}"

    def write(self, messages):
        self.queue.publish([("chaos.web", message, None) for message in messages])

    def cut_off(self):
        self.queue.kill()
        self.queue.start()

    def all_read(self):
        return self.queue.all_acked(STREAM, GROUP)
