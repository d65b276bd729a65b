"""How much may be read out: of one answer and in one day, over pages, tokens, tails and restarts."""

import http.client

import pytest
from support.people import CLOSED, Client, administrator, machine, person
from support.wait import until

LIMITS = "  export_rows: 300\n  export_rows_a_day: 1000\n"


@pytest.fixture
def lab(make_server):
    server = make_server(settings=CLOSED + LIMITS).start()
    root = administrator(server)
    server.ingest({"message": f"line {n}", "n": n} for n in range(400))
    return server, person(server, root, "ann", "analyst"), person(server, root, "eve", "auditor")


def again(server, client):
    """The same session after a restart on another port."""
    later = Client(server)
    later.headers = client.headers
    return later


def rows(client, limit, after=""):
    answer = client.call("GET", f"/logs?limit={limit}&after={after}")
    return answer.status, answer.json()


def withheld(auditor, user):
    """What the trail says was denied for being too much, oldest first."""
    found = auditor.call("GET", f"/audit?user={user}&decision=deny").json()["rows"]
    return [(row["action"], row["reason"]) for row in found[::-1] if row["reason"]]


def test_one_answer(lab):
    _, ann, eve = lab
    status, answer = rows(ann, 400)
    assert status == 403 and answer["error"]["code"] == "over_export", answer
    assert "400 rows" in answer["error"]["message"] and "access.export_rows" in answer["error"]["message"]
    assert rows(ann, 300)[0] == 200
    select = lambda sql: ann.call("POST", "/sql", {"sql": sql})
    assert select("select n from logs").status == 403
    assert select("select count(*) from logs").status == 200
    # However few rows it is put into.
    packed = select("select string_agg(repeat(body, 2000), '') from logs")
    assert packed.status == 403 and "over_export" in packed.text, packed.text[:300]
    assert withheld(eve, "ann") == [("query", "access.export_rows")] * 3
    outcomes = lambda: [row["outcome"] for row in eve.call("GET", "/audit?user=ann&action=query&decision=allow").json()["rows"]]
    until(lambda: outcomes().count("withheld") == 3, "and what came of these questions")


def test_a_day_over_pages_tokens_and_restarts(lab):
    server, ann, eve = lab
    token = machine(server, ann, "analyst")
    read, after = 0, ""
    for client in [ann, token, ann]:
        status, page = rows(client, 120, after)
        assert status == 200
        read, after = read + len(page["records"]), page["next"]
    assert read == 360
    for client in [token, ann]:
        assert rows(client, 290)[0] == 200
    status, answer = rows(token, 290)
    assert status == 403 and "60 are left" in answer["error"]["message"], answer
    server.kill()
    server.start()
    ann, eve = again(server, ann), again(server, eve)
    left = 0
    while rows(ann, 1)[0] == 200:
        left += 1
    # What was leased and not read is lost; nothing is given back.
    assert 50 <= left <= 60
    # Nothing is read any more, however little; what is no reading goes on.
    for path in ["/logs?limit=1", "/histogram", "/tail?q=x", "/fields"]:
        answer = ann.call("GET", path)
        assert answer.status == 403 and "0 are left" in answer.text, path
    server.stop()
    server.start()
    ann, eve = again(server, ann), again(server, eve)
    assert rows(ann, 1)[0] == 403
    assert ann.call("GET", "/session").status == 200 and ann.call("GET", "/tokens").status == 200
    assert ("tail", "access.export_rows_a_day") in withheld(eve, "ann")
    assert eve.call("GET", "/audit").status == 200, "others have a day of their own"


def test_a_tail_ends_when_the_day_is_used_up(lab):
    server, ann, eve = lab
    url = server.url.removeprefix("http://").split(":")
    raw = http.client.HTTPConnection(url[0], int(url[1]), timeout=60)
    raw.request("GET", "/api/v1/tail?q=followed", headers=ann.headers)
    stream = raw.getresponse()
    assert stream.status == 200
    for part in range(3):
        server.ingest({"message": f"followed {part} {n}"} for n in range(400))
    # It ends by itself: of the status, once a second, nothing would be the end.
    shown = stream.read().decode().count("event: record")
    raw.close()
    assert 1000 <= shown <= 1200
    assert rows(ann, 1)[0] == 403
    assert withheld(eve, "ann")[0] == ("tail", "access.export_rows_a_day")


def test_limits_that_are_none(make_server):
    server = make_server(settings="access:\n  export_rows: 0\n")
    assert not server.try_start()
    assert "access.export_rows" in server.last_words()
