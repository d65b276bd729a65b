"""Readers who may see some services only, and not every field: nothing else of what there is can be told from any answer."""

import http.client
import json
from urllib.parse import quote

import pytest
from support.http import Connection
from support.people import CLOSED, administrator, machine, person
from support.server import Server, pairs

MASKED = "  masked: [user.email, client.address, user.id]\n"
MARKER = "[masked]"
EMAIL, ADDRESS, NUMBER = "alice.liddell@wonder.example", "203.0.113.77", 48213991
# Of a service that is not theirs.
CANARY = "canary-7f3a9c2e"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def documents():
    mine = {"service": "cart", "trace_id": TRACE, "user.email": EMAIL, "client.address": ADDRESS, "user.id": NUMBER}
    return [
        {**mine, "message": f"mail to {EMAIL} sent", "level": "info"},
        {**mine, "message": f"GET /u?m={EMAIL.replace('@', '%40')} from {ADDRESS}", "level": "error"},
        {**mine, "message": "nothing of it", "copy": f"<{EMAIL.upper()}>", "request": {"user": {"email": EMAIL}}},
        {"service": "cart", "message": "plain", "level": "warn"},
        {"service": "web", "message": f"{CANARY} of the others", "trace_id": TRACE, CANARY.replace("-", "_"): "x"},
        {"service": "web", "message": "others", "note": CANARY, "user.email": "other@wonder.example"},
    ]


SPANS = [
    {
        "traceId": TRACE, "id": f"{n:016x}", "name": f"get {n}", "timestamp": 1_795_132_800_000_000 + n, "duration": 5,
        "localEndpoint": {"serviceName": service}, "kind": "SERVER", "tags": {"user.email": EMAIL, "note": note},
    }
    for n, (service, note) in enumerate([("cart", f"for {EMAIL}"), ("web", CANARY)], 1)
]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("limited"), settings=CLOSED + MASKED).start()
    root = administrator(server)
    made = {
        "root": root,
        "server": server,
        "analyst": person(server, root, "ann", "analyst", "auditor"),
        "engineer": person(server, root, "eve", "engineer", scope={"services": ["cart"]}),
        "everywhere": person(server, root, "ed", "engineer", scope={"classes": ["default", "spans"]}),
    }
    server.ingest(documents())
    with Connection(server.url) as connection:
        answer = connection.post("/zipkin/api/v2/spans", json.dumps(SPANS), {"content-type": "application/json"})
    assert answer.status == 202, answer.text
    yield made
    server.stop()


GUESSES = [EMAIL, "bob@wonder.example", ADDRESS, "198.51.100.1", str(NUMBER), "12345678", CANARY, "canary-00000000"]


def attempts():
    """Everything that can be asked, with right and wrong guesses side by side."""
    always = "from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&q="
    filters = [
        "", "user.email:*", "not user.email:*", "user.email>a", "user.email<m", "user.email:a*", "user.email:/^al/",
        "client.address:203.*", "user.id>1000", "user.id:[48000000 to 49000000]", "/[a-z.]+@wonder/", "note:*",
        "request.user.email:*", "copy:*", "message:mail", "original:/wonder/", "level:error", f"trace_id:{TRACE}",
        "service:web", "not service:cart", "resource.service.name:web",
    ]
    for guess in GUESSES:
        filters += [f'"{guess}"', f'not "{guess}"', f'user.email:"{guess}" or client.address:"{guess}" or user.id:"{guess}"']
    for each in filters:
        for path in ("/logs", "/spans", "/histogram", "/fields", "/services", "/graph", "/overview", "/patterns", "/compare"):
            yield "GET", f"{path}?{always}{quote(each)}", None
        yield "GET", f"/compare?with=rest&values=50&{always}{quote(each)}", None
        yield "GET", f"/export?format=ndjson&{always}{quote(each)}", None
        yield "GET", f"/export?format=csv&fields=user.email,client.address,user.id,copy,note&{always}{quote(each)}", None
    for field in ("user.email", "client.address", "user.id", "copy", "note", "message", "service.name", CANARY.replace("-", "_")):
        yield "GET", f"/fields/{field}/values?{always}", None
        yield "GET", f"/histogram?by={field}&{always}", None
    yield "GET", f"/traces/{TRACE}", None
    statements = [
        'select * from logs', 'select * from spans', 'select "user.email", count(*) from logs group by 1',
        'select body from logs order by "user.email"', 'select max("user.email"), min("client.address") from logs',
        'select cast("user.email" as bigint) from logs', 'select cast(body as bigint) from logs',
        'select 1 / length("user.email") from logs', 'select substr("user.email", 1, 3) from spans',
        'select md5("user.email") from logs', 'select body from logs where original like \'%wonder%\'',
        'select l.body from logs l join spans s on l."user.email" = s."user.email"',
        'with x as (select original o from logs) select o from x', 'select * from audit', 'select * from information_schema.tables',
        'select body from logs union all select "user.email" from spans', 'select * from logs where "service.name" = \'web\'',
        'select approx_distinct("user.id"), count(distinct "user.email") from logs', 'explain select * from logs',
    ]
    statements += [f"select count(*) from logs where \"user.email\" = '{guess}' or body like '%{guess}%'" for guess in GUESSES]
    for statement in statements:
        for accept in ("application/json", "text/csv", "application/vnd.apache.arrow.stream"):
            yield "POST", "/sql", ({"sql": statement}, {"accept": accept})


