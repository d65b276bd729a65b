"""Views that are saved for everybody of a tenant: who may, of which tenant, for how long, and what the trail says."""

import json

import pytest
from support.certs import Authority
from support.http import Connection
from support.people import CLOSED, PASSWORD, Client, administrator, machine, person
from support.server import Server

ERRORS = {"name": "Errors", "description": "what fails first", "address": "/logs?q=level%3Aerror&col=url.path"}


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path, settings=CLOSED).start()
    yield running
    running.stop()


@pytest.fixture
def people(server):
    root = administrator(server)
    made = {"root": root, "ada": person(server, root, "ada", "analyst"), "ann": person(server, root, "ann", "analyst")}
    made["eve"] = person(server, root, "eve", "engineer", scope={"services": ["cart"]})
    made["aud"] = person(server, root, "aud", "auditor")
    return made


def listed(client):
    answer = client.call("GET", "/views")
    assert answer.status == 200, answer.text
    return answer.json()["views"]


def saved(client, **other):
    answer = client.call("POST", "/views", {**ERRORS, **other})
    assert answer.status == 200, answer.text
    return answer.json()["id"]


def test_a_view_is_saved_for_everybody_and_changed_by_its_owner(server, people):
    view = saved(people["ada"])
    for who in ("root", "ada", "ann", "eve", "aud"):
        [one] = listed(people[who])
        assert {name: one[name] for name in ERRORS} == ERRORS and one["owner"] == "ada" and one["own"] == (who == "ada")
    changed = {"name": "Failures", "description": "", "address": "/compare?q=level%3Aerror&with=rest"}
    for who in ("ann", "eve", "aud"):
        assert people[who].call("PUT", f"/views/{view}", changed).status == 403, who
        assert people[who].call("DELETE", f"/views/{view}").status == 403, who
    assert people["aud"].call("POST", "/views", ERRORS).status == 403
    assert people["ada"].call("PUT", f"/views/{view}", changed).status == 200
    [one] = listed(people["eve"])
    assert (one["name"], one["address"]) == ("Failures", changed["address"])
    # A token is of its owner.
    token = machine(server, people["ada"], "analyst")
    assert token.call("PUT", f"/views/{view}", ERRORS).status == 200
    assert people["root"].call("DELETE", f"/views/{view}").status == 200, "administrators delete any"
    assert listed(people["ada"]) == []
    assert people["root"].call("DELETE", f"/views/{view}").status == 404


def test_views_outlive_a_kill(server, people):
    view = saved(people["ada"])
    saved(people["eve"], name="another", address="/traces/4bf92f35")
    server.kill()
    server.start()
    ada, aud = (Client(server).sign_in("/session", {"user": who, "password": PASSWORD}) for who in ("ada", "aud"))
    assert [one["name"] for one in listed(aud)] == ["Errors", "another"]
    assert ada.call("DELETE", f"/views/{view}").status == 200
    assert [one["name"] for one in listed(aud)] == ["another"]


def test_only_pages_of_the_console_are_saved(people):
    for address in ("javascript:alert(1)", "https://evil.example/logs", "//evil.example/logs", "/\\evil.example", "/api/v1/logs", "/logs/../api", "/logs#x", "/logs?q=<b>", ""):
        answer = people["ada"].call("POST", "/views", {**ERRORS, "address": address})
        assert answer.status == 400 and "address" in answer.json()["error"]["message"], address
    for wrong in ({**ERRORS, "name": " "}, {**ERRORS, "name": "a\nb"}, {**ERRORS, "owner": "eve"}, {"name": "x"}, {**ERRORS, "address": "/logs?q=" + "x" * 5000}):
        assert people["ada"].call("POST", "/views", wrong).status == 400, wrong
    saved(people["ada"])
    again = people["eve"].call("POST", "/views", ERRORS)
    assert again.status == 409 and "exists already" in again.json()["error"]["message"]


def test_the_trail_says_who_saved_what(people):
    view = saved(people["ada"])
    people["ann"].call("DELETE", f"/views/{view}")
    people["root"].call("DELETE", f"/views/{view}")
    rows = people["aud"].call("GET", "/audit?q=audit.object:views*&limit=100").json()["rows"]
    told = {(row["user"], row["action"], row["decision"], row["object"], row["more"].get("audit.text", "")) for row in rows if row["object"]}
    text = "Errors: /logs?q=level%3Aerror&col=url.path"
    assert ("ada", "save_views", "allow", "views: save", text) in told, told
    assert ("ann", "manage_views", "deny", f"views/{view}: delete", text) in told, told
    assert ("root", "manage_views", "allow", f"views/{view}: delete", text) in told, told


def test_a_tenant_sees_its_own_views_alone(make_server, tmp_path):
    authority = Authority(tmp_path / "certs")
    settings = (
        "tenants: [shop]\naccess:\n  certificates:\n"
        "    - {name: CN=default-reader, roles: [administrator, analyst, auditor]}\n"
        "    - {name: CN=shop-reader, roles: [analyst, auditor], tenants: [shop]}\n" + authority.settings()
    )
    main = f'{{address: "127.0.0.1:0", client_ca: "{authority.ca}", client_certificates: optional}}'
    reader = lambda name: authority.context(authority.client(name))
    server = make_server(settings=settings, listen={"main": main}, tls=reader("default-reader")).start()
    kind = {"content-type": "application/json"}
    with Connection(server.url, tls=reader("shop-reader")) as shop, server.connect() as default:
        answer = shop.request("POST", "/api/v1/views", json.dumps({**ERRORS, "name": "zcanary"}), kind)
        assert answer.status == 200, answer.text
        view = answer.json()["id"]
        assert default.get("/api/v1/views").json()["views"] == []
        for method, body in (("PUT", json.dumps(ERRORS)), ("DELETE", None)):
            refused = default.request(method, f"/api/v1/views/{view}", body, kind)
            assert refused.status == 404 and "zcanary" not in refused.text, refused.text
        assert "zcanary" not in default.get("/api/v1/audit?limit=1000").text, "the trail of one is none of the other's"
        assert "zcanary" in shop.get("/api/v1/audit?limit=1000").text
        # Each has names of its own.
        assert default.request("POST", "/api/v1/views", json.dumps({**ERRORS, "name": "zcanary"}), kind).status == 200
        [one] = shop.get("/api/v1/views").json()["views"]
        assert one["id"] == view and one["owner"].endswith("shop-reader")


def test_whoever_is_let_in_without_signing_in_has_views_too(make_server):
    server = make_server().start()
    with server.connect() as connection:
        answer = connection.request("POST", "/api/v1/views", '{"name": "x", "address": "/"}', {"content-type": "application/json"})
        assert answer.status == 200, answer.text
    [one] = server.answered("/api/v1/views")["views"]
    assert one["own"] is True and one["address"] == "/"
