"""Topics of Kafka, written by the real librdkafka to its mock cluster."""

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.certs import Authority
from support.kafka import PARTITIONS, Cluster, produce
from support.server import pairs
from support.wait import until

COUNT = 400
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path) as cluster:
        yield cluster


def source(cluster, topics, form="json", name="orders", **more):
    settings = {"name": name, "brokers": cluster.brokers, "group": "logkeep", "topics": topics, "format": form, **more}
    return json.dumps(settings)


def settings(*sources):
    return f"flush:\n  interval: 1s\nsources:\n  kafka: [{', '.join(sources)}]\n"


def documents(word, numbers):
    return [{"value": json.dumps({"message": f"{word} number {n}", "level": "warn", "n": n})} for n in numbers]


def numbers(records):
    return sorted(pairs(record, "attributes")["n"] for record in records)


def ledger(server):
    """Counts of each topic."""
    found = {}
    for line in server.answered("/api/v1/sources", **{"from": "2026-01-01T00:00:00Z"})["sources"]:
        if line["protocol"] == "kafka":
            found[line["sender"]] = line
    return found


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_field_arrives(make_server, cluster, word, compression):
    messages = [
        {**message, "key": f"key {n}", "headers": [("trace", f"t{n}"), ("raw", b"\xff\x00")], "timestamp": 1_795_168_800_000 + n}
        for n, message in enumerate(documents(word, range(COUNT)))
    ]
    placed = produce(cluster.producer(**{"compression.type": compression}), "logs", messages)
    server = make_server(settings=settings(source(cluster, ["logs"]))).start()
    records = server.wait_for(word, COUNT)
    assert numbers(records) == list(range(COUNT))
    for record in records:
        attributes, n = pairs(record, "attributes"), pairs(record, "attributes")["n"]
        assert (record["body"], record["severity"]) == (f"{word} number {n}", "warn")
        assert pairs(record, "resource")["logkeep.protocol"] == "kafka"
        assert record["time_ns"] == str((1_795_168_800_000 + n) * 1_000_000)
        assert (int(attributes["messaging.destination.partition.id"]), attributes["messaging.kafka.offset"]) == placed[n]
        assert attributes["messaging.destination.name"] == "logs"
        assert attributes["messaging.system"] == "kafka"
        assert attributes["messaging.kafka.message.key"] == f"key {n}"
        assert attributes["messaging.header.trace"] == f"t{n}"
    until(lambda: cluster.committed("logkeep", "logs") == COUNT, "the positions are committed")


def test_bad_messages_are_counted_and_left_behind(make_server, cluster, word):
    bad = [{"value": b"{not json"}, {"value": b""}, {"value": None, "key": "tombstone"}]
    produce(cluster.producer(), "logs", bad + documents(word, range(20)) + bad + documents(word, range(20, 40)))
    produce(cluster.producer(), "lines", [{"value": f"{word} line {n}".encode()} for n in range(10)])
    server = make_server(
        settings=settings(source(cluster, ["logs"]), source(cluster, ["lines"], "text", "lines", group="lines"))
    ).start()
    assert numbers(server.wait_for(f"{word} AND number", 40)) == list(range(40))
    server.wait_for(f"{word} AND line", 10)
    until(lambda: cluster.committed("logkeep", "logs") == 46, "the positions are past the bad ones")
    counts = until(lambda: ledger(server) if len(ledger(server)) == 2 else None, "the ledger has both topics")
    assert counts["logs"]["rejected_for"] == {"malformed": 6}
    assert (counts["logs"]["received"], counts["logs"]["stored"]) == (46, 40)
    assert (counts["lines"]["received"], counts["lines"]["stored"]) == (10, 10)
    assert counts["logs"]["peer"] == ",".join(cluster.brokers)


def test_opentelemetry_in_kafka(make_server, cluster, word):
    logs = ExportLogsServiceRequest()
    resource = logs.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    for n in range(30):
        record = resource.scope_logs.add().log_records.add(time_unix_nano=1_795_168_800_000_000_000 + n)
        record.body.string_value = f"{word} log {n}"
        record.attributes.add(key="n").value.int_value = n
    traces = ExportTraceServiceRequest()
    span = traces.resource_spans.add().scope_spans.add().spans.add(name=f"{word} span")
    span.trace_id, span.span_id = bytes.fromhex(TRACE), bytes.fromhex("b7ad6b7169203331")
    span.start_time_unix_nano, span.end_time_unix_nano = 1_795_168_800_000_000_000, 1_795_168_801_000_000_000
    produce(cluster.producer(), "otlp_logs", [{"value": logs.SerializeToString()}, {"value": b"\xff\xff"}])
    produce(cluster.producer(), "otlp_spans", [{"value": traces.SerializeToString()}])
    server = make_server(
        settings=settings(
            source(cluster, ["otlp_logs"], "otlp_logs"),
            source(cluster, ["otlp_spans"], "otlp_traces", "spans", group="spans"),
        )
    ).start()
    records = server.wait_for(word, 30)
    assert numbers(records) == list(range(30))
    assert {record["service"] for record in records} == {"shop"}
    until(lambda: server.get(f"/api/v1/traces/{TRACE}").status == 200, "the span is stored")
    assert [span["name"] for span in server.answered(f"/api/v1/traces/{TRACE}")["spans"]] == [f"{word} span"]


