"""Destroying every key of what a tenant has: by two people, for good, over kill -9, and with nobody else touched."""

import http.client
import json
import shutil
import subprocess
import threading
import time
import urllib.parse

import pytest
from support.certs import Authority
from support.http import Connection
from support.kms import Kms
from support.notes import verified
from support.people import CLOSED, PASSWORD, Client, administrator, approved, decide, machine, person
from support.server import BINARY, EVERYTHING
from support.thief import Thief
from support.wait import until

CANARY = "zcanarydestroyed"
COUNT = 30
KEYS = "/tenants/shop/keys"
NOTES = (
    'select event_name, body, "audit.object", "audit.statement", "audit.key", "audit.request" from audit '
    "where event_name like 'audit.approval.%' or event_name like 'audit.keys.%' order by time"
)


class Shop:
    """A server with the tenants `default` and `shop`, somebody who reads each, and two who manage people."""

    def __init__(self, make_server, folder):
        authority = Authority(folder / "certs")
        rules = "[analyst, auditor]"
        settings = (
            "tenants: [shop]\naccess:\n  certificates:\n"
            f"    - {{name: CN=default-reader, roles: {rules}}}\n    - {{name: CN=shop-reader, roles: {rules}, tenants: [shop]}}\n"
        )
        main = f'{{address: "127.0.0.1:0", client_ca: "{authority.ca}", client_certificates: optional}}'
        plain = {name: '{address: "127.0.0.1:0", plaintext: true}' for name in ["loki", "zipkin"]}
        self.reader = lambda name: authority.context(authority.client(name))
        tls = self.reader("default-reader")
        self.server = make_server(settings=settings + authority.settings(), listen={"main": main, **plain}, tls=tls).start()
        self.root = administrator(self.server)
        self.bob = person(self.server, self.root, "bob", "administrator")
        for tenant, word in [("shop", CANARY), ("default", "plainword")]:
            self.plant(tenant, word)
        view = {"name": CANARY, "address": f"/logs?q={CANARY}"}
        assert self.ask("POST", "/views", view).status == 200
        # Some of it is in segments, and some of it in the log alone.
        self.again(self.server.stop)
        self.plant("shop", f"{CANARY}late")

    def again(self, end):
        """Another start, on other ports, with the same people."""
        end()
        self.server.start()
        for who in ["root", "bob"]:
            client = Client(self.server).sign_in("/session", {"user": who, "password": PASSWORD})
            setattr(self, who, client)

    def plant(self, tenant, word):
        named = {"x-logkeep-tenant": tenant, "content-type": "application/json"}
        records = [{"message": f"{word} {n}", "service": f"{word}-svc", f"{word}.key": word} for n in range(COUNT)]
        with self.server.connect() as connection:
            lines = "".join(json.dumps(record) + "\n" for record in records)
            assert connection.post("/api/v1/ingest/ndjson", lines.encode(), named).status == 200
        span = {"traceId": "1" * 32, "id": "2" * 16, "name": word, "timestamp": 1_795_168_800_000_000, "duration": 5}
        with Connection(f"http://{self.server.address('zipkin')}") as connection:
            assert connection.post("/api/v2/spans", json.dumps([span]).encode(), named).status == 202

    def ask(self, method, path, body=None):
        """As the one who reads `shop`."""
        connection = Connection(self.server.url, tls=self.reader("shop-reader"))
        text = body and json.dumps(body)
        return connection.request(method, f"/api/v1{path}", text, {"content-type": "application/json"})

    def found(self):
        """How many records of `shop` there are; None if they were destroyed."""
        answer = self.ask("GET", "/logs?" + urllib.parse.urlencode({"q": f"{CANARY}*", "limit": 1_000, **EVERYTHING}))
        assert answer.status in (200, 410), answer.text
        return len(answer.json()["records"]) if answer.status == 200 else None

    def trail(self):
        names = ["event", "body", "object", "statement", "key", "request"]
        return [dict(zip(names, row)) for row in self.server.sql(NOTES)["rows"]]

    def thief(self, data=None):
        return Thief(data or self.server.data, self.server.key)


@pytest.fixture
def shop(make_server, tmp_path):
    return Shop(make_server, tmp_path)


