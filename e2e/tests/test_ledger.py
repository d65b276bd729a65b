"""The loss ledger: it balances whatever happens, and it says of whom and when."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from support.feeds import KafkaFeed, NatsFeed
from support.kafka import Cluster
from support.nats import NatsServer
from support.senders import ANSWERED, DATAGRAMS, SENDERS
from support.server import BINARY
from support.wait import until

# Flushes and joined batches under the kills too; old files of the log go.
SETTINGS = "flush:\n  bytes: 1MiB\n  interval: 1s\nlog:\n  level: warn\n"
PER_REQUEST = 8
ALL = {"from": "2026-01-01T00:00:00Z", "series": "minute", "limit": 5_000}
MINUTE_NS = 60_000_000_000


class Chaos(threading.Thread):
    """Sends request after request of one protocol, breaks some off, and hangs up before some answers."""

    def __init__(self, sender, run, seed):
        super().__init__(daemon=True)
        self.sender, self.run_, self.chance = sender, run, random.Random(seed)
        # Records of requests that were answered with success; stored each, and perhaps more than once.
        self.acked, self.broken, self.hung_up, self.requests = 0, 0, 0, 0
        self.last, self.faults = None, []

    def run(self):
        try:
            number = 0
            while not self.run_.done.is_set():
                self.run_.up.wait(1)
                number += 1
                try:
                    self.send(number)
                except OSError:
                    # The server was just killed, or ended the connection.
                    self.run_.done.wait(0.01)
        except Exception as fault:
            self.faults.append(f"{self.sender.protocol}: {fault!r}")

    def send(self, number):
        if self.last is None or self.chance.random() < 0.85:
            count = self.chance.randrange(1, PER_REQUEST)
            texts = [f"chaos {self.sender.protocol} {number} {place}" for place in range(count)]
            self.last = count, self.sender.message(number, texts)
        # Otherwise the last one again, as if its answer had been lost.
        count, message = self.last
        with socket.create_connection(("127.0.0.1", self.run_.ports[self.sender.port]), timeout=60) as connection:
            self.requests += 1
            fate = self.chance.random()
            if fate < 0.15:
                connection.sendall(message[: self.chance.randrange(1, len(message))])
                self.broken += 1
                return
            connection.sendall(message)
            if fate < 0.3:
                self.hung_up += 1
                return
            if self.sender.content(self.sender.answered(connection, count)):
                self.acked += count


class Datagrams(threading.Thread):
    def __init__(self, run):
        super().__init__(daemon=True)
        self.run_, self.faults = run, []

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            number = 0
            while not self.run_.done.is_set():
                for _, port, message in DATAGRAMS:
                    sender.sendto(message(f"chaos datagram {number}"), ("127.0.0.1", self.run_.ports[port]))
                number += 1
                self.run_.done.wait(0.002)


class Run:
    def __init__(self, done):
        self.up, self.done, self.ports = threading.Event(), done, {}


def stored_by_protocol_and_minute(server):
    """What a query finds: (protocol, minute of arrival) to records."""
    found = Counter()
    for table in ("logs", "spans"):
        sql = f'select "logkeep.protocol", cast(received as bigint) / {MINUTE_NS}, count(*) from {table} group by 1, 2'
        for protocol, minute, count in server.sql(sql)["rows"]:
            found[protocol or "logkeep", int(minute)] += count
    return found


def counted(told):
    """The same as the ledger has it."""
    found = Counter()
    for source in told["sources"]:
        for line in source["series"]:
            minute = datetime.fromisoformat(line["time"][:19] + "+00:00").timestamp() // 60
            if line["stored"]:
                found[source["protocol"], int(minute)] += line["stored"]
    return found


def check_lines(told):
    assert told["balanced"] and not told["more"], told["totals"]
    for source in told["sources"]:
        for line in [source, *source["series"]]:
            rejected, dropped = sum(line["rejected_for"].values()), sum(line["dropped_for"].values())
            assert (rejected, dropped) == (line["rejected"], line["dropped"]), line
            became = line["stored"] + line["deduplicated"] + line["deferred"] + rejected + dropped
            assert line["received"] == became and line["balanced"], line
        for name in ("received", "stored", "deduplicated", "deferred", "rejected", "dropped", "bytes"):
            assert source[name] == sum(line[name] for line in source["series"]), (name, source)


def compare(server):
    """The ledger and what is stored, once nothing is under way."""

    def equal():
        told = server.answered("/api/v1/sources", **ALL)
        found = stored_by_protocol_and_minute(server)
        return told if counted(told) == found else None

    def differ():
        found, told = stored_by_protocol_and_minute(server), server.answered("/api/v1/sources", **ALL)
        ledger = counted(told)
        return f"the ledger agrees with the records: {found - ledger} are not in it, {ledger - found} are not there"

    return until(equal, differ, every_s=0.3)


def stored_of(server, protocol):
    """The records of a protocol that are there, and how many differ."""
    of = f"""from logs where "logkeep.protocol" = '{protocol}'"""
    [[count, texts]] = server.sql(f"select count(*), count(distinct body) {of}")["rows"]
    return int(count), int(texts)


@pytest.fixture
def seed(setting):
    return setting("E2E_SEED", random.randrange(1 << 32))


@pytest.fixture
def feeds(tmp_path, seed):
    """Of a Kafka and a NATS, not yet started."""
    with Cluster(tmp_path) as cluster, NatsServer(tmp_path) as nats:
        done = threading.Event()
        feeds = [KafkaFeed(cluster, done, seed), NatsFeed(nats, done, seed + 1)]
        yield feeds
        done.set()
        for feed in feeds:
            feed.join(60)


def test_the_ledger_balances_after_kills_and_broken_connections_of_every_protocol(make_server, feeds, seed, say, setting):
    kills = setting("E2E_LEDGER_KILLS", 4)
    chance = random.Random(seed)
    run = Run(feeds[0].done)
    sources = {feed.protocol: [feed.source] for feed in feeds}
    server = make_server(settings=f"{SETTINGS}sources: {json.dumps(sources)}\n").start()
    run.ports = server.ports()
    senders = [Chaos(sender, run, chance.random()) for sender in SENDERS]
    others = [Datagrams(run), *feeds]
    run.up.set()
    for sender in senders + others:
        sender.start()
    requests = lambda: [sender.requests for sender in senders]
    faults = lambda: [fault for sender in senders + others for fault in sender.faults]
    for round_ in range(kills + 1):
        goals = [count + chance.randrange(5, 25) for count in requests()]
        progressed = lambda goals=goals: all(n >= goal for n, goal in zip(requests(), goals, strict=True)) or faults()
        until(progressed, lambda goals=goals: f"all senders make progress: {requests()} of {goals}", 240)
        if round_ == 0:
            # After a kill a group waits for its dead member first; the other kills come while it does.
            reading = lambda: all(stored_of(server, feed.protocol)[0] > 0 for feed in feeds) or faults()
            until(reading, "the queues are being read", every_s=0.1)
        if round_ == kills:
            break
        for feed in chance.sample(feeds, chance.randrange(3)):
            feed.cut.set()
        run.up.clear()
        server.kill()
        server.start()
        run.ports = server.ports()
        run.up.set()
    run.done.set()
    for sender in senders + others:
        sender.join(90)
        assert not sender.is_alive()
    assert not faults(), faults()
    for feed in feeds:
        until(feed.all_read, f"everything in {feed.protocol} is read", every_s=0.3)
        assert stored_of(server, feed.protocol) == (feed.good, feed.good), f"{feed.protocol}, seed {seed}"
    told = compare(server)
    check_lines(told)

    peers = {feed.protocol: feed.peer for feed in feeds}
    acked, stored, rejected = Counter(), Counter(), Counter()
    for sender in senders:
        acked[sender.sender.protocol] += sender.acked
    for source in told["sources"]:
        stored[source["protocol"]] += source["stored"] + source["deduplicated"]
        rejected[source["protocol"]] += source["rejected"]
        if source["protocol"] != "logkeep":
            assert source["peer"] == peers.get(source["protocol"], "127.0.0.1") and not source["others"], source
            assert source["last_seen"] and source["silent_seconds"] >= 0, source
    for protocol, count in acked.items():
        # A crash may lose lines of retries that were known, and no others that were acked.
        known = any(sender.sender.known_again for sender in senders if sender.sender.protocol == protocol)
        assert known or stored[protocol] >= count, (protocol, count, stored[protocol], f"seed {seed}")
    assert all(acked[sender.protocol] > 0 for sender in ANSWERED), acked
    for sender in SENDERS + feeds:
        assert not sender.bad or rejected[sender.protocol] > 0, (sender.protocol, rejected)

    server.stop()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    server.start()
    again = compare(server)
    check_lines(again)
    for name in ("rejected", "dropped", "deduplicated", "deferred"):
        assert again["totals"][name] == told["totals"][name], f"an orderly stop loses no line: {name}"
    broken, hung_up = sum(sender.broken for sender in senders), sum(sender.hung_up for sender in senders)
    totals = {name: again["totals"][name] for name in ("received", "stored", "deduplicated", "rejected", "dropped")}
    queued, cuts = sum(feed.good for feed in feeds), sum(feed.cuts for feed in feeds)
    done = f"{kills} kills, {broken} requests broken off, {hung_up} answers not read"
    say(f"ledger: {done}, {queued} messages of queues that were cut off {cuts} times, {totals} (seed {seed})")


def test_exactly_what_was_rejected_is_named_for_its_source_and_minute(server):
    events = '{"event":"good"}' * 20
    bad = '{"message":1}' * 7
    with server.connect() as connection:
        for agent, body in (("shipper-a/1", events + bad), ("shipper-b/2", events)):
            answer = connection.post("/services/collector/event", body.encode(), {"user-agent": agent})
            assert answer.status == (400 if agent == "shipper-a/1" else 200), answer.text
    told = server.answered("/api/v1/sources", protocol="splunk-hec", series="minute")
    check_lines(told)
    found = {source["sender"]: source for source in told["sources"]}
    assert sorted(found) == ["shipper-a/1", "shipper-b/2"]
    assert found["shipper-a/1"]["rejected_for"] == {"malformed": 7} and found["shipper-a/1"]["received"] == 27
    assert found["shipper-b/2"]["rejected_for"] == {} and found["shipper-b/2"]["stored"] == 20
    (line,) = found["shipper-a/1"]["series"]
    (arrived,) = {record["received"][:16] for record in server.find("good") if record["received"]}
    assert line["time"][:16] == arrived and line["rejected"] == 7
    # What is stored nowhere survives a kill once it had its second, and any orderly stop.
    server.stop()
    server.start()
    again = server.answered("/api/v1/sources", protocol="splunk-hec")
    assert [source["rejected_for"] for source in again["sources"] if source["rejected"]] == [{"malformed": 7}]


def test_what_the_kernel_drops_while_the_server_is_held_up_is_counted(server):
    port, pid = server.ports()["syslog-udp"], server.pid()
    # What a socket gets at most, doubled for what the kernel itself needs.
    room = 2 * min(int(Path("/proc/sys/net/core/rmem_max").read_text()), 8 << 20)
    count = 2 * room // 8_000
    os.kill(pid, signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for n in range(count):
                sender.sendto(f"<13>1 2026-11-20T10:00:00Z web-1 app 7 - - {n} {'x' * 8_000}".encode(), ("127.0.0.1", port))
    finally:
        os.kill(pid, signal.SIGCONT)

    def told():
        return server.answered("/api/v1/sources", protocol="syslog")

    until(lambda: told()["totals"]["received"] >= count, lambda: f"{count} are counted: {told()['totals']}")
    check = told()
    assert check["balanced"] and check["totals"]["received"] == count, check["totals"]
    by_peer = {source["peer"]: source for source in check["sources"]}
    stored, dropped = by_peer["127.0.0.1"]["stored"], by_peer[None]["dropped_for"]["kernel_full"]
    assert stored > 0 and dropped > 0 and stored + dropped == count, (stored, dropped, count)


def test_the_command_prints_it(server):
    server.ingest([{"message": f"line {n}"} for n in range(5)])
    command = [str(BINARY), "sources", "--protocol", "ndjson", "--format"]

    def printed(*arguments):
        ran = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=60, check=True, env=server.environment
        )  # fmt: skip
        return ran.stdout

    table = printed("table")
    assert "127.0.0.1" in table and "received" in table, table
    csv = printed("csv", "--per-minute")
    header, row = (line.split(",") for line in csv.strip().splitlines())
    line = dict(zip(header, row, strict=True))
    assert (line["protocol"], line["received"], line["stored"]) == ("ndjson", "5", "5"), line