def test_nothing_is_lost_or_stored_twice_over_kills(make_server, cluster, word, setting, say):
    kills = setting("E2E_KAFKA_KILLS", 3)
    server = make_server(settings=settings(source(cluster, ["logs"]))).start()
    producer, sent, ahead = cluster.producer(), 0, 0
    for _ in range(kills):
        produce(producer, "logs", documents(word, range(sent, sent + 3_000)))
        sent += 3_000
        before = sent - 3_000
        until(lambda before=before: len(server.find(word)) > before, "some are stored", 120)
        server.kill()
        committed = cluster.committed("logkeep", "logs")
        server.start()
        stored = len(server.find(word))
        assert committed <= stored, "a position was committed before what is behind it was durable"
        ahead += stored - committed
    produce(producer, "logs", documents(word, [sent]))
    found = until(lambda: (lambda f: f if len(f) > sent else None)(server.find(word)), f"all {sent + 1} are stored", 180)
    assert numbers(found) == list(range(sent + 1))
    until(lambda: cluster.committed("logkeep", "logs") == sent + 1, "the positions are committed")
    assert numbers(server.all_records(word)) == list(range(sent + 1))
    say(f"kafka: {kills} kills, {sent + 1} records stored once; {ahead} were stored and not committed at a kill")
    server.stop()
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_positions_that_were_never_committed(make_server, cluster, word):
    """The group forgets everything: what comes again is known."""
    produce(cluster.producer(), "logs", documents(word, range(2_000)))
    server = make_server(settings=settings(source(cluster, ["logs"]))).start()
    server.wait_for(word, 2_000)
    server.stop()
    # The same source, of the same group, of a cluster that has lost what groups it had.
    with Cluster(server.folder) as other:
        placed = produce(other.producer(), "logs", documents(word, range(2_000)))
        assert len(placed) == 2_000
        config = server.config.read_text().replace(json.dumps(cluster.brokers), json.dumps(other.brokers))
        server.config.write_text(config)
        server.start()
        # Other messages at the same positions are no retries, as their times tell.
        until(lambda: len(server.find(word)) == 4_000, "what is new is stored", 120)
        server.stop()


def test_how_far_behind_it_is(make_server, cluster, word):
    count, partitions = 40_000, [("kafka", "orders", "logs", str(partition)) for partition in range(PARTITIONS)]
    messages = [{**message, "key": str(n)} for n, message in enumerate(documents(word, range(count)))]
    placed = produce(cluster.producer(), "logs", messages)
    ends = {place: 1 + max(offset for partition, offset in placed if str(partition) == place[3]) for place in partitions}
    server = make_server(settings=settings(source(cluster, ["logs"]))).start()
    lag = lambda: server.metric("logkeep_source_lag_messages")
    behind = until(lag, "it is known how far behind it is", every_s=0.001)
    assert sum(behind.values()) > 0
    assert all(0 <= behind[place] <= ends[place] for place in behind)
    until(lambda: lag() == dict.fromkeys(partitions, 0), lambda: f"nothing is left, {lag()}", 180)
    assert server.metric("logkeep_intake_records_stored_total")[("kafka",)] == count


def test_brokers_that_speak_tls(make_server, tmp_path, word):
    """Real handshakes: HAProxy has them for the brokers."""
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    (tmp_path / "brokers").mkdir()
    with Cluster(tmp_path / "brokers", pair=ours.host) as cluster:
        produce(cluster.producer(), "logs", documents(word, range(COUNT)))
        known = make_server(settings=settings(source(cluster, ["logs"], tls={"ca": str(ours.ca)}))).start()
        assert numbers(known.wait_for(word, COUNT)) == list(range(COUNT))
        until(lambda: cluster.committed("logkeep", "logs") == COUNT, "the positions are committed")
        # Of another authority, of an authority that nobody here knows, and without TLS.
        for name, tls in [("others", {"tls": {"ca": str(others.ca)}}), ("nobody", {"tls": {}}), ("plain", {})]:
            refusing = make_server(name, settings=settings(source(cluster, ["logs"], group=name, **tls))).start()
            until(lambda refusing=refusing: "a source cannot be read" in refusing.stderr, f"{name}: it says so")
            assert refusing.find(word) == [], name
            assert ("invalid peer certificate" in refusing.stderr) == ("tls" in tls), refusing.stderr[-2000:]
            refusing.stop()


