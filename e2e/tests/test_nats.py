"""Subjects of NATS, from the real nats-server, published by nats-py."""

import json

from support.certs import Authority
from support.nats import NatsServer
from support.server import pairs
from support.wait import until

COUNT = 300


def settings(**source):
    source = {"name": "edge", "group": "logkeep", "format": "json", **source}
    return f"flush:\n  interval: 1s\nsources:\n  nats: [{json.dumps(source)}]\n"


def documents(word, numbers, subject="logs.web"):
    return [
        (subject, json.dumps({"message": f"{word} number {n}", "level": "error", "n": n}).encode(), {"trace": f"t{n}"})
        for n in numbers
    ]


def numbers(records):
    return sorted(pairs(record, "attributes")["n"] for record in records)


def ledger(server):
    lines = server.answered("/api/v1/sources", **{"from": "2026-01-01T00:00:00Z"})["sources"]
    return [line for line in lines if line["protocol"] == "nats"]


def test_every_field_arrives(make_server, tmp_path, word):
    with NatsServer(tmp_path) as nats:
        nats.make_stream("LOGS", ["logs.>"])
        bad = [("logs.web", b"{not json", None), ("logs.web", b"", None)]
        placed = nats.publish(documents(word, range(COUNT)) + bad)
        server = make_server(settings=settings(servers=[nats.url], stream="LOGS")).start()
        records = server.wait_for(word, COUNT)
        assert numbers(records) == list(range(COUNT))
        for record in records:
            attributes, n = pairs(record, "attributes"), pairs(record, "attributes")["n"]
            assert (record["body"], record["severity"]) == (f"{word} number {n}", "error")
            assert pairs(record, "resource")["logkeep.protocol"] == "nats"
            assert attributes["messaging.system"] == "nats"
            assert attributes["messaging.destination.name"] == "logs.web"
            assert (attributes["messaging.nats.stream"], attributes["messaging.nats.sequence"]) == ("LOGS", placed[n])
            assert attributes["messaging.header.trace"] == f"t{n}"
        until(lambda: nats.all_acked("LOGS", "logkeep"), "everything is acked, the bad ones too")
        line = until(lambda: (lambda lines: lines and lines[0])(ledger(server)), "the ledger has it")
        assert line["sender"] == "LOGS"
        assert line["rejected_for"] == {"malformed": 2}
        assert (line["received"], line["stored"]) == (COUNT + 2, COUNT)


def test_how_far_behind_it_is(make_server, tmp_path, word):
    with NatsServer(tmp_path) as nats:
        nats.make_stream("LOGS", ["logs.>"])
        server = make_server(settings=settings(servers=[nats.url], stream="LOGS")).start()
        lag = lambda: server.metric("logkeep_source_lag_messages")
        until(lambda: lag() == {("nats", "edge", "LOGS"): 0}, "nothing is there")
        server.stop()
        # Its consumer is there, and what comes meanwhile waits.
        nats.publish(documents(word, range(5_000)))
        server.start()
        [behind] = until(lambda: list(lag().values()), "it is known how far behind it is", every_s=0.001)
        assert 0 < behind <= 5_000
        until(lambda: lag() == {("nats", "edge", "LOGS"): 0}, lambda: f"nothing is left, {lag()}")
        assert server.metric("logkeep_intake_records_stored_total")[("nats",)] == 5_000


def test_only_some_subjects_of_a_stream(make_server, tmp_path, word):
    with NatsServer(tmp_path) as nats:
        nats.make_stream("LOGS", ["logs.>"])
        mixed = [each for n in range(0, 60, 2) for each in (*documents(word, [n]), *documents(word, [n + 1], "logs.db"))]
        nats.publish(mixed)
        server = make_server(settings=settings(servers=[nats.url], stream="LOGS", subject="logs.db")).start()
        assert numbers(server.wait_for(word, 30)) == list(range(1, 60, 2))


def test_nothing_is_lost_or_stored_twice_over_kills(make_server, tmp_path, word, setting, say):
    kills = setting("E2E_NATS_KILLS", 3)
    with NatsServer(tmp_path) as nats:
        nats.make_stream("LOGS", ["logs.>"])
        server = make_server(settings=settings(servers=[nats.url], stream="LOGS")).start()
        sent = 0
        for _ in range(kills):
            nats.publish(documents(word, range(sent, sent + 1_500)))
            until(lambda sent=sent: len(server.find(word)) > sent, "some are stored", 120)
            server.kill()
            sent += 1_500
            server.start()
        nats.publish(documents(word, [sent]))
        until(lambda: nats.all_acked("LOGS", "logkeep"), "everything is acked", 180, 0.5)
        assert numbers(server.wait_for(word, sent + 1)) == list(range(sent + 1))
        say(f"nats: {kills} kills, {sent + 1} records stored once")


def test_the_queue_is_killed(make_server, tmp_path, word):
    with NatsServer(tmp_path) as nats:
        nats.make_stream("LOGS", ["logs.>"])
        server = make_server(settings=settings(servers=[nats.url], stream="LOGS")).start()
        nats.publish(documents(word, range(400)))
        server.wait_for(word, 400)
        until(lambda: nats.all_acked("LOGS", "logkeep"), "everything is acked")
        nats.kill()
        assert server.ingest([{"message": f"{word} meanwhile"}])["stored"] == 1
        nats.start()
        nats.publish(documents(word, range(400, 800)))
        until(lambda: nats.all_acked("LOGS", "logkeep"), "everything is acked", 120, 0.5)
        assert numbers(server.wait_for(f"{word} AND number", 800)) == list(range(800))


def test_a_subject_without_a_stream(make_server, tmp_path, word):
    with NatsServer(tmp_path) as nats:
        server = make_server(settings=settings(servers=[nats.url], subject="app.>", format="text")).start()
        until(lambda: "without a stream" in server.stderr, "it says what it cannot promise")
        nats.say([("app.web", f"{word} line {n}".encode()) for n in range(200)])
        records = server.wait_for(word, 200)
        assert {pairs(record, "attributes")["messaging.destination.name"] for record in records} == {"app.web"}
        assert sorted(record["body"] for record in records) == sorted(f"{word} line {n}" for n in range(200))


def test_tls_and_a_password(make_server, tmp_path, word):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.host
    security = ["--tls", "--tlscert", str(certificate), "--tlskey", str(key), "--user", "logkeep", "--pass", "open sesame"]
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    with NatsServer(tmp_path, *security, scheme="tls") as nats:
        options = {"user": "logkeep", "password": "open sesame", "tls": authority.context()}
        nats.make_stream("LOGS", ["logs.>"], **options)
        nats.publish(documents(word, range(50)), **options)
        source = {"servers": [nats.url], "stream": "LOGS", "user": "logkeep", "password_file": str(password)}
        untrusting = make_server("untrusting", settings=settings(**source)).start()
        until(lambda: "a source cannot be read" in untrusting.stderr, "an unknown authority is refused")
        assert untrusting.find(word) == []
        server = make_server(settings=settings(**source, tls={"ca": str(authority.ca)})).start()
        assert numbers(server.wait_for(word, 50)) == list(range(50))
        assert "sesame" not in server.stderr + untrusting.stderr