READS = [
    ("GET", "/logs", None),
    ("GET", "/logs/default.0.0", None),
    ("GET", "/logs/default.0.0/context", None),
    ("GET", "/logs/default.0.0/proof", None),
    ("GET", "/spans", None),
    ("GET", f"/traces/{'1' * 32}", None),
    ("GET", "/overview", None),
    ("GET", "/patterns", None),
    ("GET", "/compare", None),
    ("GET", "/patterns/parameters?template=x", None),
    ("GET", "/services", None),
    ("GET", "/graph", None),
    ("GET", "/histogram", None),
    ("GET", "/fields", None),
    ("GET", "/fields/service.name/values", None),
    ("GET", "/tail", None),
    ("GET", "/export?format=csv", None),
    ("GET", "/views", None),
    ("POST", "/views", {"name": "more", "address": "/logs"}),
    ("POST", "/sql", {"sql": "select * from logs"}),
    ("POST", "/sql", {"sql": "select * from spans"}),
    ("POST", "/sql", {"sql": "select a.body from audit a join logs b on true"}),
]


def is_gone(shop):
    for method, path, body in READS:
        answer = shop.ask(method, path, body)
        assert answer.status == 410 and answer.json()["error"]["code"] == "destroyed", f"{path}: {answer.status} {answer.text}"
        assert "`root` asked for and `bob` approved" in answer.text and CANARY not in answer.text, path
    for method, path, body in [("GET", "/audit", None), ("GET", "/status", None), ("POST", "/sql", {"sql": "select * from audit"})]:
        answer = shop.ask(method, path, body)
        assert answer.status == 200 and f"{CANARY} " not in answer.text, f"{path}: {answer.status} {answer.text}"


def takes_nothing(shop):
    named = {"x-scope-orgid": "shop", "x-logkeep-tenant": "shop", "content-type": "application/json"}
    with shop.server.connect() as connection:
        refused = connection.post("/api/v1/ingest/ndjson", b'{"message": "more"}\n', named)
        assert refused.status == 403 and "was destroyed" in refused.text, refused.text
    push = {"streams": [{"stream": {"app": "a"}, "values": [["1795168800000000001", "more"]]}]}
    with Connection(f"http://{shop.server.address('loki')}") as connection:
        refused = connection.post("/loki/api/v1/push", json.dumps(push).encode(), named)
        assert refused.status == 401 and "was destroyed" in refused.text, "which senders of Loki do not send again"


def is_destroyed(shop, contexts):
    """By the answers, and for whoever has the files with the key."""
    is_gone(shop)
    takes_nothing(shop)
    assert len(shop.server.all_records("plainword*")) == COUNT, "nobody else is touched"
    assert shop.thief().opens(contexts) == set()
    objects = (shop.server.data / "objects/shop").glob("*/segment/*")
    assert [path for path in objects if "audit" not in path.parts] == []
    checked = shop.server.verify()
    assert checked.returncode == 0 and "DAMAGED" not in checked.stdout, checked.stdout + checked.stderr
    assert f"destroyed: {2 * COUNT} records in " in checked.stdout and "as root asked for and bob approved" in checked.stdout
    # Who is killed before it is noted that the trail has it tells it again, in the same words.
    [told, *again] = [note for note in shop.trail() if note["event"] == "audit.keys.destroyed"]
    assert all(note == told for note in again), again
    says = verified(told["statement"], (shop.server.data / "tlog/public-key").read_text())
    assert (says["tenant"], says["requester"], says["approver"]) == ("shop", "root", "bob")
    assert says["approval"] == told["request"] and told["object"] == "tenants/shop"
    return told["statement"]


