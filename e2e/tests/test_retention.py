"""Retention and legal holds: two people shorten and release, what is old goes, what is held stays, and verify names the rest."""

import json
import sqlite3
import subprocess
import urllib.parse

import pytest
from support.http import Connection
from support.notes import verified
from support.people import CLOSED, PASSWORD, Client, administrator, approved, decide, machine, person
from support.server import BINARY, EVERYTHING
from support.thief import Thief
from support.wait import until

OLD, NEW = 40, 20
RETENTION, HOLDS = "/tenants/default/retention", "/tenants/default/holds"
NOTES = (
    'select event_name, "audit.object", "audit.statement", "audit.hold" from audit '
    "where event_name like 'audit.retention.%' or event_name like 'audit.hold.%' order by time"
)
# The clock of the process, as the system's is not ours to set.
THREE_DAYS_AGO = ["faketime", "-f", "-3d"]


class Kept:
    """A server that has records and a span of three days ago, and records of today."""

    def __init__(self, make_server):
        self.server = make_server(settings=CLOSED, listen={"zipkin": '{address: "127.0.0.1:0", plaintext: true}'})
        self.server.wrap = THREE_DAYS_AGO
        self.server.start()
        root = administrator(self.server)
        self.bob = person(self.server, root, "bob", "administrator")
        self.ann = person(self.server, root, "ann", "analyst", "auditor")
        self.send("old", OLD)
        span = {"traceId": "1" * 32, "id": "2" * 16, "name": "old", "timestamp": 1_795_168_800_000_000, "duration": 5}
        receivers = {receiver["protocol"]: receiver for receiver in self.ann.call("GET", "/status").json()["receivers"]}
        with Connection(f"http://{receivers['zipkin']['address']}") as connection:
            sent = connection.post("/api/v2/spans", json.dumps([span]).encode(), {"content-type": "application/json"})
            assert sent.status == 202, sent.text
        self.again([])
        self.send("new", NEW)

    def again(self, wrap):
        self.server.stop()
        self.server.wrap = wrap
        self.server.start()
        for who in ["root", "bob", "ann"]:
            setattr(self, who, Client(self.server).sign_in("/session", {"user": who, "password": PASSWORD}))

    def send(self, word, count):
        self.server.ingest([{"message": f"{word} {number}", "service": word} for number in range(count)])

    def listed(self, q):
        parameters = urllib.parse.urlencode({"q": q, "limit": 1_000, **EVERYTHING})
        return self.ann.call("GET", f"/logs?{parameters}").json()["records"]

    def counts(self):
        """The same by the list and by SQL."""
        listed = self.listed("*")
        counted = self.ann.call("POST", "/sql", {"sql": "select count(*) from logs"}).json()["rows"][0][0]
        assert len(listed) == counted, "the list and SQL agree"
        return counted

    def trail(self, event):
        rows = self.ann.call("POST", "/sql", {"sql": NOTES}).json()["rows"]
        names = ["event", "object", "statement", "hold"]
        return [note for note in (dict(zip(names, row)) for row in rows) if note["event"] == event]

    def told(self, class_name):
        return [note for note in self.trail("audit.retention.destroyed") if f"`{class_name}`" in note["object"]]


@pytest.fixture
def kept(make_server):
    return Kept(make_server)


def refused_for_one(kept, request):
    """Whoever asked, a token of theirs, and one who has seen something else cannot approve it."""
    for who in [kept.root, machine(kept.server, kept.root, "administrator"), kept.ann]:
        assert decide(who, request).status in (403, 409)
    assert decide(kept.bob, {**request, "hash": "0" * 64}).status == 409