def answers(client):
    for method, path, body in attempts():
        sent, headers = body or (None, None)
        yield method, path, sent, client.call(method, path, sent, headers)


def test_nothing_hidden_is_in_any_answer(people):
    tried = 0
    for method, path, sent, answer in answers(people["engineer"]):
        tried += 1
        text = answer.body.decode("utf-8", "replace").lower()
        asked = f"{path} {sent}".lower()
        for secret in (EMAIL, ADDRESS, str(NUMBER), CANARY, "other@wonder.example"):
            # An error may quote the question.
            assert secret not in text or secret in asked and answer.status == 400, f"{method} {asked}: {text[:500]}"
        assert '"scanned_rows":null' in text or '"scanned_rows"' not in text, "how much was read tells what there is"
    assert tried > 300


def test_a_right_guess_is_answered_like_a_wrong_one(people):
    def told(guess, template):
        method, path, body = template
        place = path.replace("{}", quote(guess))
        sent = body and {"sql": body["sql"].replace("{}", guess)}
        answer = people["engineer"].call(method, place, sent)
        return answer.status, comparable(answer, guess)

    always = "from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&q="
    templates = [
        ("GET", f"{path}{'&' if '?' in path else '?'}{always}{filter}", None)
        for path in ("/logs", "/histogram", "/histogram?by=user.email", "/fields", "/spans", "/overview", "/patterns", "/compare")
        for filter in ("%22{}%22", "not%20%22{}%22", "user.email:%22{}%22", "user.email%3E%22{}%22", "user.email:{}%2A", "note:%22{}%22")
    ] + [
        ("POST", "/sql", {"sql": sql})
        for sql in (
            "select count(*) from logs where \"user.email\" = '{}'",
            "select count(*) from logs where not (\"user.email\" >= '{}')",
            "select count(*) from logs where body like '%{}%' or original like '%{}%'",
            "select case when \"user.email\" = '{}' then 1 else 0 end as n, count(*) from logs group by 1",
            "select 1 / (case when \"user.email\" = '{}' then 0 else 1 end) from logs",
            "select count(*) from spans where \"user.email\" = '{}' or note like '%{}%'",
        )
    ]
    for template in templates:
        for right, wrong in [(EMAIL, "alice.liddelk@wonder.example"), (CANARY, "canary-7f3a9c2f")]:
            assert told(right, template) == told(wrong, template), template


def comparable(answer, guess):
    """The answer without its times and without what was asked."""
    told = answer.json()
    told.pop("stats", None)
    return json.dumps(told).replace(guess, "GUESS")


def test_what_may_be_seen_is_seen(people):
    told = people["engineer"].call("GET", "/logs?from=-365d&q=")
    records = told.json()["records"]
    assert len(records) == 4 and {record["service"] for record in records} == {"cart"}
    bodies = sorted(record["body"] for record in records)
    assert bodies == [MARKER, MARKER, "nothing of it", "plain"]
    with_mail = [(record, attributes) for record in records if (attributes := pairs(record, "attributes")).get("user.email")]
    assert len(with_mail) == 3
    for record, attributes in with_mail:
        assert attributes["user.email"] == attributes["client.address"] == MARKER
        assert record["original"] in (MARKER, None)
    assert [attributes["copy"] for _, attributes in with_mail if "copy" in attributes] == [MARKER]
    facets = people["engineer"].call("GET", "/fields/user.email/values?from=-365d").json()["values"]
    assert facets == [{"value": MARKER, "count": 3}]
    wide = people["everywhere"].call("GET", "/logs?from=-365d&q=").json()["records"]
    assert {record["service"] for record in wide} == {"cart", "web"}
    everything = people["analyst"].call("GET", "/logs?from=-365d&q=")
    for secret in (EMAIL, ADDRESS, CANARY):
        assert secret in everything.text
    assert everything.json()["stats"]["scanned_rows"] > 0
    trace = people["engineer"].call("GET", f"/traces/{TRACE}").json()
    assert [span["service"] for span in trace["spans"]] == ["cart"] and len(trace["logs"]) == 3