def test_two_people_destroy_what_a_tenant_has_and_nobody_else_is_touched(shop):
    assert shop.found() == 2 * COUNT
    before = shop.server.folder / "before"
    shop.again(lambda: (shop.server.kill(), shutil.copytree(shop.server.data, before)))
    # As the kill left it, with some of it in the log alone, and as it is now.
    contexts = sorted({*shop.thief(before).contexts("shop"), *shop.thief().contexts("shop")})
    segments = shop.thief(before).segments("shop").keys() & set(contexts)
    assert segments and all(shop.thief(before).content(path)[:4] == b"PAR1" for path in segments)
    opened = shop.thief(before).opens(contexts)
    assert segments <= opened and any(context.startswith("wal/") for context in opened), "or nothing is shown below"

    asked = shop.root.call("DELETE", KEYS)
    request = asked.json()["approval"]
    assert asked.status == 202 and request["about"] is None and request["requester"] == "root"
    assert request["what"] == "tenants/shop: destroy all keys, so that nobody can ever read what it has"
    assert request["text"] == '{"act":"destroy_keys","tenant":"shop","was":null}'
    assert shop.found() == 2 * COUNT, "nothing is done yet"
    for who, name in [(shop.root, "themselves"), (machine(shop.server, shop.root, "administrator"), "")]:
        refused = decide(who, request)
        assert refused.status in (403, 409) and name in refused.text, refused.text
    assert decide(shop.bob, {**request, "hash": "0" * 64}).status == 409
    done = decide(shop.bob, request)
    assert done.status == 200 and done.json()["tenant"] == "shop", done.text
    assert decide(shop.bob, request).status == 404, "once"
    assert is_destroyed(shop, contexts) == done.json()["statement"]

    events = [note["event"].removeprefix("audit.") for note in shop.trail()]
    assert events[-3:] == ["approval.requested", "approval.granted", "keys.destroyed"]
    refused = shop.root.call("DELETE", KEYS)
    assert refused.status == 409 and "exists already" in refused.text
    assert CANARY not in shop.server.stderr and CANARY not in shop.server.get("/metrics").text
    shop.again(shop.server.stop)
    is_destroyed(shop, contexts)
    shop.again(shop.server.kill)
    is_destroyed(shop, contexts)
    # What docs/guide/keys.md says of copies from before, and of backups from after.
    assert segments <= shop.thief(before).opens(contexts)
    copied, restored = shop.server.folder / "backup", shop.server.folder / "restored"
    run("backup", "--config", shop.server.config, "--to", copied)
    run("restore", "--from", copied, "--data-dir", restored, "--key-file", shop.server.key)
    checked = shop.server.verify(data=restored)
    assert checked.returncode == 0 and f"destroyed: {2 * COUNT} records in " in checked.stdout, checked.stdout + checked.stderr
    assert shop.thief(restored).opens(contexts) == set()
    # There approvals have another key, and those from before count.
    shop.again(lambda: (shop.server.stop(), shop.server.data.rename(shop.server.folder / "original"), restored.rename(shop.server.data)))
    is_gone(shop)
    takes_nothing(shop)
    assert shop.root.call("DELETE", KEYS).status == 409
    assert approved(shop.bob, shop.root.call("DELETE", "/tenants/default/keys")).status == 200
    shop.again(shop.server.kill)
    is_gone(shop)
    checked = shop.server.verify()
    assert checked.returncode == 0 and f"destroyed: {COUNT} records in " in checked.stdout, checked.stdout + checked.stderr


