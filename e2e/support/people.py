"""People and their tokens, as clients of one server."""

import json

PASSWORD = "granite lantern oboe thirty"
JSON = {"content-type": "application/json"}
CLOSED = "access:\n  loopback: sign_in\n"


class Client:
    """Somebody with a browser's cookie, or with a token."""

    def __init__(self, server, token=None):
        self.connection = server.connect()
        self.connection.token = None
        self.headers = {"authorization": f"Bearer {token}"} if token else {}

    def call(self, method, path, body=None, headers=None):
        text = None if body is None else json.dumps(body)
        return self.connection.request(method, f"/api/v1{path}", text, {**JSON, **self.headers, **(headers or {})})

    def sign_in(self, path, body):
        answer = self.call("POST", path, body)
        assert answer.status == 200, answer.text
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
        self.headers = {"cookie": cookie.split(";")[0]}
        return self


def link(server):
    path = server.data / "set-up-link"
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text().strip()


def administrator(server):
    """The first of a server that has none, or the one that it was given at its start."""
    if server.token:
        return Client(server).sign_in("/session", {"user": "root", "password": PASSWORD})
    return Client(server).sign_in("/setup", {"link": link(server), "user": "root", "password": PASSWORD})


def person(server, root, name, *roles, scope=None, approver=None):
    """Somebody new. Whom another must approve chooses the password by a link."""
    wanted = {"user": name, "roles": roles, "scope": scope}
    if approver:
        link = approved(approver, root.call("POST", "/users", wanted)).json()["link"]
        answer = Client(server).call("POST", "/password", {"link": link, "password": PASSWORD})
    else:
        answer = root.call("POST", "/users", {**wanted, "password": PASSWORD})
    assert answer.status == 200, answer.text
    return Client(server).sign_in("/session", {"user": name, "password": PASSWORD})


def reader(server):
    """The token of somebody who reads everything."""
    root = administrator(server)
    made = token(root, "analyst", "auditor")
    assert root.call("DELETE", "/session").status == 200
    return made


def approved(approver, answer, expected=200):
    """What comes of an answer that says that it waits, once somebody has approved it."""
    assert answer.status == 202, answer.text
    request = answer.json()["approval"]
    decided = decide(approver, request)
    assert decided.status == expected, decided.text
    return decided


def decide(approver, request, decision="approve", **other):
    return approver.call("POST", f"/approvals/{request['id']}", {"hash": request["hash"], "decision": decision, **other})


def token(owner, *roles, days=1, **more):
    """A token of somebody's own."""
    answer = owner.call("POST", "/tokens", {"name": "test", "roles": roles, "days": days, **more})
    assert answer.status == 200, answer.text
    return answer.json()["token"]


def machine(server, owner, *roles, **more):
    """Whoever shows such a token."""
    return Client(server, token=token(owner, *roles, **more))
