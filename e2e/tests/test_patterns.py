"""Message templates: counted exactly, by the same ids after a kill, a restart and merges, and selected by them."""

import random
import time
from collections import Counter
from urllib.parse import quote

import pytest
from support.people import CLOSED, administrator, person
from support.server import EVERYTHING, Server
from support.wait import until

END_S = 1_795_168_800  # 2026-11-20T10:00:00Z
PERIOD = {"from": "2026-11-20T09:00:00Z", "to": "2026-11-20T10:00:00Z"}
FLUSHED = "flush:\n  interval: 1s\nlog:\n  level: warn\n"

WORDS = ["basket", "ledger", "mirror", "quartz", "violet", "walnut", "yonder", "zephyr"]
STATEMENTS = {
    "order": lambda r: f"order {r.randrange(10**6)} placed by user u-{r.randrange(10**4)} in {r.randrange(900)} ms",
    "refused": lambda r: f"payment of {r.randrange(1, 999)}.{r.randrange(10, 99)} EUR refused: code={r.randrange(100, 599)}",
    "opened": lambda r: f"connection from 10.{r.randrange(256)}.{r.randrange(256)}.7:{r.randrange(1024, 65535)} opened",
    "closed": lambda r: f"connection from 10.{r.randrange(256)}.{r.randrange(256)}.7:{r.randrange(1024, 65535)} closed after {r.random():.3f}s",
    "cache": lambda r: f"cache miss for key {r.choice(WORDS)}/{r.randrange(10**9):x}{r.randrange(10)}",
    "joined": lambda r: f"{r.choice(WORDS)}{r.choice(WORDS)} joined the room",
    "started": lambda r: "server started",
    "stopped": lambda r: "server stopped",
    "retry": lambda r: f"retrying upstream {r.choice(WORDS)}.svc.cluster.local, attempt {r.randrange(1, 6)} of 5",
    "slow": lambda r: f"slow query took {r.randrange(10**4)}ms: select * from t{r.randrange(99)} where id = {r.randrange(10**6)}",
    "trace": lambda r: f"request {r.randbytes(16).hex()} finished with status {r.choice([200, 404, 503])}",
    "script": lambda r: f"<script>alert({r.randrange(99)})</script> was sent as a name",
}
LATER = "only the second hour has seen this one"


