"""Kafka's wire protocol without Kafka: the mock cluster that librdkafka has, in a process of its own, and producers for it."""

import contextlib
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from .ports import free_port
from .sasl import AUTHENTICATE, HANDSHAKE, Login
from .wait import until

PARTITIONS = 4

# The cluster lives as long as the client that made it.
CLUSTER = """
import signal, sys
from confluent_kafka import Producer
client = Producer({"test.mock.num.brokers": int(sys.argv[1]), "log_level": 2})
brokers = client.list_topics(timeout=30).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
signal.pause()
"""


API_VERSIONS = 18
# Answered by the mock in bytes that nobody can read, as librdkafka looks at the error code alone.
TOO_NEW = 3
# Of FindCoordinator, JoinGroup, Heartbeat and SyncGroup the mock says that it knows newer versions than these,
# which librdkafka never sends and it cannot read.
READABLE = {10: 2, 11: 5, 12: 3, 14: 3}


def frame(connection):
    """One message of the protocol; None at the end of the connection."""
    whole = b""
    while len(whole) < 4 or len(whole) < 4 + struct.unpack(">i", whole[:4])[0]:
        wanted = 4 - len(whole) if len(whole) < 4 else 4 + struct.unpack(">i", whole[:4])[0] - len(whole)
        more = connection.recv(min(wanted, 1 << 16))
        if not more:
            return None
        whole += more
    return whole


def readable(answer, more=()):
    """An answer about versions, without those that cannot be read, and with those of requests that others answer."""
    (count,) = struct.unpack(">i", answer[10:14])
    versions = [struct.unpack(">hhh", answer[14 + 6 * n : 20 + 6 * n]) for n in range(count)]
    versions = b"".join(struct.pack(">hhh", key, least, min(most, READABLE.get(key, most))) for key, least, most in versions)
    added = b"".join(struct.pack(">hhh", key, 0, 1) for key in more)
    answer = answer[:10] + struct.pack(">i", count + len(more)) + versions + added + answer[14 + 6 * count :]
    return struct.pack(">i", len(answer) - 4) + answer[4:]


