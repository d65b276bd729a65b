"""kill -9 while requests are spread over tenants and classes and their lines joined, and while the pipelines that do so change.

A request is stored as a whole or not at all, and one that is sent again is known by its key, chunk or ids whatever the pipelines
have become: each line is there exactly once, with its tenant."""

import contextlib
import json
import os
import random
import signal
import threading
from collections import Counter
from urllib.parse import urlencode

import msgpack

from support.certs import Authority
from support.http import Connection
from support.kills import SETTINGS, Repeating, Run, repeated, verified
from support.senders import Tcp, exchange
from support.server import EVERYTHING

LEVELS = ["error", "info", "debug"]
# What goes where, and whether lines are joined. What one set sends elsewhere the other keeps.
SETS = [
    """pipelines:
  - {name: lines, multiline: {continues: '^ '}}
  - {name: errors, match: {severity: [error]}, steps: [route: {tenant: shop}]}
  - {name: debug, match: {severity: [debug]}, steps: [route: {class: short}]}
""",
    """pipelines:
  - {name: info, match: {severity: [info]}, steps: [route: {tenant: shop, class: short}]}
  - {name: errors, match: {severity: [error]}, steps: [route: {class: short}]}
""",
]


def documents(texts):
    """Two of each text: the second is more of the first."""
    for place, text in enumerate(texts):
        level = LEVELS[place % len(LEVELS)]
        yield from ({"message": line, "level": level} for line in (text, f"  more of {text}"))


def ndjson(texts):
    return "".join(json.dumps(document) + "\n" for document in documents(texts)).encode()


def forward(number, texts):
    return msgpack.packb(["tag", [[1_795_168_800, document] for document in documents(texts)], {"chunk": "c"}])


def bulk(named):
    lines = [json.dumps(line) for each in named for line in ({"create": {"_id": each["id"]}}, each)]
    return ("\n".join(lines) + "\n").encode()


FORWARD = Tcp("forward", "forward-tcp", forward, lambda count: b"\x81\xa3ack\xa1c")


class Changing(threading.Thread):
    """Exchanges the sets in the configuration file, whether or not the server runs."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self.run_, self.changes = run, 0

    def run(self):
        config = self.run_.server.config
        while not self.run_.done.is_set():
            before, after = SETS[self.changes % 2], SETS[(self.changes + 1) % 2]
            new = config.with_suffix(".new")
            new.write_text(config.read_text().replace(before, after))
            os.replace(new, config)
            self.changes += 1
            process = self.run_.server.process
            if self.run_.up.is_set() and process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGHUP)
            self.run_.done.wait(0.15)


def by_key(run, name):
    def deliver(number, texts):
        headers = {"x-logkeep-batch": f"{name}-{number}"}
        with run.server.connect() as connection:
            return connection.post("/api/v1/ingest/ndjson", ndjson(texts), headers).status == 200

    return deliver


def by_chunk(run, chance):
    def deliver(number, texts):
        read = chance.random() < 0.9
        return exchange(FORWARD, run.ports["forward-tcp"], forward(number, texts), len(texts), read) == 200

    return deliver


def by_ids(run, name, chance):
    """In other requests each time: in another order, and in two halves."""

    def deliver(number, texts):
        named = [{**each, "id": f"{name}-{number}-{n}"} for n, each in enumerate(documents(texts))]
        chance.shuffle(named)
        cut = chance.randrange(1, len(named))
        with Connection(f"http://127.0.0.1:{run.ports['elasticsearch']}") as connection:
            for part in (named[:cut], named[cut:]):
                answer = connection.post("/web/_bulk", bulk(part), {"content-type": "application/x-ndjson"})
                if answer.status != 200:
                    assert answer.status in (429, 503), answer.text
                    return False
                statuses = {item["create"]["status"] for item in answer.json()["items"]}
                assert statuses <= {201, 409}, answer.text
        return True

    return deliver


def lines_of(server, reader, word):
    """How often each line is there, the records of each tenant and severity, and those of several lines."""
    found, places, joined = Counter(), Counter(), 0
    for name, context in reader.items():
        with Connection(server.url, tls=context) as connection:
            after = None
            while True:
                asked = {"q": word, "limit": 1_000, "order": "asc", **EVERYTHING} | ({"after": after} if after else {})
                answer = connection.get("/api/v1/logs?" + urlencode(asked))
                assert answer.status == 200, answer.text
                for record in answer.json()["records"]:
                    lines = record["body"].split("\n")
                    found.update(lines)
                    joined += len(lines) > 1
                    places[name, record["severity"]] += 1
                after = answer.json()["next"]
                if after is None:
                    break
    return found, places, joined


def test_each_line_is_there_once_whatever_the_pipelines_become(make_server, tmp_path, word, setting, say):
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    chance = random.Random(seed)
    authority = Authority(tmp_path / "certs")
    access = "tenants: [shop]\naccess:\n  certificates:\n"
    for tenant in ("default", "shop"):
        access += f"    - {{name: CN=reads-{tenant}, roles: [analyst, collector, auditor], tenants: [{tenant}]}}\n"
    main = f'{{address: "127.0.0.1:0", client_ca: "{authority.ca}", client_certificates: optional}}'
    plain = {name: '{address: "127.0.0.1:0", plaintext: true}' for name in ["elasticsearch", "forward_tcp"]}
    readers = {tenant: authority.context(authority.client(f"reads-{tenant}")) for tenant in ("default", "shop")}
    settings = SETTINGS + access + authority.settings() + SETS[0]
    server = make_server(settings=settings, listen={"main": main, **plain}, tls=readers["default"]).start()
    run = Run(server, word)
    own = lambda: random.Random(chance.random())
    senders = [
        *(Repeating(run, f"keys {n}", by_key(run, f"k{n}"), together=9) for n in range(2)),
        *(Repeating(run, f"chunks {n}", by_chunk(run, own()), together=9) for n in range(2)),
        *(Repeating(run, f"ids {n}", by_ids(run, f"i{n}", own()), together=9) for n in range(2)),
    ]
    changing = Changing(run)
    for thread in [*senders, changing]:
        thread.start()
    run.kill_while(senders, setting("E2E_RECEIVER_KILLS", 5), chance)
    changing.join(60)

    found, places, joined = lines_of(server, readers, word)
    attempts = sum((sender.attempts for sender in senders), Counter())
    expected = Counter(line for text in attempts for line in (text, f"  more of {text}"))
    lost, more = expected - found, found - expected
    told = f"seed {seed}: lost {list(lost)[:5]}, stored too often {list(more)[:5]}"
    assert not lost and not more, told
    assert all(places[tenant, level] for tenant, level in [("shop", "error"), ("shop", "info"), ("default", "debug")]), places
    assert joined, "no line was joined with the one before it"
    say(f"routes: {changing.changes} changes of pipelines, {repeated(attempts)} (seed {seed})")
    verified(server)
