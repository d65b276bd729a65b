"""Signing in at a provider: who is let in as what, and all that is refused, each with one answer and one record of the trail."""

import json
import time

import pytest
from support.oidc import SECRET, Browser, Key, Provider, hs256, rs256, unsigned
from support.people import CLOSED, PASSWORD, Client, administrator
from support.server import Server

REFUSED = "/#sign-in-refused="


@pytest.fixture
def provider(tmp_path):
    standing_in = Provider(tmp_path)
    yield standing_in
    standing_in.stop()


@pytest.fixture
def server(tmp_path, provider):
    running = Server(tmp_path / "server", settings=CLOSED + provider.settings()).start()
    yield running
    running.stop()


def trail(root):
    """What the trail has of sign-ins at the provider, oldest first."""
    sql = "select * from audit where \"audit.object\" = 'oidc' and \"audit.action\" = 'sign_in' order by time"
    answer = root.call("POST", "/sql", {"sql": sql})
    assert answer.status == 200, answer.text
    answer = answer.json()
    names = [column["name"] for column in answer["columns"]]
    rows = [dict(zip(names, row)) for row in answer["rows"]]
    wanted = ("decision", "reason", "claimed", "user", "subject")
    return [tuple(row.get(f"audit.{name}") for name in wanted) for row in rows]


def session(browser):
    answer = browser.get("/api/v1/session")
    return answer.json() if answer.status == 200 else None


def test_somebody_comes_from_the_provider(server, provider):
    root = administrator(server)
    asked = Client(server).call("GET", "/session").json()
    assert asked["oidc"] == {"label": "Example"}
    jane = Browser(server)
    assert jane.sign_in(provider, to="/?q=hello") == "/?q=hello"
    known = session(jane)
    assert (known["shown"], known["by"], known["roles"]) == ("jane", "session", ["analyst"])
    assert known["name"].startswith("oidc:") and "second_factor" not in known, "that is the provider's"
    assert jane.get("/api/v1/logs").status == 200 and jane.get("/api/v1/users").status == 403
    assert list(jane.cookies) == ["logkeep_session"], "the cookie of the way there is gone"
    assert Browser(server).sign_in(provider, to="https://evil.example/") == "/", "and never elsewhere"

    # Roles follow the groups, the name does not decide.
    provider.claims = {"groups": ["ops", "unknown"], "preferred_username": "root"}
    again = Browser(server)
    again.sign_in(provider)
    assert session(again)["name"] == known["name"] and session(again)["shown"] == "root"
    assert session(jane)["roles"] == ["administrator", "auditor"], "at once, and for the session before as well"
    provider.claims = {"sub": "2", "preferred_username": "jane"}
    other = Browser(server)
    other.sign_in(provider)
    assert session(other)["name"] != known["name"], "another subject with her name is somebody else"
    people = {each["user"]: each for each in root.call("GET", "/users").json()["users"]}
    assert len(people) == 3 and people["root"]["oidc"] is None
    assert people[known["name"]]["oidc"] == {"issuer": provider.url, "subject": "1"}

    assert root.call("PUT", f"/users/{known['name']}", {"roles": ["analyst"]}).status == 409, "these are the groups'"
    kept_out = {"roles": ["administrator", "auditor"], "disabled": True}
    assert root.call("PUT", f"/users/{known['name']}", kept_out).status == 200
    assert session(jane) is None
    provider.claims = {}
    assert Browser(server).sign_in(provider) == f"{REFUSED}refused"
    assert [row[0] for row in trail(root)] == ["allow"] * 4 + ["deny"]
    assert trail(root)[-1] == ("deny", "they are disabled", "jane", known["name"], "1")
    for password in ["", PASSWORD]:
        assert Client(server).call("POST", "/session", {"user": known["name"], "password": password}).status == 401
    assert root.call("POST", "/users", {"user": known["name"], "password": PASSWORD, "roles": []}).status == 400
    assert SECRET not in server.stderr


