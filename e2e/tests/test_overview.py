"""The overview: volumes, errors, durations and newest errors of all services, and what changed against the time before."""

import json
import time

import pytest
from support.http import Connection
from support.people import CLOSED, administrator, person
from support.server import Server

JSON = {"content-type": "application/json"}
EMAIL = "alice.liddell@wonder.example"
PERIOD_S = 300
END_S = 1_795_168_800  # 2026-11-20T10:00:00Z
RANGE = {"from": "2026-11-20T09:55:00Z", "to": "2026-11-20T10:00:00Z"}


def stamp(seconds_before_end):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(END_S - seconds_before_end))


def logs():
    """Every second, over both periods: `web` goes on, `jobs` is silent for the last minute, `gifts` is new, `noisy` triples."""
    line = lambda service, second, message="ok", level="info": {
        "service": service, "time": stamp(second), "message": message, "level": level,
    }
    for second in range(1, 2 * PERIOD_S + 1):
        now = second <= PERIOD_S
        yield line("web", second)
        if second > 60:
            yield line("jobs", second)
        if second <= 100:
            yield line("gifts", second)
        for _ in range(3 if now else 1):
            yield line("noisy", second)
    yield line("web", 200, "it broke", "error")
    yield line("web", 250, "it broke before", "error")


def spans():
    """Of `pay` every third request fails now, and all take four times as long."""
    for second in range(1, 2 * PERIOD_S + 1):
        now = second <= PERIOD_S
        yield {
            "traceId": f"{second:032x}", "id": f"{second:016x}", "name": "POST /pay", "kind": "SERVER",
            "timestamp": (END_S - second) * 1_000_000, "duration": 80_000 if now else 20_000,
            "localEndpoint": {"serviceName": "pay"}, "tags": {"error": "refused"} if now and second % 3 == 0 else {},
        }


def fill(server):
    server.ingest(logs())
    with Connection(server.url) as connection:
        answer = connection.post("/zipkin/api/v2/spans", json.dumps(list(spans())), JSON)
        assert answer.status == 202, answer.text


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("overview")).start()
    fill(server)
    yield server
    server.stop()


def test_services(shop):
    answer = shop.answered("/api/v1/overview", **RANGE)
    services = {one["service"]: one for one in answer["services"]}
    assert [one["service"] for one in answer["services"]] == ["noisy", "web", "pay", "jobs", "gifts"]
    pay, web = services["pay"], services["web"]
    assert (pay["counted"], pay["count"], pay["errors"]) == ("requests", PERIOD_S, PERIOD_S // 3)
    assert (pay["before"], pay["measured_by"]) == ({"count": PERIOD_S, "errors": 0}, "spans")
    assert pay["duration_ms"] == {"p50": 80, "p95": 80, "p99": 80}
    assert pay["series"]["counts"] == [10] * 30 and sum(pay["series"]["errors"]) == PERIOD_S // 3
    assert (pay["newest_error"]["kind"], pay["newest_error"]["trace_id"]) == ("span", f"{3:032x}")
    assert (web["counted"], web["count"], web["errors"], web["duration_ms"]) == ("records", PERIOD_S + 2, 2, None)
    assert web["newest_error"]["text"] == "it broke" and services["gifts"]["newest_error"] is None
    record = shop.answered(f"/api/v1/logs/{web['newest_error']['id']}")
    assert record["body"] == "it broke"
    assert (answer["bucket_ns"], answer["more"], answer["partial"]) == (str(10 * 10**9), False, None)
    assert (answer["compared"]["seconds"], answer["compared"]["seconds_now"]) == (PERIOD_S, PERIOD_S)
    few = shop.answered("/api/v1/overview", limit=2, **RANGE)
    assert (len(few["services"]), few["more"]) == (2, True)


def test_changes(shop):
    answer = shop.answered("/api/v1/overview", **RANGE)
    changes = {(one["kind"], one["service"]): one for one in answer["changes"]}
    assert set(changes) == {("errors", "pay"), ("silent", "jobs"), ("latency", "pay"), ("volume", "noisy"), ("new", "gifts")}
    assert answer["changes"][0]["kind"] == "errors" and answer["more_changes"] == 0
    errors = changes["errors", "pay"]
    assert (errors["before"], errors["now"]) == ({"errors": 0, "of": PERIOD_S}, {"errors": PERIOD_S // 3, "of": PERIOD_S})
    assert changes["silent", "jobs"]["seconds"] == 60 and changes["silent", "jobs"]["expected"] == pytest.approx(60)
    assert changes["silent", "jobs"]["since_ns"] == str((END_S - 60) * 10**9)
    latency = changes["latency", "pay"]
    assert (latency["percentile"], latency["before_ms"], latency["now_ms"]) == (95, 20, 80)
    assert (changes["volume", "noisy"]["before_rate"], changes["volume", "noisy"]["now_rate"]) == (1, 3)
    assert changes["new", "gifts"]["count"] == 100


def test_without_a_before_there_are_no_changes(shop):
    """The time before the first record is none: nothing is new against it."""
    hour = shop.answered("/api/v1/overview", **{**RANGE, "from": "2026-11-20T09:00:00Z"})
    assert (hour["compared"], hour["changes"]) == (None, [])
    assert len(hour["services"]) == 5
    for beyond in ["1971-01-01T00:00:00Z", "2026-11-20T08:00:00Z"]:
        answer = shop.answered("/api/v1/overview", **{"from": beyond, "to": "2026-11-20T09:00:00Z"})
        assert (answer["services"], answer["changes"]) == ([], [])
    always = shop.answered("/api/v1/overview", **{"from": "1971-01-01T00:00:00Z", "to": "2200-01-01T00:00:00Z"})
    assert len(always["services"]) == 5


def test_it_is_in_the_audit_trail_and_takes_no_nonsense(shop):
    for wrong in ["limit=0", "limit=501", "from=never", "from=now&to=-1h"]:
        assert shop.get(f"/api/v1/overview?{wrong}").status == 400
    asked = """select count(*) from audit where "audit.object" = 'overview'"""
    assert shop.sql(asked)["rows"][0][0] >= 2


def test_names_are_there_at_once(shop):
    shop.ingest([{"service": "just-came", "message": "hello"}])
    names = [one["service"] for one in shop.answered("/api/v1/overview")["services"]]
    assert names == ["just-came"]


def test_a_limited_reader_learns_of_nothing_else(tmp_path):
    """Not by a name, not by a change, and not by what there is to compare with."""
    server = Server(tmp_path, settings=CLOSED + "  masked: [user.email]\n").start()
    root = administrator(server)
    analyst = person(server, root, "ann", "analyst")
    engineer = person(server, root, "eve", "engineer", scope={"services": ["web"]})
    query = "/overview?from=2026-11-20T09:55:00Z&to=2026-11-20T10:00:00Z"
    mail = {"service": "web", "time": stamp(100), "level": "error", "message": f"mail to {EMAIL} bounced", "user.email": EMAIL}
    server.ingest([*(line for line in logs() if line["service"] == "web"), mail])
    alone = engineer.call("GET", query).json()
    server.ingest(line for line in logs() if line["service"] != "web")
    beside = engineer.call("GET", query).json()
    told = analyst.call("GET", query).json()
    assert len(told["services"]) == 4 and EMAIL in json.dumps(told)
    for answer in (alone, beside):
        assert answer.pop("stats")["scanned_rows"] is None
    assert alone == beside and [one["service"] for one in alone["services"]] == ["web"]
    assert alone["services"][0]["newest_error"]["text"] == "[masked]"
    server.stop()
