"""Who may read: setting up, signing in, tokens, roles, and what the audit trail says of it."""

import base64
import http.client
import json
from urllib.parse import urlsplit

import pytest
from support.http import Connection
from support.people import CLOSED, PASSWORD, Client, administrator, link, person
from support.server import Server


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path, settings=CLOSED).start()
    yield running
    running.stop()


READS = [
    ("GET", "/logs", None),
    ("GET", "/spans", None),
    ("GET", "/histogram", None),
    ("GET", "/fields", None),
    ("GET", "/fields/service.name/values", None),
    ("GET", "/overview", None),
    ("GET", "/patterns", None),
    ("GET", "/compare", None),
    ("GET", "/patterns/parameters?template=x", None),
    ("GET", "/services", None),
    ("GET", "/graph", None),
    ("GET", "/tail?q=nothing", None),
    ("GET", "/export?format=csv", None),
    ("POST", "/sql", {"sql": "select count(*) from logs"}),
    ("GET", "/traces/4bf92f3577b34da6a3ce929d0e0e4736", None),
    ("GET", "/logs/default.0.0", None),
    ("GET", "/logs/default.0.0/context", None),
    ("GET", "/logs/default.0.0/proof", None),
]
MANAGES = [
    ("GET", "/views", None),
    ("POST", "/views", {"name": "x", "address": "/logs"}),
    ("PUT", "/views/0000000000000000", {"name": "x", "address": "/logs"}),
    ("DELETE", "/views/0000000000000000", None),
    ("GET", "/users", None),
    ("POST", "/users", {"user": "new", "password": PASSWORD, "roles": []}),
    ("PUT", "/users/root", {"roles": ["administrator"]}),
    ("GET", "/sessions", None),
    ("DELETE", "/sessions/0000000000000000", None),
    ("GET", "/tokens", None),
    ("POST", "/tokens", {"name": "t", "roles": ["analyst"], "days": 1}),
    ("DELETE", "/tokens/0000000000000000", None),
    ("PUT", "/password", {"old": "x", "new": "y"}),
    ("DELETE", "/session", None),
]


def test_nobody_reads_without_saying_who_they_are(server):
    for method, path, body in [*READS, *MANAGES, ("GET", "/status", None), ("GET", "/sources", None)]:
        answer = Client(server).call(method, path, body)
        assert (answer.status, answer.json()["error"]["code"]) == (401, "unauthenticated"), f"{method} {path}"
    asked = Client(server).call("GET", "/session")
    assert asked.status == 401 and asked.json()["set_up"] is False
    for token in ["lkt_0000000000000000." + "0" * 64, "x", ""]:
        answer = Client(server, token=token or " ").call("GET", "/logs")
        assert answer.status == 401, token


def test_the_link_makes_one_administrator_and_no_other(server):
    secret = link(server)
    assert f"#set-up={secret}" in (server.folder / "stdout.001").read_text()
    for wrong in ["lkl_0000000000000000." + "0" * 64, secret[:-1], "", secret.replace("lkl_", "lks_")]:
        answer = Client(server).call("POST", "/setup", {"link": wrong, "user": "mallory", "password": PASSWORD})
        assert answer.status == 401, wrong
    weak = Client(server).call("POST", "/setup", {"link": secret, "user": "root", "password": "password1234"})
    assert weak.status == 400 and "easy to guess" in weak.text
    root = administrator(server)
    assert root.call("GET", "/session").json()["roles"] == ["administrator", "analyst", "auditor"]
    again = Client(server).call("POST", "/setup", {"link": secret, "user": "mallory", "password": PASSWORD})
    assert again.status == 401
    server.stop()
    server.start()
    assert not (server.data / "set-up-link").exists(), "there is nothing to set up any more"
    assert "set-up" not in (server.folder / "stdout.002").read_text()
    assert root_again(server, root).call("GET", "/users").json()["users"][0]["user"] == "root"


def root_again(server, root):
    """The same session after a restart on another port."""
    client = Client(server)
    client.headers = root.headers
    return client


def test_roles(server):
    root = administrator(server)
    server_ingest(server)
    people = {role: person(server, root, role, role) for role in ("administrator", "analyst", "auditor", "collector")}
    people["nobody"] = person(server, root, "nobody")
    for name, client in people.items():
        for method, path, body in READS:
            if path.startswith("/tail"):
                continue
            status = client.call(method, path, body).status
            expected = (200, 404) if name == "analyst" else (403,)
            if path == "/sql" and name == "auditor":
                expected = (400,)  # The table is not there for an auditor.
            assert status in expected, f"{name} {path}: {status}"
        audit = client.call("POST", "/sql", {"sql": "select count(*) from audit"}).status
        assert audit == {"auditor": 200, "analyst": 400}.get(name, 403), name
        assert client.call("GET", "/users").status == (200 if name in ("administrator", "auditor") else 403), name
        adding = client.call("POST", "/users", {"user": f"by-{name}", "password": PASSWORD, "roles": []}).status
        assert adding == (200 if name == "administrator" else 403), name
        status = client.call("GET", "/status").status
        assert status == (200 if name in ("administrator", "analyst", "auditor") else 403), name


