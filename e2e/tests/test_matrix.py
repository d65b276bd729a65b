"""Who may do what: every route of the API for everybody there is, over HTTP, none left out."""

import http.client
import re
from pathlib import Path

import pytest
from support.people import CLOSED, PASSWORD, Client, administrator, machine, person
from support.server import Server

ROUTES = Path(__file__).parents[2] / "crates" / "server" / "src" / "api" / "mod.rs"
CART = {"services": ["cart"]}

# Each letter is one of them, in this order.
WHO = [
    "anonymous",
    "nobody",
    "administrator",
    "analyst",
    "analyst of cart",
    "engineer",
    "engineer of cart",
    "auditor",
    "collector",
    "administrator and auditor",
    "token: administrator",
    "token: analyst",
    "token: analyst of cart",
    "token: engineer of cart",
    "token: auditor",
    "token: collector",
    "break-glass",
]

# x allowed, . denied (403), - not known (401), t allowed but there is no such table, or no template is named (400)
MATRIX = [
    ("GET", "/logs", None, "-..xx.x....xxx..."),
    ("GET", "/logs/{id}", None, "-..xx.x....xxx..."),
    ("GET", "/logs/{id}/context", None, "-..xx.x....xxx..."),
    ("GET", "/logs/{id}/proof", None, "-..xx.x....xxx..."),
    ("GET", "/spans", None, "-..xx.x....xxx..."),
    ("GET", "/traces/{id}", None, "-..xx.x....xxx..."),
    ("GET", "/overview", None, "-..xx.x....xxx..."),
    ("GET", "/patterns", None, "-..xx.x....xxx..."),
    ("GET", "/patterns/parameters", None, "-..tt.t....ttt..."),
    ("GET", "/services", None, "-..xx.x....xxx..."),
    ("GET", "/graph", None, "-..xx.x....xxx..."),
    ("GET", "/sources", None, "-.xx...x.xxx..x.."),
    ("GET", "/audit", None, "-......x.x....x.."),
    ("GET", "/compare", None, "-..xx.x....xxx..."),
    ("GET", "/histogram", None, "-..xx.x....xxx..."),
    ("GET", "/fields", None, "-..xx.x....xxx..."),
    ("GET", "/fields/{name}/values", None, "-..xx.x....xxx..."),
    ("GET", "/export", None, "-..xx.x....xxx..."),
    ("GET", "/tail", None, "-..xx.x....xxx..."),
    ("POST", "/sql", {"sql": "select count(*) from logs"}, "-..xx.xt.t.xxxt.."),
    ("POST", "/sql", {"sql": "select count(*) from spans"}, "-..xx.xt.t.xxxt.."),
    ("POST", "/sql", {"sql": "select count(*) from audit"}, "-..tt.tx.x.tttx.."),
    ("GET", "/status", None, "-.xxx.xx.xxxxxx.."),
    ("GET", "/session", None, "-xxxxxxxxxxxxxxxx"),
    ("GET", "/users", None, "-.x....x.xx...x.."),
    ("POST", "/users", {"user": "new-{who}", "password": PASSWORD, "roles": []}, "-.x......xx......"),
    ("PUT", "/users/{name}", {"roles": [], "disabled": True}, "-.x......xx......"),
    ("GET", "/access/explain", None, "-.x....x.xx...x.."),
    ("GET", "/sessions", None, "-xxxxxxxxxx...x.x"),
    ("DELETE", "/sessions/{id}", None, "-.x......xx......"),
    ("GET", "/tokens", None, "-xxxxxxxxxx...x.x"),
    ("POST", "/tokens", {"name": "t", "roles": ["auditor"], "days": 1}, "-xxxxxxxxx......x"),
    ("DELETE", "/tokens/{id}", None, "-.x......xx......"),
    ("PUT", "/password", {"old": "wrong", "new": "x"}, "-xxxxxxxxx......x"),
    ("POST", "/second-factor", {"password": "wrong"}, "-xxxxxxxxx......x"),
    ("PUT", "/second-factor", {"code": "000000"}, "-xxxxxxxxx......x"),
    ("DELETE", "/second-factor", {"password": "wrong", "code": "000000"}, "-xxxxxxxxx......x"),
    ("POST", "/second-factor/recovery", {"password": "wrong", "code": "000000"}, "-xxxxxxxxx......x"),
    ("DELETE", "/users/{name}/second-factor", None, "-.x......xx......"),
    ("POST", "/users/{name}/link", None, "-.x......xx......"),
    ("DELETE", "/tenants/{name}/keys", None, "-.x......xx......"),
    ("GET", "/tenants/{name}/retention", None, "-.x....x.xx...x.."),
    ("PUT", "/tenants/{name}/retention", {"class": "default", "days": 90}, "-.x......xx......"),
    ("GET", "/tenants/{name}/holds", None, "-.x....x.xx...x.."),
    ("POST", "/tenants/{name}/holds", {"reason": "a case"}, "-.x......xx......"),
    ("DELETE", "/tenants/{name}/holds/{id}", None, "-.x......xx......"),
    ("GET", "/views", None, "-.xxx.xx.xxxxxx.."),
    ("POST", "/views", {"name": "{who}", "address": "/logs"}, "-..xx.x....xxx..."),
    ("PUT", "/views/{id}", {"name": "another's", "address": "/logs"}, "-.x......xx......"),
    ("DELETE", "/views/{id}", None, "-.x......xx......"),
    ("GET", "/approvals", None, "-.x....x.xx...x.."),
    ("POST", "/approvals/{id}", {"hash": "0", "decision": "refuse"}, "-.x......x......."),
    ("GET", "/break-glass", None, "-.x....x.xx...x.."),
    ("POST", "/break-glass", {"reason": "short", "minutes": 5}, "-...............x"),
    ("DELETE", "/break-glass", None, "-...............x"),
    ("POST", "/break-glass/{id}/review", {"note": "looked at it"}, "-.x....x.x......."),
]
# Who asks them cannot be told from who they are: by what they show instead.
OTHERS = {
    ("POST", "/setup"),
    ("POST", "/session"),
    ("POST", "/password"),
    ("DELETE", "/session"),
    ("GET", "/session/oidc/start"),
    ("GET", "/session/oidc/callback"),
}
# What takes a password or a code as well.
OWN = ("/password", "/second-factor", "/second-factor/recovery")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("matrix"), settings=CLOSED).start()
    root = administrator(server)
    made = {
        "anonymous": Client(server),
        "nobody": person(server, root, "nobody"),
        "administrator": person(server, root, "administrator", "administrator"),
        "analyst": person(server, root, "analyst", "analyst"),
        "analyst of cart": person(server, root, "analyst.cart", "analyst", scope=CART),
        "engineer": person(server, root, "engineer", "engineer"),
        "engineer of cart": person(server, root, "engineer.cart", "engineer", scope=CART),
        "auditor": person(server, root, "auditor", "auditor"),
        "collector": person(server, root, "collector", "collector"),
    }
    second = made["administrator"]
    made["administrator and auditor"] = person(server, root, "both", "administrator", "auditor", approver=second)
    made["break-glass"] = person(server, root, "glass", "break-glass", approver=second)
    person(server, root, "victim")
    for role in ("administrator", "analyst", "auditor", "collector"):
        made[f"token: {role}"] = machine(server, made[role], role)
    made["token: analyst of cart"] = machine(server, made["analyst"], "analyst", scope=CART)
    made["token: engineer of cart"] = machine(server, made["engineer of cart"], "engineer")
    server.ingest([{"message": "hello", "service": "cart", "email": "a@b.example"}])
    record = made["analyst"].call("GET", "/logs").json()["records"][0]["id"]
    yield made, {"/logs/{id}": record, "/traces/{id}": "4bf92f3577b34da6a3ce929d0e0e4736"}
    server.stop()