def test_brokers_that_ask_for_a_certificate(make_server, tmp_path, word):
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    (tmp_path / "brokers").mkdir()

    def shown(authority):
        certificate, key = authority.client("logkeep")
        return {"ca": str(ours.ca), "certificate": str(certificate), "key": str(key)}

    with Cluster(tmp_path / "brokers", pair=ours.host, client_ca=ours.ca) as cluster:
        produce(cluster.producer(), "logs", documents(word, range(COUNT)))
        for name, tls in [("none", {"ca": str(ours.ca)}), ("others", shown(others))]:
            refused = make_server(name, settings=settings(source(cluster, ["logs"], group=name, tls=tls))).start()
            until(lambda refused=refused: "a source cannot be read" in refused.stderr, f"{name}: it says so", 120)
            assert refused.find(word) == [], name
            refused.stop()
        known = make_server(settings=settings(source(cluster, ["logs"], tls=shown(ours)))).start()
        assert numbers(known.wait_for(word, COUNT)) == list(range(COUNT))


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256", "scram-sha-512"])
def test_a_name_and_a_password(make_server, tmp_path, word, mechanism):
    """Asked for by a broker's side of SASL that the tests have, within TLS."""
    ours = Authority(tmp_path / "ours")
    (tmp_path / "brokers").mkdir()
    (tmp_path / "password.right").write_text("open sesame\n")
    (tmp_path / "password.wrong").write_text("open barley\n")

    def shown(password):
        sasl = {"mechanism": mechanism, "user": "logkeep", "password_file": str(tmp_path / f"password.{password}")}
        return {"tls": {"ca": str(ours.ca)}, "sasl": sasl}

    with Cluster(tmp_path / "brokers", pair=ours.host, login=(mechanism.upper(), "logkeep", "open sesame")) as cluster:
        produce(cluster.producer(), "logs", documents(word, range(COUNT)))
        for name, more in [("wrong", shown("wrong")), ("none", {"tls": {"ca": str(ours.ca)}})]:
            refused = make_server(name, settings=settings(source(cluster, ["logs"], group=name, **more))).start()
            until(lambda refused=refused: "a source cannot be read" in refused.stderr, f"{name}: it says so", 120)
            assert refused.find(word) == [], name
            assert ("wrong password" in refused.stderr or "wrong name or password" in refused.stderr) == (name == "wrong")
            assert "barley" not in refused.stderr
            refused.stop()
        known = make_server(settings=settings(source(cluster, ["logs"], **shown("right")))).start()
        assert numbers(known.wait_for(word, COUNT)) == list(range(COUNT))
        assert "sesame" not in known.stderr


def test_members_of_a_group_come_and_go(make_server, cluster, word, say):
    """Two servers with stores of their own share the partitions. Whatever happens, each message is in one of them, and in none
    twice. What one has stored and could not commit the other stores too: after a kill, and here also when a member joins, as
    this broker, unlike Kafka, takes no positions from members that have yet to learn of it."""
    one, two = (make_server(name, settings=settings(source(cluster, ["logs"]))) for name in ["one", "two"])
    producer, sent, shared = cluster.producer(), 0, []

    def send(count):
        nonlocal sent
        messages = documents(word, range(sent, sent + count))
        produce(producer, "logs", [{**message, "key": str(n)} for n, message in enumerate(messages, sent)])
        sent += count

    def stored(server):
        found = numbers(server.find(word))
        assert len(found) == len(set(found)), "a store has a message twice"
        return set(found)

    def stores_more(server):
        """Sends until it has stored something that is new."""
        before = stored(server)
        until(lambda: stored(server) - before or send(20), "it stores some", 120, 0.2)

    def all_committed():
        return cluster.committed("logkeep", "logs") == sent

    def settle(what):
        until(lambda: stored(one) | stored(two) == set(range(sent)), f"{what}: all are stored", 120, 0.2)
        until(all_committed, f"{what}: all positions are committed", 120, 0.2)
        shared.append(len(stored(one) & stored(two)))

    one.start()
    send(1_000)
    stores_more(one)
    two.start()
    send(1_000)
    stores_more(two)
    settle("one joined")
    send(1_000)
    stores_more(two)
    two.stop()
    send(500)
    until(all_committed, "the other one goes on", 120, 0.2)
    two.start()
    stores_more(two)
    settle("one left and came back")
    send(1_000)
    stores_more(two)
    two.kill()
    send(500)
    two.start()
    settle("it was killed")
    say(f"kafka: {sent} messages between two members; in both stores after each change: {shared}")


def test_the_brokers_are_away_for_a_while(make_server, cluster, word):
    server = make_server(settings=settings(source(cluster, ["logs"]))).start()
    producer = cluster.producer()
    produce(producer, "logs", documents(word, range(500)))
    server.wait_for(word, 500)
    cluster.away()
    # It serves others, and starts again without them.
    assert server.ingest([{"message": f"{word} meanwhile"}])["stored"] == 1
    server.stop()
    server.start()
    assert server.get("/readyz").status == 200
    produce(producer, "logs", documents(word, range(500, 1_000)))
    cluster.back()
    found = until(lambda: (lambda f: f if len(f) >= 1_000 else None)(server.find(f"{word} AND number")), "all are stored", 180)
    assert numbers(found) == list(range(1_000))
