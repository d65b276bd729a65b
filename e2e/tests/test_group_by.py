"""A histogram by the values of a field: the groups are SQL's, over segments and live rows, and add up to each bucket."""

import time
from collections import Counter

import pytest
from support.server import Server

END_S = 1_795_168_800  # 2026-11-20T10:00:00Z
PERIOD = {"from": "2026-11-20T09:00:00Z", "to": "2026-11-20T10:00:00Z"}
COUNT = 3000


def records():
    for number in range(COUNT):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(END_S - 3600 + number * 3600 // COUNT))
        service = "web" if number % 3 else "<b>cart</b>"
        status = {} if number % 7 == 0 else {"http.response.status_code": 503 if number > 2000 and number % 2 else 200}
        yield {"time": at, "service": service, "message": "paid", "request": f"r-{number}", **status}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("group-by"), settings="flush:\n  interval: 1s\nlog:\n  level: warn\n").start()
    server.sent = list(records())
    for start in range(0, COUNT, 500):
        server.ingest(server.sent[start:start + 500])
        if start == 1000:
            server.kill()
            server.start()
    yield server
    server.stop()


def adds_up(answer):
    by = answer["by"]
    parts = [*by["groups"], by["other"], by["missing"]]
    assert [sum(at) for at in zip(*(part["counts"] for part in parts))] == [bucket["total"] for bucket in answer["buckets"]]
    assert all(part["count"] == sum(part["counts"]) for part in parts)


@pytest.mark.parametrize("field", ["service.name", "http.response.status_code", "severity"])
def test_groups_are_those_of_sql(shop, field):
    answer = shop.answered("/api/v1/histogram", by=field, buckets=30, **PERIOD)
    adds_up(answer)
    assert (answer["total"], answer["by"]["field"], answer["by"]["many"]) == (COUNT, field, False)
    rows = shop.sql(f'select "{field}", count(*) from logs group by 1 order by 2 desc, 1')["rows"]
    found = [(group["value"], group["count"]) for group in answer["by"]["groups"]]
    assert found == [(str(value), count) for value, count in rows if value is not None]
    assert answer["by"]["missing"]["count"] == sum(count for value, count in rows if value is None)


def test_a_group_is_where_its_records_are(shop):
    answer = shop.answered("/api/v1/histogram", by="http.response.status_code", q="service:web", buckets=12, **PERIOD)
    adds_up(answer)
    failures = [group for group in answer["by"]["groups"] if group["value"] == "503"][0]
    only = shop.answered("/api/v1/histogram", q="service:web and http.response.status_code:503", buckets=12, **PERIOD)
    assert failures["counts"] == [bucket["total"] for bucket in only["buckets"]]
    assert failures["counts"][0] == 0 < failures["counts"][-1]


def test_the_most_frequent_are_told_and_the_rest_counted(shop):
    answer = shop.answered("/api/v1/histogram", by="request", top=3, **PERIOD)
    adds_up(answer)
    assert ([group["count"] for group in answer["by"]["groups"]], answer["by"]["many"]) == ([1, 1, 1], True)
    assert answer["by"]["other"]["count"] == COUNT - 3
    nobody = shop.answered("/api/v1/histogram", by="nobody.has.this", **PERIOD)
    adds_up(nobody)
    assert (nobody["by"]["groups"], nobody["by"]["missing"]["count"]) == ([], COUNT)


def test_what_is_wrong_is_said(shop):
    for wrong, reason in {"by=service.name&top=0": "`top`", "by=service.name&top=21": "from 1 to 20", "by=severity&q=(": "q"}.items():
        refused = shop.get(f"/api/v1/histogram?{wrong}")
        assert refused.status == 400 and reason in refused.text, (wrong, refused.text)


def test_the_field_is_in_the_audit_trail(shop):
    shop.answered("/api/v1/histogram", by="service.name", q="paid", **PERIOD)
    objects = Counter(entry["object"] for entry in shop.answered("/api/v1/audit", **{"from": "-1h"})["rows"])
    assert objects["histogram by service.name"] >= 1, objects