def server_ingest(server):
    with Connection(server.url) as connection:
        answer = connection.post("/api/v1/ingest/ndjson", '{"message": "hello", "service": "shop"}\n')
    assert answer.status == 200, "senders need no token yet"


def test_tokens(server):
    root = administrator(server)
    ann = person(server, root, "ann", "analyst")
    made = ann.call("POST", "/tokens", {"name": "ci", "roles": ["analyst"], "days": 1}).json()
    token = Client(server, token=made["token"])
    assert token.call("GET", "/logs").status == 200
    basic = Client(server)
    basic.headers = {"authorization": "Basic " + base64.b64encode(f"any:{made['token']}".encode()).decode()}
    assert basic.call("GET", "/logs").status == 200, "for programs that know only passwords"
    assert token.call("GET", "/users").status == 403
    assert token.call("POST", "/tokens", {"name": "more", "roles": ["analyst"], "days": 1}).status == 403
    for body in [{"name": "x", "roles": ["administrator"], "days": 1}, {"name": "x", "roles": ["collector"], "days": 1}]:
        assert ann.call("POST", "/tokens", body).status == 409, body
    for body in [{"name": "x", "roles": ["analyst"], "days": 400}, {"name": "x", "roles": ["emperor"], "days": 1}]:
        assert ann.call("POST", "/tokens", body).status == 400, body
    listed = ann.call("GET", "/tokens")
    assert [each["name"] for each in listed.json()["tokens"]] == ["ci"]
    assert made["token"] not in listed.text and listed.json()["tokens"][0]["used"] is not None

    other = person(server, root, "bob", "analyst")
    assert other.call("GET", "/tokens").json()["tokens"] == []
    assert other.call("DELETE", f"/tokens/{made['id']}").status == 403, "not his"
    assert root.call("PUT", "/users/ann", {"roles": [], "disabled": False}).status == 200
    assert token.call("GET", "/logs").status == 403, "she may not read any more, so it may not"
    assert root.call("DELETE", f"/tokens/{made['id']}").status == 200
    assert token.call("GET", "/logs").status == 401


def test_sessions_end_at_once(server):
    root = administrator(server)
    ann = person(server, root, "ann", "analyst")
    second = Client(server).sign_in("/session", {"user": "ANN", "password": PASSWORD})
    sessions = ann.call("GET", "/sessions").json()["sessions"]
    assert [each["user"] for each in sessions] == ["ann", "ann"]
    assert second.call("DELETE", "/session").status == 200
    assert second.call("GET", "/logs").status == 401
    assert ann.call("GET", "/logs").status == 200
    mine = ann.call("GET", "/sessions").json()["sessions"][0]["id"]
    assert root.call("DELETE", f"/sessions/{mine}").status == 200
    assert ann.call("GET", "/logs").status == 401
    third = Client(server).sign_in("/session", {"user": "ann", "password": PASSWORD})
    assert third.call("PUT", "/password", {"old": "wrong", "new": "another lantern oboe"}).status == 401
    assert third.call("PUT", "/password", {"old": PASSWORD, "new": "another lantern oboe"}).status == 200
    assert third.call("GET", "/logs").status == 401, "a new password ends every session"
    assert root.call("PUT", "/users/root", {"roles": ["analyst"]}).status == 409, "the last administrator stays"


