"""What differs between two parts of the records: counted over all of them, also after a kill and over segments and live rows."""

import time
from collections import Counter

import pytest
from support.people import CLOSED, administrator, person
from support.server import Server

END_S = 1_795_168_800  # 2026-11-20T10:00:00Z
PERIOD = {"from": "2026-11-20T09:30:00Z", "to": "2026-11-20T10:00:00Z"}
FLUSHED = "flush:\n  interval: 1s\nlog:\n  level: warn\n"
COUNT = 4000


def records():
    """An hour of two services. In its second half `web` is of a new version, of which every third call fails."""
    for number in range(COUNT):
        service = "web" if number % 2 else "cart"
        is_new = number >= COUNT // 2 and service == "web"
        fails = is_new and number % 3 == 0
        yield {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(END_S - 3600 + number * 3600 // COUNT)), "service": service,
            "message": "paid", "level": "error" if fails else "info", "build": "v2" if is_new else "v1", "request": f"r-{number}",
            "http.response.status_code": 503 if fails else 200, "zone": "abcd"[number // 2 % 4], **({"reason": "<b>no bank</b>"} if fails else {}),
        }


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("compare"), settings=FLUSHED).start()
    server.sent = list(records())
    for start in range(0, COUNT, 500):
        server.ingest(server.sent[start:start + 500])
        if start == 1500:
            server.kill()
            server.start()
    yield server
    server.stop()


def halves(sent):
    return sent[: COUNT // 2], sent[COUNT // 2 :]


def counts(answer, field):
    [found] = [one for one in answer["fields"] if one["field"] == field]
    return {one["value"]: (one["count"], one["other"]) for one in found["values"]}


def expected(these, others, field):
    one, other = (Counter(record.get(field) for record in part) for part in (these, others))
    return {None if value is None else str(value): (one[value], other[value]) for value in one | other}


def names(answer):
    return [one["field"] for one in answer["fields"]]


def test_this_time_against_the_one_before(shop):
    answer = shop.answered("/api/v1/compare", **PERIOD)
    before, now = halves(shop.sent)
    assert (answer["total"], answer["other_total"]) == (len(now), len(before))
    assert (int(answer["other_from_ns"]), int(answer["other_to_ns"])) == ((END_S - 3600) * 10**9, (END_S - 1800) * 10**9)
    assert names(answer)[0] == "build" and set(names(answer)) == {"build", "http.response.status_code", "severity", "reason"}
    for field in ("build", "http.response.status_code", "reason"):
        assert counts(answer, field) == expected(now, before, field), field
    assert (answer["more"], answer["left_out"]) == (0, {"fields": 0, "records_with_more_fields": 0})


def test_a_search_against_the_rest(shop):
    answer = shop.answered("/api/v1/compare", q="level:error", **{"with": "rest"}, **PERIOD)
    _, now = halves(shop.sent)
    these = [record for record in now if record["level"] == "error"]
    rest = [record for record in now if record["level"] != "error"]
    assert (answer["total"], answer["other_total"]) == (len(these), len(rest))
    assert "severity" not in names(answer), "what is searched for differs by itself"
    assert "zone" not in names(answer), "what is the same everywhere"
    for field in ("build", "http.response.status_code", "reason"):
        assert counts(answer, field) == expected(these, rest, field), field
    [request] = [one for one in answer["fields"] if one["field"] == "request"] or [None]
    assert request is None, "one of each says nothing"


def test_a_value_selects_what_was_counted(shop):
    answer = shop.answered("/api/v1/compare", q="service:web", **{"with": "rest"}, **PERIOD)
    for field in answer["fields"]:
        for one in field["values"]:
            clause = f"not {field['field']}:*" if one["value"] is None else f"{field['field']}:\"{one['value']}\""
            found = shop.answered("/api/v1/histogram", q=f"service:web and {clause}", **PERIOD)["total"]
            assert found == one["count"], (field["field"], one)


def test_an_answer_is_bounded_and_says_what_is_left_out(shop):
    answer = shop.answered("/api/v1/compare", limit=1, values=1, **PERIOD)
    assert len(answer["fields"]) == 1 and answer["more"] == 3
    assert len(answer["fields"][0]["values"]) == 1 and answer["fields"][0]["more"] == 1
    for wrong in ("with=sideways", "with=rest", "limit=0", "limit=101", "values=51", "q=level:"):
        refused = shop.get(f"/api/v1/compare?{wrong}")
        assert refused.status == 400 and refused.json()["error"]["message"], wrong


def test_of_one_template(shop):
    answer = shop.answered("/api/v1/compare", template="paid", q="level:error", **{"with": "rest"}, **PERIOD)
    assert answer["total"] + answer["other_total"] == COUNT // 2


def test_a_reader_compares_what_they_may_see(tmp_path):
    server = Server(tmp_path, settings=CLOSED + "  masked: [user.email]\n").start()
    try:
        root = administrator(server)
        analyst = person(server, root, "ada", "analyst")
        engineer = person(server, root, "eve", "engineer", scope={"services": ["web"]})
        some = [{"service": "web", "message": "m", "flag": number % 2 == 0, "user.email": "a@x.example" if number % 2 else "b@x.example"} for number in range(200)]
        server.ingest(some + [{"service": "secret", "message": "m", "hidden": str(number % 2)} for number in range(200)])
        ask = "/compare?with=rest&q=flag:true&from=2020-01-01T00:00:00Z"
        all_of_it, part = analyst.call("GET", ask).json(), engineer.call("GET", ask).json()
        assert (all_of_it["total"], all_of_it["other_total"]) == (100, 300)
        assert (part["total"], part["other_total"]) == (100, 100)
        assert "user.email" in names(all_of_it) and "hidden" in names(all_of_it)
        assert not {"user.email", "hidden"} & set(names(part)), part
        assert "secret" not in str(part) and "x.example" not in str(part)
        assert part["stats"]["scanned_rows"] is None
    finally:
        server.stop()