def test_context_and_a_single_record_and_ids_of_others(people):
    engineer, analyst = people["engineer"], people["analyst"]
    records = analyst.call("GET", "/logs?from=-365d&q=").json()["records"]
    for record in records:
        theirs = record["service"] == "cart"
        for path in (f"/logs/{record['id']}", f"/logs/{record['id']}/context?before=10&after=10"):
            answer = engineer.call("GET", path)
            assert answer.status == (200 if theirs else 404), path
            for secret in (EMAIL, ADDRESS, CANARY):
                assert secret not in answer.text, path


def test_the_tail_shows_no_more(people):
    engineer, server = people["engineer"], people["server"]
    url = engineer.connection.url
    raw = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    raw.request("GET", "/api/v1/tail?q=", headers=engineer.headers)
    lines = raw.getresponse()
    assert lines.status == 200 and lines.readline().startswith(b"event: status")
    server.ingest([*documents(), {"service": "cart", "message": "the last one"}])
    seen = b""
    while b"the last one" not in seen:
        seen += lines.readline()
    raw.close()
    text = seen.decode()
    assert MARKER in text and "plain" in text
    for secret in (EMAIL, ADDRESS, str(NUMBER), CANARY, "others"):
        assert secret not in text


def test_a_token_sees_no_more_than_its_owner(people):
    server, engineer, analyst = people["server"], people["engineer"], people["analyst"]
    services = lambda client: {r["service"] for r in client.call("GET", "/logs?from=-365d&q=&limit=1000").json()["records"]}
    assert services(machine(server, engineer, "engineer")) == {"cart"}
    assert services(machine(server, engineer, "engineer", scope={"services": ["web"]})) == set(), "both must admit it"
    assert services(machine(server, analyst, "analyst", scope={"services": ["web"]})) == {"web"}
    bad = engineer.call("POST", "/tokens", {"name": "x", "roles": ["engineer"], "days": 1, "scope": {"service": ["cart"]}})
    assert bad.status == 400
    assert engineer.call("POST", "/tokens", {"name": "x", "roles": ["engineer"], "days": 1, "scope": {}}).status == 400


def test_why_and_the_trail(people):
    root, analyst = people["root"], people["analyst"]
    why = root.call("GET", "/access/explain?user=eve&action=unmask&field=user.email").json()
    assert why["allowed"] is False and why["policies"] == {} and why["masked"] == ["user.email", "client.address", "user.id"]
    assert why["scopes"] == [{"services": ["cart"]}]
    why = root.call("GET", "/access/explain?user=ann&action=unmask&field=user.email").json()
    assert why["allowed"] is True and list(why["policies"]) == ["logkeep/analyst-unmask"]
    assert root.call("GET", "/access/explain?user=eve&action=fly").status == 400
    assert root.call("GET", "/access/explain?user=nobody-there&action=query").status == 404
    sql = 'select "enduser.id", "audit.scope", "audit.masked", "audit.unmasked" from audit where "audit.action" = \'query\''
    rows = {tuple(row) for row in analyst.call("POST", "/sql", {"sql": sql}).json()["rows"]}
    assert ("eve", "services: cart", "user.email client.address user.id", None) in rows
    assert ("ann", None, None, "user.email client.address user.id") in rows


def test_a_scope_is_kept_unless_it_is_changed(people):
    root = people["root"]
    person(people["server"], root, "zed", "engineer", scope={"services": ["cart"]})
    scope = lambda: next(u["scope"] for u in root.call("GET", "/users").json()["users"] if u["user"] == "zed")
    assert root.call("PUT", "/users/zed", {"roles": ["engineer", "auditor"]}).status == 200
    assert scope() == {"services": ["cart"]}
    assert root.call("PUT", "/users/zed", {"roles": ["engineer"], "scope": {"namespaces": ["shop"]}}).status == 200
    assert scope() == {"namespaces": ["shop"]}
    assert root.call("PUT", "/users/zed", {"roles": ["engineer"], "scope": None}).status == 200
    assert scope() is None