def test_who_is_in_no_group_is_not_let_in(server, provider):
    root = administrator(server)
    for groups in [None, [], ["administrator"], "nobody", {"devs": 1}]:
        provider.claims = {"groups": groups}
        browser = Browser(server)
        assert browser.sign_in(provider) == f"{REFUSED}no_role", groups
        assert session(browser) is None
    assert len(root.call("GET", "/users").json()["users"]) == 1, "and is nobody here"
    assert [row[:3] for row in trail(root)] == [("deny", "no group of theirs has a role here", "jane")] * 5


def test_tokens_that_are_no_good(server, provider, tmp_path):
    root = administrator(server)
    now = int(time.time())
    stranger, good = Key(tmp_path, "stranger"), provider.make
    same_name = Key(tmp_path, "impostor")
    same_name.kid = provider.key.kid
    jwk = json.dumps(provider.key.jwk).encode()
    no_way = "it is not signed in a way that is taken"
    for what, make, claims, reason in [
        ("expired", good, {"exp": now - 5}, "it has expired"),
        ("not yet valid", good, {"nbf": now + 600}, "it is not valid yet"),
        ("made in the future", good, {"iat": now + 600}, "it is not valid yet"),
        ("wrong audience", good, {"aud": "another"}, "it is for somebody else"),
        ("one audience more", good, {"aud": ["logkeep", "another"]}, "it is for somebody else"),
        ("another's party", good, {"azp": "another"}, "it is for somebody else"),
        ("wrong issuer", good, {"iss": "https://evil.example"}, "it is of another issuer"),
        ("alg none", unsigned, {}, no_way),
        ("HS256 with the public key as PEM", hs256(provider.key.public_pem, "first"), {}, no_way),
        ("HS256 with the public key as JWK", hs256(jwk, "first"), {}, no_way),
        ("HS256 with the client's secret", hs256(SECRET.encode(), "first"), {}, no_way),
        ("missing nonce", good, {"nonce": None}, "it was not made for this sign-in"),
        ("wrong nonce", good, {"nonce": "0" * 64}, "it was not made for this sign-in"),
        ("a key of another with its name", rs256(same_name), {}, "its signature is wrong"),
        ("a key that is not published", rs256(stranger), {}, "its key is not known"),
        ("no token", lambda _: "x", {}, None),
    ]:
        before = len(trail(root))
        provider.make, provider.claims = make, claims
        browser = Browser(server)
        assert browser.sign_in(provider) == f"{REFUSED}refused", what
        assert session(browser) is None and "logkeep_session" not in browser.cookies, what
        records = trail(root)
        assert len(records) == before + 1, what
        reason = f"the ID token is no good: {reason or 'it cannot be read'}"
        assert records[-1] == ("deny", reason, None, None, None), what
    assert len(root.call("GET", "/users").json()["users"]) == 1
    provider.make, provider.claims = good, {}
    assert Browser(server).sign_in(provider) == "/", "and the next good one is"


def test_a_sign_in_is_one_browsers_and_once(server, provider):
    root = administrator(server)
    jane, mallory = Browser(server), Browser(server)
    code, asked = jane.begin(provider)
    mallory.begin(provider)
    assert mallory.come_back(code=code, state=asked["state"]) == f"{REFUSED}not_begun", "of another browser"
    assert jane.come_back(code=code, state=asked["state"]) == f"{REFUSED}not_begun", "it was tried, and is over"
    code, asked = jane.begin(provider)
    kept = dict(jane.cookies)
    assert jane.come_back(code=code, state=asked["state"]) == "/"
    jane.cookies = kept
    assert jane.come_back(code=code, state=asked["state"]) == f"{REFUSED}not_begun", "a state is good once"
    assert Browser(server).come_back(code="x", state="y") == f"{REFUSED}not_begun"
    assert Browser(server).come_back() == f"{REFUSED}not_begun"
    _, asked = jane.begin(provider)
    assert jane.come_back(code="guessed", state=asked["state"]) == f"{REFUSED}refused"
    _, asked = jane.begin(provider)
    assert jane.come_back(error="access_denied", state=asked["state"]) == f"{REFUSED}refused"
    code, asked = jane.begin(provider)
    assert jane.come_back(code=code, state=asked["state"], iss="https://evil.example") == f"{REFUSED}not_begun"
    code, asked = jane.begin(provider)
    server.stop()
    server.start()
    after = Browser(server)
    after.cookies = jane.cookies
    assert after.come_back(code=code, state=asked["state"]) == f"{REFUSED}not_begun", "nothing of it outlives the server"

    again = Client(server)
    again.headers = root.headers
    over = "no sign-in of this state has begun, or it is over"
    assert [row[:2] for row in trail(again)] == [
        ("deny", "another browser has begun this sign-in"),
        ("deny", over),
        ("allow", None),
        ("deny", over),
        ("deny", over),
        ("deny", over),
        ("deny", "the provider refused: the code: invalid_grant"),
        ("deny", "the provider refused: access_denied"),
        ("deny", "another provider answers"),
        ("deny", over),
    ]