def test_two_people_shorten_it_a_hold_stops_it_and_two_release_that(kept):
    thief = Thief(kept.server.data, kept.server.key)
    are_old = ("default/default/", "default/spans/")
    contexts = sorted(path for path in thief.segments("default") if path.startswith(are_old))
    assert len(contexts) > 1 and set(contexts) <= thief.opens(contexts), "or nothing is shown below"
    placed = kept.root.call("POST", HOLDS, {"reason": "case 7", "class": "default"})
    assert placed.status == 200, placed.text
    hold = placed.json()["hold"]
    [shown] = kept.ann.call("GET", HOLDS).json()["holds"]
    assert (shown["id"], shown["class"], shown["reason"], shown["by"]) == (hold, "default", "case 7", "root")
    destroy = kept.root.call("DELETE", "/tenants/default/keys")
    assert destroy.status == 409 and f"is held by `{hold}` (case 7)" in destroy.text

    for class_name in ["default", "spans"]:
        asked = kept.root.call("PUT", RETENTION, {"class": class_name, "days": 1})
        assert asked.status == 202, asked.text
        request = asked.json()["approval"]
        assert request["text"] == (
            f'{{"act":"set_retention","tenant":"default","class":"{class_name}","days":1,"was":{{"days":null}}}}'
        )
        refused_for_one(kept, request)
        before = [] if class_name == "default" else [{"class": "default", "days": 1}]
        assert kept.ann.call("GET", RETENTION).json()["retention"] == before
        done = decide(kept.bob, request)
        assert done.status == 200 and done.json() == {"tenant": "default", "class": class_name, "days": 1}, done.text
        assert decide(kept.bob, request).status == 404, "once"
    until(lambda: kept.told("spans"), "the span of three days ago is destroyed", 60)
    assert kept.counts() == OLD + NEW and kept.told("default") == [], "which is held"

    asked = kept.root.call("DELETE", f"{HOLDS}/{hold}")
    assert asked.status == 202, asked.text
    refused_for_one(kept, asked.json()["approval"])
    assert kept.counts() == OLD + NEW
    assert approved(kept.bob, asked).status == 200
    until(lambda: kept.told("default"), "what is old is destroyed", 60)
    assert kept.counts() == NEW and kept.listed("old*") == []
    assert kept.ann.call("GET", HOLDS).json()["holds"] == []
    says = verified(kept.told("default")[0]["statement"], (kept.server.data / "tlog/public-key").read_text())
    assert (says["tenant"], says["class"]) == ("default", "default")
    assert says["range"].split()[:3] == ["0", says["range"].split()[1], str(OLD)]
    for event in ["audit.hold.placed", "audit.hold.released"]:
        assert [note["hold"] for note in kept.trail(event)] == [hold]

    for _ in range(2):
        checked = kept.server.verify()
        assert checked.returncode == 0 and "DAMAGED" not in checked.stdout, checked.stdout + checked.stderr
        assert f"destroyed: {OLD} records in" in checked.stdout and "which were kept for 1 days" in checked.stdout
        assert Thief(kept.server.data, kept.server.key).opens(contexts) == set()
        kept.again([])
        assert kept.counts() == NEW
    copied, restored = kept.server.folder / "backup", kept.server.folder / "restored"
    for command in [
        ["backup", "--config", kept.server.config, "--to", copied],
        ["restore", "--from", copied, "--data-dir", restored, "--key-file", kept.server.key],
    ]:
        done = subprocess.run([str(BINARY), *map(str, command)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    checked = kept.server.verify(data=restored)
    assert checked.returncode == 0 and f"destroyed: {OLD} records in" in checked.stdout, checked.stdout + checked.stderr


def test_one_makes_it_longer_and_nobody_the_trail_too_short(kept):
    assert approved(kept.bob, kept.root.call("PUT", RETENTION, {"class": "default", "days": 30})).status == 200
    for days in [30, 90, None]:
        longer = kept.root.call("PUT", RETENTION, {"class": "default", "days": days})
        assert longer.status == 200 and longer.json()["days"] == days, longer.text
    assert kept.root.call("PUT", RETENTION, {"class": "default", "days": 90}).status == 202, "for ever was longer"
    for body, status in [
        ({"class": "audit", "days": 364}, 409),
        ({"class": "default", "days": 0}, 400),
        ({"class": "default"}, 400),
        ({"class": "No Name", "days": 5}, 400),
        ({"class": "ledger", "days": 5}, 400),
    ]:
        assert kept.root.call("PUT", RETENTION, body).status == status, body
    for method, path, body in [
        ("GET", "/tenants/nowhere/retention", None),
        ("PUT", "/tenants/nowhere/retention", {"class": "default", "days": 5}),
        ("GET", "/tenants/nowhere/holds", None),
        ("POST", "/tenants/nowhere/holds", {"reason": "a case"}),
        ("POST", HOLDS, {"reason": "a case", "class": "defautl"}),
        ("DELETE", f"{HOLDS}/0011", None),
    ]:
        assert kept.root.call(method, path, body).status == 404, path
    assert kept.root.call("POST", HOLDS, {"reason": " "}).status == 400
    assert kept.counts() == OLD + NEW


def test_from_the_command_line(kept):
    def by(who, *arguments):
        signed_in = ["--user", who, "--password-file", "-", "--url", kept.server.url]
        command = [str(BINARY), *arguments, *signed_in]
        return subprocess.run(command, input=PASSWORD, capture_output=True, text=True, timeout=120, check=False)

    def approve(asked):
        assert asked.returncode == 4 and "another administrator must approve it" in asked.stderr, asked.stderr
        id, hash = asked.stderr.split("logkeep approval approve ")[1].split()[:2]
        done = by("bob", "approval", "approve", id, hash)
        assert done.returncode == 0, done.stderr

    of = ["--tenant", "default"]
    placed = by("root", "hold", "place", *of, "--class", "default", "--reason", "case 7")
    assert placed.returncode == 0, placed.stderr
    hold = placed.stdout.strip()
    assert hold in by("root", "hold", "list", *of).stdout
    approve(by("root", "retention", "set", *of, "--days", "30"))
    assert by("root", "retention", "list", *of, "--format", "csv").stdout.split() == ["class,days", "default,30"]
    assert by("root", "retention", "set", *of, "--forever").returncode == 0
    assert by("root", "retention", "list", *of, "--format", "csv").stdout.split() == ["class,days"]
    assert by("root", "retention", "set", *of).returncode == 2, "how long must be said"
    approve(by("root", "hold", "release", hold, *of))
    assert hold not in by("root", "hold", "list", *of).stdout


def test_it_takes_two_always(make_server):
    server = make_server(settings=CLOSED).start()
    root = administrator(server)
    hold = root.call("POST", HOLDS, {"reason": "case 7"}).json()["hold"]
    final = [("PUT", RETENTION, {"class": "default", "days": 30}), ("DELETE", f"{HOLDS}/{hold}", None)]
    for act in final:
        alone = root.call(*act)
        assert alone.status == 409 and "takes two administrators always" in alone.text, "there is no waiver for it"
    bob = person(server, root, "bob", "administrator")
    glass = person(server, root, "glass", "break-glass", approver=bob)
    assert glass.call("POST", "/break-glass", {"reason": "the store is on fire", "minutes": 5}).status == 200
    for act in final:
        broken = glass.call(*act)
        assert broken.status == 409 and "two administrators" in broken.text, "nor an emergency"
    assert root.call("GET", "/approvals").json()["approvals"] == []


def test_whoever_edits_the_catalog_is_named(kept):
    assert kept.root.call("POST", HOLDS, {"reason": "case 7", "class": "spans"}).status == 200
    assert approved(kept.bob, kept.root.call("PUT", RETENTION, {"class": "default", "days": 1})).status == 200
    until(lambda: kept.told("default"), "what is old is destroyed", 60)
    kept.server.stop()
    assert kept.server.verify().returncode == 0
    for table, named in [
        ("directory/retention", "which no two people have ordered"),
        ("retention/default/default", "its batches were destroyed, and nobody has ordered that"),
        ("directory/holds", "is in the audit trail, and not in the catalog"),
    ]:
        row = without(kept.server.data, table)
        checked = kept.server.verify()
        assert checked.returncode == 1 and "DAMAGED" in checked.stdout, checked.stdout + checked.stderr
        assert named in checked.stdout, checked.stdout
        put_back(kept.server.data, row)
        assert kept.server.verify().returncode == 0


def without(data, name):
    with sqlite3.connect(data / "catalog.sqlite") as catalog:
        row = catalog.execute("SELECT name, value FROM meta WHERE name = ?", [name]).fetchone()
        catalog.execute("DELETE FROM meta WHERE name = ?", [name])
    return row


def put_back(data, row):
    with sqlite3.connect(data / "catalog.sqlite") as catalog:
        catalog.execute("INSERT INTO meta (name, value) VALUES (?, ?)", row)
