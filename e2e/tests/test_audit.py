"""The audit trail as its readers get it: a row for each request, by the API and the command line, and what the server does to itself."""

import hashlib
import json
import subprocess
import time

from support.people import PASSWORD, Client, administrator, person
from support.server import BINARY
from support.wait import until


def trail(server, **parameters):
    return server.answered("/api/v1/audit", **parameters)["rows"]


def events(server, event):
    """Oldest first."""
    return trail(server, q=f'event_name:"{event}"')[::-1]


def test_a_row_says_who_asked_for_what_and_what_came_of_it(server, word):
    root = administrator(server)
    server.ingest([{"message": f"{word} {n}"} for n in range(7)])
    assert len(server.find(word, **{"from": "-1h"})) == 7
    closed = lambda: [row for row in trail(server, action="query", object="logs") if row["query"] == word and row["outcome"]]
    until(closed, "the record that closes it is written a moment after the answer")
    [row] = closed()
    assert row["user"].startswith("token:") and row["owner"] == "root" and row["address"] == "127.0.0.1"
    assert (row["action"], row["decision"], row["object"], row["from"]) == ("query", "allow", "logs", "-1h")
    assert (row["outcome"], row["rows"]) == ("answered", 7) and row["bytes"] > 500 and row["duration_ms"] >= 0
    assert row["event"] == "audit.access.opened" and row["more"] == {}
    # What is asked of the trail is in it, with all of the filter.
    filtered = 'audit.action:"query" and audit.object:"logs"'
    own = [row for row in trail(server, action="query_audit", limit=1000) if row["query"] == filtered]
    assert own and {row["object"] for row in own} == {"audit"}

    ann = person(server, root, "ann", "collector")
    assert ann.call("GET", "/logs?q=secrets").status == 403
    assert ann.call("GET", "/audit").status == 403
    denied = trail(server, user="ann", decision="deny")
    assert [(row["action"], row["outcome"]) for row in denied] == [("query_audit", None), ("query", None)]
    assert denied[1]["query"] == "secrets"
    signed = trail(server, user="ann", action="sign_in")
    assert [(row["decision"], row["claimed"], row["user"]) for row in signed] == [("allow", "ann", "anonymous")]
    assert Client(server).call("POST", "/session", {"user": "ann", "password": PASSWORD + "x"}).status == 401
    assert [row["decision"] for row in trail(server, user="ann", action="sign_in")] == ["deny", "allow"]
    made = trail(server, object="users/ann*")
    assert [row["object"] for row in made] == ["users/ann: add as collector"] and made[0]["user"] == "root"
    # Those of tokens are their owner's as well.
    assert {row["user"] for row in trail(server, user="root", action="query", limit=1000)} == {f"token:{server.token[4:20]}"}


def test_what_it_is_for(server, word):
    ask = [str(BINARY), "query", word, "--purpose", "incident 42, für die Kasse"]
    subprocess.run(ask, capture_output=True, check=True, env=server.environment)
    [row] = trail(server, action="query", q='audit.purpose:"incident 42, für die kasse"')
    assert row["purpose"] == "incident 42, für die Kasse" and row["query"] == word
    with server.connect() as connection:
        answer = connection.get("/api/v1/logs", **{"x-logkeep-purpose": "x" * 257})
    assert answer.status == 400 and "256 bytes" in answer.text


def test_pages_and_bad_input(server):
    for n in range(9):
        server.find(f"page{n}")
    asked = {"action": "query", "to": str(time.time_ns())}
    whole = [row["id"] for row in trail(server, **asked)]
    assert len(whole) == 9 and len(set(whole)) == 9
    paged, after = [], ""
    while after is not None:
        page = server.answered("/api/v1/audit", limit=2, after=after, **asked)
        paged += [row["id"] for row in page["rows"]]
        after = page["next"]
    assert paged == whole
    for wrong in [
        {"decision": "maybe"},
        {"limit": "0"},
        {"limit": "1001"},
        {"after": "x"},
        {"from": "yesterdayish"},
        {"q": "a:"},
        {"object": "*" + "x" * 200},
    ]:
        answer = server.get("/api/v1/audit", **wrong)
        assert answer.status == 400, wrong
    with server.connect() as connection:
        connection.token = None
        assert connection.get("/api/v1/audit").status == 401


def test_starts_and_stops_and_what_has_changed(make_server, tmp_path):
    policies = tmp_path / "policies"
    policies.mkdir()
    server = make_server(settings=f'access:\n  policies: "{policies}"\n').start()
    printed = subprocess.run(
        [str(BINARY), "config", "print", "--config", str(server.config)], capture_output=True, check=True, text=True
    ).stdout  # fmt: skip
    [first] = events(server, "audit.server.started")
    assert first["more"]["server.configuration"] == hashlib.sha256(printed.encode()).hexdigest()
    assert first["more"]["server.before"] == "none" and "audit.changed" not in first["more"]
    assert (first["action"], first["object"], first["user"]) == ("start", "server", None)
    server.stop()
    server.start()
    server.kill()
    server.config.write_text(server.config.read_text() + "query:\n  timeout: 20s\n")
    server.start()
    server.stop()
    (policies / "mine.cedar").write_text('@id("x") forbid (principal, action == Action::"tail", resource);')
    server.start()
    starts = [(row["more"]["server.before"], row["more"].get("audit.changed")) for row in events(server, "audit.server.started")]
    assert starts == [("none", None), ("stopped", None), ("unclean", "configuration"), ("stopped", "policies")]
    assert len(events(server, "audit.server.stopped")) == 2
    latest = events(server, "audit.server.started")[-1]
    assert latest["text"].endswith("started; changed since the last start: policies")
    assert latest["more"]["server.policies"] != first["more"]["server.policies"]


def test_uses_of_keys(make_server):
    server = make_server().start()
    rotate = [str(BINARY), "keys", "rotate", "--config", str(server.config)]
    assert subprocess.run(rotate, capture_output=True, check=False).returncode == 0
    until(lambda: events(server, "audit.keys.rotated"), "the server says that it is done")
    server.stop()
    assert subprocess.run(rotate, capture_output=True, check=False).returncode == 0
    server.start()
    begun, done = events(server, "audit.keys.rotating"), events(server, "audit.keys.rotated")
    assert len(begun) == len(done) == 2
    keys = [row["more"]["keys.current"] for row in done]
    assert len(set(keys)) == 2
    assert {row["action"] for row in done} == {"rotate"}


def test_the_command(server, word):
    server.find(word)

    def printed(*arguments):
        ran = subprocess.run(
            [str(BINARY), "audit", *arguments], capture_output=True, text=True, timeout=60, check=True, env=server.environment
        )  # fmt: skip
        return ran.stdout

    table = printed("--action", "query", "--object", "logs")
    header, row = table.splitlines()
    assert header.split()[:3] == ["time", "user", "address"] and word in row and "allow" in row
    rows = [json.loads(line) for line in printed("--format", "json", "--limit", "3").splitlines()]
    assert len(rows) == 3 and rows[0]["action"] == "query_audit"
    csv = printed(f'audit.query:"{word}"', "--format", "csv", "--columns", "action,query").splitlines()
    assert f"query,{word}" in csv and csv[0] == "action,query"
    nobody = subprocess.run(
        [str(BINARY), "audit", "--url", server.url], capture_output=True, text=True, check=False, env={}
    )  # fmt: skip
    assert nobody.returncode == 1 and "--token-file" in nobody.stderr
