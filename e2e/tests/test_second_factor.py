"""Codes of an app beside the password: enrolling, signing in, replay, recovery, reset, and a server that requires them."""

import re
from xml.etree import ElementTree

import pytest
from support.people import CLOSED, PASSWORD, Client, administrator, person
from support.server import Server
from support.totp import App

ANN = {"user": "ann", "password": PASSWORD}


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path, settings=CLOSED).start()
    yield running
    running.stop()


def enrol(client):
    """The app, and the recovery codes; the code of the step before is used."""
    made = client.call("POST", "/second-factor", {"password": PASSWORD})
    assert made.status == 200, made.text
    made = made.json()
    assert f"secret={made['secret']}" in made["uri"] and made["uri"].startswith("otpauth://totp/Logkeep:")
    assert ElementTree.fromstring(made["qr"]).tag == "{http://www.w3.org/2000/svg}svg"
    app = App(made["secret"])
    assert client.call("PUT", "/second-factor", {"code": "000000x"}).status == 401
    confirmed = client.call("PUT", "/second-factor", {"code": app.code(-1)})
    assert confirmed.status == 200, confirmed.text
    codes = confirmed.json()["recovery_codes"]
    assert len(set(codes)) == 10 and all(re.fullmatch(r"([0-9a-f]{4}-){6}[0-9a-f]{4}", code) for code in codes)
    return app, codes


def signing_in(server, **more):
    answer = Client(server).call("POST", "/session", {**ANN, **more})
    return answer.status, answer.json().get("error", {}).get("code")


def test_a_code_beside_the_password(server):
    root = administrator(server)
    ann = person(server, root, "ann", "analyst")
    assert ann.call("POST", "/second-factor", {"password": "wrong"}).status == 401, "a session that was found is no leave"
    app, codes = enrol(ann)
    known = ann.call("GET", "/session").json()
    assert known["second_factor"] == {"on": True, "needed": False, "recovery_codes": 10}
    users = {each["user"]: each["second_factor"] for each in root.call("GET", "/users").json()["users"]}
    assert users == {"root": False, "ann": True}

    assert signing_in(server) == (401, "code_needed")
    wrong_code = Client(server).call("POST", "/session", {**ANN, "code": "123"})
    wrong_password = Client(server).call("POST", "/session", {**ANN, "password": "wrong", "code": app.code()})
    assert (wrong_code.status, wrong_code.text) == (wrong_password.status, wrong_password.text)
    assert wrong_code.json()["error"]["code"] == "unauthenticated"
    assert signing_in(server, code=app.code(-1)) == (401, "unauthenticated"), "it was used to enrol"
    assert signing_in(server, code=app.code()) == (200, None)
    assert signing_in(server, code=app.code()) == (401, "unauthenticated"), "once"
    server.stop()
    server.start()
    assert signing_in(server, code=app.code()) == (401, "unauthenticated"), "also after a restart"
    assert signing_in(server, code=codes[4].upper()) == (200, None)
    assert signing_in(server, code=codes[4]) == (401, "unauthenticated")


def test_switching_off_and_resetting(server):
    root = administrator(server)
    ann = person(server, root, "ann", "analyst")
    app, codes = enrol(ann)
    for shown in [{"password": "wrong", "code": codes[0]}, {"password": PASSWORD, "code": "000000x"}]:
        assert ann.call("DELETE", "/second-factor", shown).status == 401, shown
        assert ann.call("POST", "/second-factor/recovery", shown).status == 401, shown
    for missing in [{"password": PASSWORD}, {"code": codes[0]}]:
        assert ann.call("DELETE", "/second-factor", missing).status == 400, missing
    renewed = ann.call("POST", "/second-factor/recovery", {"password": PASSWORD, "code": codes[0]})
    assert renewed.status == 200 and len(renewed.json()["recovery_codes"]) == 10
    assert signing_in(server, code=codes[1]) == (401, "unauthenticated"), "of those before"
    assert ann.call("DELETE", "/second-factor", {"password": PASSWORD, "code": app.code()}).status == 200
    assert signing_in(server) == (200, None)

    enrol(ann)
    assert ann.call("DELETE", "/users/ann/second-factor").status == 403, "that is for administrators"
    assert root.call("DELETE", "/users/root/second-factor").status == 409, "and not for their own"
    assert root.call("DELETE", "/users/ann/second-factor").status == 200
    assert ann.call("GET", "/logs").status == 401, "her sessions ended with it"
    assert signing_in(server) == (200, None)
    assert root.call("DELETE", "/users/ann/second-factor").status == 404

    sql = "select \"enduser.id\", \"audit.action\", \"audit.decision\", \"audit.object\" from audit where event_name <> 'audit.access.closed'"
    seen = [tuple(row) for row in root.call("POST", "/sql", {"sql": sql}).json()["rows"]]
    for expected in [
        ("ann", "own_password", "allow", "users/ann: make a second factor"),
        ("ann", "own_password", "allow", "users/ann: second factor on"),
        ("ann", "own_password", "allow", "users/ann: second factor off"),
        ("ann", "own_password", "allow", "users/ann: new recovery codes"),
        ("anonymous", "sign_in", "deny", "password and code"),
        ("ann", "manage_users", "deny", "users/ann: reset the second factor"),
        ("root", "manage_users", "allow", "users/ann: reset the second factor"),
    ]:
        assert expected in seen, (expected, seen)


def test_a_server_that_requires_it(tmp_path):
    server = Server(tmp_path, settings=CLOSED + "  second_factor: required\n").start()
    root = administrator(server)
    known = root.call("GET", "/session").json()
    assert (known["second_factor"]["needed"], known["may"]) == (True, ["own_password"])
    for method, path in [("GET", "/users"), ("GET", "/logs"), ("GET", "/status"), ("GET", "/sessions"), ("GET", "/tail")]:
        answer = root.call(method, path)
        assert (answer.status, answer.json()["error"]["code"]) == (403, "second_factor_needed"), path
    assert root.call("PUT", "/password", {"old": PASSWORD, "new": "x"}).status == 403
    assert root.call("POST", "/tokens", {"name": "t", "roles": ["analyst"], "days": 1}).status == 403
    app, _ = enrol(root)
    assert root.call("GET", "/users").status == 200
    assert root.call("DELETE", "/second-factor", {"password": PASSWORD, "code": app.code()}).status == 200
    assert root.call("GET", "/users").status == 403
    enrol(root)
    assert root.call("DELETE", "/session").status == 200
    server.stop()