def lines(seed, count, start_s, statements=tuple(STATEMENTS)):
    chance = random.Random(seed)
    for number in range(count):
        statement = chance.choice(statements)
        yield {
            "service": chance.choice(["web", "cart"]), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_s + number * 3600 // count)),
            "message": STATEMENTS[statement](chance), "statement": statement, "level": "error" if statement == "refused" else "info",
        }


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Two hours of logs, sent in parts, with a kill and a restart between them: in segments, merged ones, and live rows."""
    server = Server(tmp_path_factory.mktemp("patterns"), settings=FLUSHED).start()
    server.sent = []
    for part in range(8):
        hour = END_S - 7200 if part < 4 else END_S - 3600
        # Nobody is refused in the second hour, and nobody has joined in the first.
        names = tuple(name for name in STATEMENTS if name != ("joined" if part < 4 else "refused"))
        some = list(lines(part, 700, hour, names))
        server.ingest(some)
        server.sent += some
        if part == 2:
            server.kill()
            server.start()
        if part == 5:
            server.stop()
            server.start()
    one = {"service": "web", "time": "2026-11-20T09:59:59Z", "message": LATER, "statement": "later"}
    server.ingest([one])
    server.sent.append(one)
    yield server
    server.stop()


def expected(shop, keep=lambda line: True):
    return Counter(line["statement"] for line in shop.sent if keep(line))


def statement_of(shop, pattern, **where):
    """The one statement whose records the template selects, and how many there are."""
    asked = pattern["id"] or pattern["template"]
    values = shop.answered("/api/v1/fields/statement/values", template=asked, **where)
    assert len(values["values"]) == 1 and values["missing"] == 0, f"{pattern} is of {values}"
    return values["values"][0]["value"], values["total"]


def test_counts_are_exact_and_each_statement_is_one_template(shop):
    answer = shop.answered("/api/v1/patterns", **EVERYTHING)
    assert (answer["total"], answer["without"], answer["others"], answer["more"]) == (len(shop.sent), 0, 0, 0)
    found = {}
    for pattern in answer["patterns"]:
        statement, selected = statement_of(shop, pattern, **EVERYTHING)
        assert selected == pattern["count"], f"a template selects what it counts: {pattern}"
        assert statement not in found, f"{statement} is two templates: {pattern}, {found[statement]}"
        found[statement] = pattern
        assert sum(pattern["series"]) == sum(pattern["severity"].values()) == pattern["count"]
        assert sum(one["count"] for one in pattern["services"]) == pattern["count"]
        assert pattern["example"]["body"] == shop.answered(f"/api/v1/logs/{pattern['example']['id']}")["body"]
    assert {name: one["count"] for name, one in found.items()} == expected(shop)
    assert found["refused"]["severity"] == {"error": found["refused"]["count"]}
    assert found["started"]["template"] == "server started"
    assert found["order"]["template"].startswith("order <num> placed by user u-<num> in <")


def test_other_ways_to_ask_select_the_same(shop):
    for pattern in shop.answered("/api/v1/patterns", limit=4, **PERIOD)["patterns"]:
        where = {"template": pattern["id"], **PERIOD}
        assert shop.answered("/api/v1/histogram", **where)["total"] == pattern["count"]
        assert shop.answered("/api/v1/fields", **where)["total"] == pattern["count"]
        assert shop.answered("/api/v1/patterns", **where)["total"] == pattern["count"]
        page = shop.answered("/api/v1/logs", limit=10_000, **where)["records"]
        assert len(page) == pattern["count"]
        by_text = shop.answered("/api/v1/histogram", **{**where, "template": pattern["template"]})
        assert by_text["total"] == pattern["count"]
        narrowed = shop.answered("/api/v1/patterns", q="service:web", **where)
        of_web = shop.answered("/api/v1/logs", q="service:web", limit=10_000, **where)["records"]
        assert 0 < narrowed["total"] == len(of_web) < pattern["count"]


BY_SQL = f"select template_id, template, count(*) from logs where time >= '{PERIOD['from']}' and time < '{PERIOD['to']}' group by 1, 2"


def counted(patterns):
    return sorted(([one["id"], one["template"], one["count"]] for one in patterns), key=str)


def test_columns_of_sql_count_the_same(shop):
    def all_have_ids():
        patterns = shop.answered("/api/v1/patterns", **PERIOD)["patterns"]
        return all(one["id"] for one in patterns) and patterns

    patterns = until(all_have_ids, "all is in segments") or all_have_ids()
    assert len(patterns) == len(expected(shop, lambda line: line["time"] >= PERIOD["from"]))
    assert sorted(shop.sql(BY_SQL)["rows"], key=str) == counted(patterns)
    for one in patterns:
        asked = f"select count(*), count(distinct statement) from logs where template_id = '{one['id']}' and time >= '{PERIOD['from']}'"
        assert shop.sql(asked)["rows"] == [[one["count"], 1]]
    columns = shop.sql("select column_name from information_schema.columns where column_name like 'template%' and table_name = 'logs'")
    assert sorted(columns["rows"]) == [["template"], ["template_id"]]
    assert not {"template", "template_id"} & {column["name"] for column in shop.sql("select * from logs limit 1")["columns"]}


def test_what_is_new_and_what_is_gone(shop):
    answer = shop.answered("/api/v1/patterns", compare="true", **PERIOD)
    is_now = lambda line: line["time"] >= PERIOD["from"]
    now, before = expected(shop, is_now), expected(shop, lambda line: not is_now(line))
    names = {statement_of(shop, one, **EVERYTHING)[0]: one for one in answer["patterns"]}
    assert {name: (one["count"], one["before"]) for name, one in names.items()} == {name: (now[name], before[name]) for name in now}
    shown = lambda which: shop.answered("/api/v1/patterns", compare="true", show=which, **PERIOD)["patterns"]
    assert {statement_of(shop, one, **EVERYTHING)[0] for one in shown("new")} == {"joined", "later"}
    [gone] = shown("gone")
    assert (statement_of(shop, gone, **EVERYTHING)[0], gone["count"], gone["before"]) == ("refused", 0, before["refused"])
    assert (answer["new"], answer["gone"], answer["templates"]) == (2, 1, len(now))
    first = min(line["time"] for line in shop.sent if line["statement"] == "order")
    assert names["order"]["first_seen_ns"] == str(int(time.mktime(time.strptime(first, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone) * 10**9)


def test_ids_stay_and_what_came_last_gets_one(shop):
    listed = lambda: {one["template"]: one["id"] for one in shop.answered("/api/v1/patterns", **EVERYTHING)["patterns"]}
    until(lambda: all(listed().values()), "the last record is in a segment")
    ids = listed()
    shop.stop()
    shop.start()
    shop.ingest(list(lines(99, 50, END_S - 3000)))
    shop.sent += lines(99, 50, END_S - 3000)
    assert listed() == ids
    until(lambda: shop.answered("/api/v1/patterns", q="statement:retry", **EVERYTHING)["patterns"][0]["id"], "it is flushed")
    shop.kill()
    shop.start()
    assert listed() == ids


def test_what_a_template_leaves_open(shop):
    [retry] = shop.answered("/api/v1/patterns", q="statement:retry", **EVERYTHING)["patterns"]
    answer = shop.answered("/api/v1/patterns/parameters", template=retry["id"], limit=100, **EVERYTHING)
    assert (answer["total"], answer["otherwise"], answer["template"]) == (retry["count"], 0, retry["template"])
    attempts = Counter(line["message"].split("attempt ")[1].split(" ")[0] for line in shop.sent if line["statement"] == "retry")
    counted = [{one["value"]: one["count"] for one in variable["values"]} for variable in answer["variables"]]
    assert attempts in counted, counted
    assert shop.get(f"/api/v1/patterns/parameters?template={1:016x}").status == 404
    assert shop.get("/api/v1/patterns/parameters").status == 400


def test_it_is_in_the_audit_trail_and_takes_no_nonsense(shop):
    for wrong in ["limit=0", "limit=1001", "buckets=0", "show=some", "show=new", "compare=perhaps", "template=two%20%20blanks", "q=(", "from=never"]:
        answer = shop.get(f"/api/v1/patterns?{wrong}")
        assert answer.status == 400, f"{wrong}: {answer.text}"
    assert shop.get("/api/v1/spans?template=server%20started").status == 400
    shop.answered("/api/v1/logs", template="server stopped", **EVERYTHING)
    asked = shop.sql("""select "audit.object" from audit where "audit.template" = 'server stopped'""")
    assert asked["rows"] == [["logs"]]


def test_a_limited_reader_learns_of_nothing_else(tmp_path):
    """Their templates are those of what they see, have no ids, and are found by their text."""
    server = Server(tmp_path, settings=CLOSED + "  masked: [user.email]\n" + FLUSHED).start()
    root = administrator(server)
    engineer = person(server, root, "eve", "engineer", scope={"services": ["web"]})
    analyst = person(server, root, "ann", "analyst")
    sent = list(lines(5, 300, END_S - 3600))
    # The name is the same in all of them, and so in their template.
    secret = [{"service": "web", "time": PERIOD["from"], "message": "mail to alice@wonder.example bounced", "user.email": "alice@wonder.example"}] * 5
    server.ingest(sent + secret)
    query = "/patterns?from=1971-01-01T00:00:00Z&to=2200-01-01T00:00:00Z"

    def seen_by_all():
        patterns = analyst.call("GET", query).json()["patterns"]
        return all(one["id"] for one in patterns) and patterns

    patterns = until(seen_by_all, "all is in segments") or seen_by_all()
    answer = engineer.call("GET", query)
    limited = answer.json()
    assert "alice" not in answer.text and limited["total"] == len([one for one in sent if one["service"] == "web"]) + 5
    assert all(one["id"] is None and one["first_seen_ns"] is None for one in limited["patterns"])
    assert all([one["service"] for one in pattern["services"]] == ["web"] for pattern in limited["patterns"])
    by_sql = engineer.call("POST", "/sql", {"sql": "select template_id, template, count(*) from logs group by 1, 2"})
    assert sorted(by_sql.json()["rows"], key=str) == sorted(counted(limited["patterns"]), key=str) and "alice" not in by_sql.text
    by_id = engineer.call("GET", f"/logs?template={patterns[0]['id']}&from=1971-01-01T00:00:00Z")
    assert by_id.status == 400 and "text" in by_id.text
    for one in limited["patterns"]:
        selected = engineer.call("GET", f"/histogram?template={quote(one['template'])}&from=1971-01-01T00:00:00Z&to=2200-01-01T00:00:00Z")
        assert selected.json()["total"] == one["count"], one
    guessed = engineer.call("GET", f"/logs?template={quote('mail to alice@wonder.example bounced')}&from=1971-01-01T00:00:00Z")
    assert guessed.json()["records"] == []
    server.stop()