def test_keys_change_and_are_asked_for_no_more_than_needed(server, provider, tmp_path):
    asked = lambda: provider.requests.count("/jwks")
    administrator(server)
    assert provider.requests == [], "nobody has wanted to sign in yet"
    for _ in range(3):
        assert Browser(server).sign_in(provider) == "/"
    assert (asked(), provider.requests.count("/.well-known/openid-configuration")) == (1, 1)
    second = Key(tmp_path, "second")
    provider.published, provider.make = [second.jwk], rs256(second)
    assert Browser(server).sign_in(provider) == "/", "a key that is new"
    assert asked() == 2
    stranger = Key(tmp_path, "stranger")
    provider.make = rs256(stranger)
    for _ in range(5):
        assert Browser(server).sign_in(provider) == f"{REFUSED}refused"
    assert asked() == 2, "not for each that somebody makes up, within a minute"


def test_a_provider_that_misbehaves(tmp_path, provider):
    cases = {
        "redirects": lambda path: (302, {}, {"location": f"{provider.url}/elsewhere"}),
        "is endless": lambda path: (200, b'{"issuer": "' + b"x" * (2 << 20) + b'"}'),
        "is another": lambda path: (200, provider.metadata() | {"issuer": "http://127.0.0.1:1"}),
        "sends to the clear": lambda path: (200, provider.metadata() | {"token_endpoint": "http://evil.example/token"}),
        "sends browsers to the clear": lambda path: (200, provider.metadata() | {"authorization_endpoint": "http://evil.example/"}),
        "has keys in the clear": lambda path: (200, provider.metadata() | {"jwks_uri": "http://evil.example/jwks"}),
        "is no JSON": lambda path: (200, b"<html>"),
        "fails": lambda path: (500, {}),
    }
    whole = provider.get
    for number, (what, answer) in enumerate(cases.items()):
        server = Server(tmp_path / f"server-{number}", settings=CLOSED + provider.settings()).start()
        provider.get = lambda path, answer=answer: whole(path) if path == "/jwks" else answer(path)
        root = administrator(server)
        browser = Browser(server)
        assert browser.get("/api/v1/session/oidc/start").headers["location"] == f"{REFUSED}unavailable", what
        assert [row[0] for row in trail(root)] == ["deny"], what
        assert trail(root)[0][1].startswith("the provider cannot be asked: "), what
        assert session(browser) is None
        assert Client(server).call("POST", "/session", {"user": "root", "password": PASSWORD}).status == 200, what
        server.stop()
        provider.get = whole
    assert "/elsewhere" not in provider.requests, "a redirect was followed"


def test_without_a_provider_there_is_none(tmp_path):
    server = Server(tmp_path, settings=CLOSED).start()
    assert Client(server).call("GET", "/session").json()["oidc"] is None
    for path in ["start", "callback?code=x&state=y"]:
        assert Client(server).call("GET", f"/session/oidc/{path}").status == 404, path
    server.stop()
