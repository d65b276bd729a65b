"""Kafka and NATS for `logkeep-bench receivers`: one of them is filled with the lines of a file and waits to be read.

Run by the interpreter of the end-to-end tests, whose brokers these are:

    e2e/.venv/bin/python bench/queue_driver.py --kind nats --file mesh.ndjson --folder FOLDER

When everything is in it prints `ready: ` and the section `sources` of the configuration, and lives until its own
standard input ends. Kafka is the mock cluster that librdkafka has, behind a relay in Python, so its time says little
and the server's CPU time is what counts. NATS is the real server with JetStream in files.
"""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from support.kafka import PARTITIONS, Cluster
from support.nats import NatsServer

# The mock forgets what is over 5 MiB, or over 100,000 messages, in a partition, and messages are not spread evenly: with 3 MB
# each on average two runs of three lost some.
TOPIC_BYTES = PARTITIONS * 1_500_000
FLUSH_EVERY = 1_000


def ready(kind, source):
    settings = {"name": "bench", "group": "logkeep", "format": "json", **source}
    print("ready: " + json.dumps({kind: [settings]}), flush=True)
    sys.stdin.read()


def produce(producer, topics, lines):
    failed = []

    def delivered(error, _):
        if error is not None:
            failed.append(error)

    count = 0
    for count, line in enumerate(lines, 1):
        while True:
            try:
                producer.produce(topics[count % len(topics)], line, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(120)
    assert not failed and not left, f"of {count} messages {len(failed)} failed and {left} wait: {failed[:1]}"


def kafka(file, folder):
    topics = [f"logs-{place}" for place in range(file.stat().st_size // TOPIC_BYTES + 1)]
    with Cluster(folder) as cluster, file.open("rb") as lines:
        # As librdkafka has it by default, but for its patience with a batch.
        produce(cluster.producer(), topics, (line.rstrip(b"\n") for line in lines))
        ready("kafka", {"brokers": cluster.brokers, "topics": topics})


def nats(file, folder):
    with NatsServer(folder) as server, file.open("rb") as lines:
        server.make_stream("LOGS", ["logs.>"])

        async def publish(client, stream):
            count = 0
            for count, line in enumerate(lines, 1):
                await client.publish("logs.mesh", line.rstrip(b"\n"))
                if count % FLUSH_EVERY == 0:
                    # A core publish is not acknowledged: what the stream has is asked for.
                    await client.flush(60)
            await client.flush(60)
            stored = (await stream.stream_info("LOGS")).state.messages
            assert stored == count, f"the stream has {stored} of {count} messages"

        server.run(publish)
        ready("nats", {"servers": [server.url], "stream": "LOGS"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["kafka", "nats"], required=True)
    parser.add_argument("--file", type=pathlib.Path, required=True, help="a line a message")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="for the broker")
    arguments = parser.parse_args()
    {"kafka": kafka, "nats": nats}[arguments.kind](arguments.file, arguments.folder)


if __name__ == "__main__":
    main()