def run(*arguments):
    command = [str(BINARY), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_tail_ends(shop):
    url = urllib.parse.urlsplit(shop.server.url)
    raw = http.client.HTTPSConnection(url.hostname, url.port, timeout=60, context=shop.reader("shop-reader"))
    raw.request("GET", "/api/v1/tail?q=*")
    events = raw.getresponse()
    assert events.status == 200
    assert approved(shop.bob, shop.root.call("DELETE", KEYS)).status == 200
    assert CANARY.encode() not in events.read(), "it has come to its end"


def test_it_takes_two_always(make_server):
    server = make_server(settings="tenants: [shop]\n" + CLOSED).start()
    root = administrator(server)
    alone = root.call("DELETE", KEYS)
    assert alone.status == 409 and "takes two administrators always" in alone.text, "there is no waiver for it"
    bob = person(server, root, "bob", "administrator")
    glass = person(server, root, "glass", "break-glass", approver=bob)
    assert glass.call("POST", "/break-glass", {"reason": "the store is on fire", "minutes": 5}).status == 200
    broken = glass.call("DELETE", KEYS)
    assert broken.status == 409 and "two administrators" in broken.text, "nor an emergency"
    for who in [person(server, root, "ann", "analyst", "auditor"), Client(server)]:
        assert who.call("DELETE", KEYS).status in (401, 403)
    assert root.call("DELETE", "/tenants/nowhere/keys").status == 404
    assert root.call("DELETE", "/tenants/logkeep/keys").status == 409
    assert root.call("DELETE", "/tenants/No%20Name/keys").status == 400
    assert root.call("GET", "/approvals").json()["approvals"] == []
    request = root.call("DELETE", KEYS).json()["approval"]
    assert root.call("DELETE", KEYS).status == 409, "it waits already"
    assert decide(root, request, "refuse").status == 200


def test_from_the_command_line(make_server):
    server = make_server(settings="tenants: [shop]\n" + CLOSED).start()
    person(server, administrator(server), "bob", "administrator")

    def by(who, *arguments):
        command = [str(BINARY), *arguments, "--user", who, "--password-file", "-", "--url", server.url]
        return subprocess.run(command, input=PASSWORD, capture_output=True, text=True, timeout=120, check=False)

    asked = by("root", "keys", "destroy", "--tenant", "shop")
    assert asked.returncode == 4 and "another administrator must approve it" in asked.stderr, asked.stdout + asked.stderr
    id, hash = asked.stderr.split("logkeep approval approve ")[1].split()[:2]
    done = by("bob", "approval", "approve", id, hash)
    assert done.returncode == 0, done.stderr
    says = verified(done.stdout, (server.data / "tlog/public-key").read_text())
    assert (says["tenant"], says["approver"]) == ("shop", "bob")
    assert by("root", "keys", "destroy", "--tenant", "shop").returncode == 1


@pytest.mark.parametrize("after_s", [0, 0.005, 0.01, 0.02, 0.04, 0.1, 0.3])
def test_a_kill_leaves_all_or_nothing(shop, after_s, say):
    """Whenever it comes, all of it can be read, or none of it and the next start finishes what was ordered."""
    contexts = shop.thief().contexts("shop")
    request = shop.root.call("DELETE", KEYS).json()["approval"]
    approving = threading.Thread(target=lambda: ends(shop.bob, request))
    approving.start()
    time.sleep(after_s)  # Where it is cut is the point of it.
    shop.again(shop.server.kill)
    approving.join()
    left = shop.found()
    say(f"killed after {after_s} s: {left} records")
    if left is not None:
        assert left == 2 * COUNT and shop.thief().opens(contexts)
        waiting = shop.root.call("GET", "/approvals").json()["approvals"]
        assert [one["id"] for one in waiting] == [request["id"]]
        assert decide(shop.bob, request).status == 200
    until(lambda: any(note["event"] == "audit.keys.destroyed" for note in shop.trail()), "it is finished", 60)
    is_destroyed(shop, contexts)


def ends(who, request):
    """Asks a server that may be killed meanwhile."""
    try:
        decide(who, request)
    except (OSError, http.client.HTTPException):
        pass


def test_with_a_service_that_keeps_the_keys(make_server, tmp_path):
    kms = Kms(tmp_path / "kms").start()
    try:
        server = make_server(settings=kms.settings() + "tenants: [shop]\n" + CLOSED)
        lines = server.config.read_text().splitlines(keepends=True)
        server.config.write_text("".join(line for line in lines if not line.startswith("key_file:")))
        root = administrator(server.start())
        bob = person(server, root, "bob", "administrator")
        for tenant in ["shop", "default"]:
            with server.connect() as connection:
                named = {"x-logkeep-tenant": tenant, "content-type": "application/json"}
                assert connection.post("/api/v1/ingest/ndjson", b'{"message": "hello"}\n' * COUNT, named).status == 200
        assert approved(bob, root.call("DELETE", KEYS)).status == 200
        server.stop()
        checked = run("verify", "--config", server.config)
        assert "shop/default: 0 records in 0 batches, 0 segments" in checked.stdout
        assert f"destroyed: {COUNT} records in 1 batches, as root asked for and bob approved" in checked.stdout, checked.stdout
        assert f"default/default: {COUNT} records" in checked.stdout, "nobody else is touched"
        server.start()
        root = Client(server).sign_in("/session", {"user": "root", "password": PASSWORD})
        assert len(root.call("GET", "/logs?q=hello").json()["records"]) == COUNT
        server.stop()
    finally:
        kms.kill()