def test_people_choose_their_password_by_a_link(server):
    root = administrator(server)
    added = root.call("POST", "/users", {"user": "ann", "roles": ["analyst"]})
    assert added.status == 200, added.text
    first = added.json()["link"]
    users = {each["user"]: each["has_password"] for each in root.call("GET", "/users").json()["users"]}
    assert users == {"root": True, "ann": False}
    anybody = Client(server)
    assert anybody.call("POST", "/session", {"user": "ann", "password": ""}).status == 401
    link = root.call("POST", "/users/ann/link").json()["link"]
    choose = lambda link, password=PASSWORD: anybody.call("POST", "/password", {"link": link, "password": password})
    assert choose(first).status == 401, "a later one replaces it"
    weak = choose(link, "password1234")
    assert weak.status == 400 and "easy to guess" in weak.text
    assert choose(link).json() == {"user": "ann"}
    assert choose(link).status == 401, "used up"
    ann = Client(server).sign_in("/session", {"user": "ann", "password": PASSWORD})
    sessions = ann.call("GET", "/sessions").json()["sessions"]
    assert [each["current"] for each in sessions] == [True]
    assert ann.call("POST", "/users/root/link").status == 403
    assert root.call("POST", "/users/nobody/link").status == 404
    assert choose(link.replace("lkl_", "lkt_")).status == 401
    sql = "select \"audit.action\", \"audit.decision\", \"audit.object\", \"audit.claimed\" from audit"
    rows = root.call("POST", "/sql", {"sql": sql}).json()["rows"]
    seen = [tuple(row) for row in rows]
    for expected in [
        ("manage_users", "allow", "users/ann: link for a password", None),
        ("sign_in", "deny", "password link", ""),
        ("sign_in", "allow", "password link", "ann"),
        ("manage_users", "deny", "users/root: link for a password", None),
    ]:
        assert expected in seen, (expected, seen)
    assert link.split(".")[1] not in json.dumps(rows)


def test_a_tail_ends_with_its_session(server):
    root = administrator(server)
    ann = person(server, root, "ann", "analyst")
    address = urlsplit(server.url)
    raw = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    raw.request("GET", "/api/v1/tail?q=", headers=ann.headers)
    answer = raw.getresponse()
    assert answer.status == 200 and answer.readline().startswith(b"event: status")
    session = ann.call("GET", "/sessions").json()["sessions"][0]["id"]
    assert root.call("DELETE", f"/sessions/{session}").status == 200
    answer.read()  # To its end, which a tail otherwise has none.
    raw.close()


def test_guessing_is_slowed_and_says_nothing(server):
    root = administrator(server)
    person(server, root, "ann", "analyst")
    guess = lambda user, password="wrong": Client(server).call("POST", "/session", {"user": user, "password": password})
    answers = {user: [guess(user) for _ in range(6)] for user in ("ann", "nobody")}
    for user in answers:
        assert [each.status for each in answers[user]] == [401] * 5 + [429], user
        assert int(answers[user][5].headers["retry-after"]) >= 1
    assert answers["ann"][0].text == answers["nobody"][0].text
    assert guess("ann", PASSWORD).status == 429, "also with the right one"


def test_what_is_no_request(server):
    root = administrator(server)
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert root.call("POST", "/users", {"user": "x"}, form).status == 415, "a page's form"
    foreign = {"origin": "https://evil.example"}
    assert root.call("GET", "/users", None, foreign).status == 403
    for body in [[], {}, {"user": "a b", "password": PASSWORD, "roles": []}, {"user": "x" * 65, "password": PASSWORD, "roles": []}]:
        assert root.call("POST", "/users", body).status == 400, body
    assert root.call("POST", "/users", {"user": "x", "password": "y" * 20_000, "roles": []}).status == 400
    bad = root.call("POST", "/session", {"user": "root", "pass": PASSWORD})
    assert bad.status == 400 and PASSWORD not in bad.text
    assert Client(server, token="lkt_" + "é" * 3).call("GET", "/users").status == 401


def test_the_trail_has_every_decision(server):
    root = administrator(server)
    ann = person(server, root, "ann", "analyst")
    assert Client(server).call("POST", "/session", {"user": "ann", "password": "wrong"}).status == 401
    assert ann.call("GET", "/users").status == 403
    secret = ann.call("POST", "/tokens", {"name": "ci", "roles": ["analyst"], "days": 1}).json()["token"]
    sql = (
        'select "enduser.id", "audit.action", "audit.decision", "audit.object", "audit.claimed", body, original '
        "from audit where \"event.name\" <> 'audit.access.closed' order by time"
    )
    rows = root.call("POST", "/sql", {"sql": sql.replace('"event.name"', "event_name")}).json()["rows"]
    seen = [tuple(row[:5]) for row in rows]
    for expected in [
        ("anonymous", "sign_in", "allow", "set-up link", "root"),
        ("root", "manage_users", "allow", "users/ann: add as analyst", None),
        ("anonymous", "sign_in", "allow", "password", "ann"),
        ("anonymous", "sign_in", "deny", "password", "ann"),
        ("ann", "list_users", "deny", "users", None),
        ("ann", "own_tokens", "allow", "tokens: make `ci` for analyst, 1 days", None),
    ]:
        assert expected in seen, (expected, seen)
    text = json.dumps(rows)
    for hidden in (PASSWORD, secret, secret.split(".")[1]):
        assert hidden not in text
        assert hidden not in server.stderr