def asked(client, who, method, path, body, ids):
    """What the server decides, as a letter."""
    place = path.replace("{name}", "victim" if path.startswith("/users") else "service.name")
    place = place.replace("{id}", ids.get(path.removesuffix("/context").removesuffix("/proof"), "0000000000000000"))
    query = {"/access/explain": "?user=victim&action=query", "/export": "?format=ndjson"}.get(path, "")
    body = body and {key: who_is(value, who) for key, value in body.items()}
    # A refusal may have closed it, and what changes something is not sent twice.
    client.connection.close()
    answer = client.call(method, place + query, body)
    known = {401: "-", 403: "."}
    if path in OWN and answer.status in (401, 429) and "sign in" not in answer.text:
        return "x"  # They may, if they know the password or the code.
    if answer.status == 400 and path in ("/sql", "/patterns/parameters"):
        return "t"
    assert answer.status in (200, 400, 401, 403, 404, 409), f"{who} {method} {path}: {answer.status} {answer.text}"
    return known.get(answer.status, "x")


def who_is(value, who):
    return value.replace("{who}", re.sub("[^a-z]", "", who)) if isinstance(value, str) else value


def test_every_cell(people):
    clients, ids = people
    assert set(clients) == set(WHO)
    cells, wrong = 0, []
    for method, path, body, letters in MATRIX:
        assert len(letters) == len(WHO), path
        for who, expected in zip(WHO, letters):
            told = asked(clients[who], who, method, path, body, ids) if path != "/tail" else tails(clients[who])
            cells += 1
            if told != expected:
                wrong.append(f"{method} {path} {body or ''} by {who}: {told}, not {expected}")
    assert not wrong, "\n".join(wrong)
    assert cells >= 300


def tails(client):
    """Whether a tail begins; it never ends by itself."""
    url = client.connection.url
    raw = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    raw.request("GET", "/api/v1/tail?q=hello", headers=client.headers)
    status = raw.getresponse().status
    raw.close()
    return {200: "x", 401: "-", 403: "."}[status]


def test_no_route_is_left_out():
    source = ROUTES.read_text()
    listed = set()
    for path, methods in re.findall(r'\.route\("(/[^"]*)", ([^\n]*)\)\n', source.split("fallback(error")[0]):
        listed |= {(method.upper(), path) for method in re.findall(r"\b(get|post|put|delete)\(", methods)}
    listed = {(method, path) for method, path in listed if path != "/metrics"}
    known = {(method, path) for method, path, _, _ in MATRIX} | OTHERS
    assert listed - known == set(), "routes of which the matrix says nothing"
    assert known - listed == set(), "routes that there are not"