class Gate:
    """Stands before one broker: what clients are told of the brokers leads through gates, and a gate can be shut."""

    def __init__(self, broker, login=None):
        self.broker, self.login = broker, login
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ports = {}
        self.shut, self.open = threading.Event(), set()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                if self.shut.is_set():
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.broker))
                self.open |= {client, server}
                asked = set()
                for relay in (self.requests, self.answers):
                    threading.Thread(target=self.relay, args=(relay, client, server, asked), daemon=True).start()

    def relay(self, relay, client, server, asked):
        with contextlib.suppress(OSError):
            relay(client, server, asked)
        for each in (client, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            self.open.discard(each)

    def requests(self, client, server, asked):
        login = Login(*self.login) if self.login else None
        while request := frame(client):
            key, version, correlation, name = struct.unpack(">hhih", request[4:14])
            if login and key in (HANDSHAKE, AUTHENTICATE):
                answer = struct.pack(">i", correlation) + login.answer(key, request[14 + max(name, 0) :])
                client.sendall(struct.pack(">i", len(answer)) + answer)
                continue
            if login and not login.is_known and key != API_VERSIONS:
                return
            if key == API_VERSIONS and version >= TOO_NEW:
                # As a broker says it: in the first version, with the versions it knows.
                client.sendall(struct.pack(">iihihhh", 16, correlation, 35, 1, API_VERSIONS, 0, TOO_NEW - 1))
            else:
                if key == API_VERSIONS:
                    asked.add(correlation)
                server.sendall(request)

    def answers(self, client, server, asked):
        while answer := frame(server):
            if struct.unpack(">i", answer[4:8])[0] in asked:
                answer = readable(answer, (HANDSHAKE, AUTHENTICATE) if self.login else ())
            for broker, gate in self.ports.items():
                place = b"127.0.0.1" + struct.pack(">i", broker)
                answer = answer.replace(place, b"127.0.0.1" + struct.pack(">i", gate))
            client.sendall(answer)

    def close(self):
        self.shut.set()
        for each in list(self.open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Encrypted:
    """HAProxy, which has the handshakes of TLS for brokers that speak none, and sends what is in them to their gates."""

    def __init__(self, folder, gates, pair, client_ca=None):
        self.ports = [free_port() for _ in gates]
        certificate, key = pair
        pem = folder / "broker.pem"
        pem.write_text(Path(certificate).read_text() + Path(key).read_text())
        asked = f" ca-file {client_ca} verify required" if client_ca else ""
        lines = ["defaults", " mode tcp", " timeout connect 10s", " timeout client 1h", " timeout server 1h"]
        for port, gate in zip(self.ports, gates, strict=True):
            lines += [f"listen broker{port}", f" bind 127.0.0.1:{port} ssl crt {pem}{asked}", f" server s 127.0.0.1:{gate.port}"]
        config = folder / "haproxy.cfg"
        config.write_text("\n".join([*lines, ""]))
        with (folder / "haproxy.log").open("wb") as log:
            self.process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdout=log, stderr=log)
        until(self._listens, lambda: f"HAProxy listens; it said: {(folder / 'haproxy.log').read_text()[-2000:]}")

    def _listens(self):
        with contextlib.suppress(OSError):
            for port in self.ports:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        return False

    def close(self):
        self.process.terminate()
        self.process.wait(30)


class Cluster:
    """`pair` is the certificate and key of brokers that speak TLS with those who read; `client_ca` whom these must be known to;
    `login` the mechanism, name and password that they must show."""

    def __init__(self, folder, brokers=2, pair=None, client_ca=None, login=None):
        self.folder, self.count, self.login = Path(folder), brokers, login
        self.pair, self.client_ca, self.encrypted = pair, client_ca, None

    def __enter__(self):
        with (self.folder / "kafka.err").open("wb") as err:
            command = [sys.executable, "-c", CLUSTER, str(self.count)]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
        self.inside = self.process.stdout.readline().strip().split(",")
        assert self.process.poll() is None, (self.folder / "kafka.err").read_text()
        self.gates = [Gate(int(place.rsplit(":", 1)[1]), self.login) for place in self.inside]
        ports = [gate.port for gate in self.gates]
        if self.pair:
            self.encrypted = Encrypted(self.folder, self.gates, self.pair, self.client_ca)
            ports = self.encrypted.ports
        for gate in self.gates:
            gate.ports = {each.broker: port for each, port in zip(self.gates, ports, strict=True)}
        self.brokers = [f"127.0.0.1:{port}" for port in ports]
        return self

    def __exit__(self, *_):
        if self.encrypted:
            self.encrypted.close()
        self.away()
        for gate in self.gates:
            gate.listener.close()
        self.process.kill()
        self.process.wait()

    def away(self):
        """For those who read; who writes does so behind the gates."""
        for gate in self.gates:
            gate.close()

    def back(self):
        for gate in self.gates:
            gate.shut.clear()

    def producer(self, **settings):
        return Producer({"bootstrap.servers": ",".join(self.inside), "linger.ms": 5, **settings})

    def committed(self, group, topic):
        """The positions that a group has committed, all partitions together."""
        consumer = Consumer({"bootstrap.servers": ",".join(self.inside), "group.id": group})
        try:
            places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            return sum(max(place.offset, 0) for place in consumer.committed(places, timeout=30))
        finally:
            consumer.close()


def produce(producer, topic, messages):
    """Sends messages (keyword arguments of `produce`) and gives back where each was put, in their order."""
    placed = [None] * len(messages)

    def done(place):
        def delivered(error, message):
            assert error is None, error
            placed[place] = (message.partition(), message.offset())

        return delivered

    for place, message in enumerate(messages):
        producer.produce(topic, on_delivery=done(place), **message)
        producer.poll(0)
    until(lambda: producer.flush(1) == 0, "everything is produced")
    assert None not in placed
    return placed
