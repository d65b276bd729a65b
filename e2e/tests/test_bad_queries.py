"""Wrong, huge and hostile questions to every interface that reads: a clear answer, nothing is revealed or changed."""

import json

import pytest


def common_tables(each, count):
    tables = ["t0 as (select body as a from logs)"]
    tables += [f"t{n} as ({each.replace('before', f't{n - 1}')})" for n in range(1, count)]
    return f"with {', '.join(tables)} select count(a) from t{count - 1}"


HOSTILE_SQL = [
    "select 1" + "+1" * 290,
    "select 1" + "+1" * 1990,
    "select 1" + "+1" * 30000,
    "select " + "(" * 30000,
    "select 1" + "::int" * 290,
    "select null::int" + "[]" * 490,
    "select " + "cast(" * 240 + "1" + " as int)" * 240,
    "select " + "case when true then " * 240,
    "select " + "not " * 990 + "true",
    "select count(*) from logs where body = 'x'" + " or body = 'x'" * 300,
    "select 1" + " union all select 1" * 300,
    "select 1 from logs" + " cross join logs" * 300,
    common_tables("select a from before union all select a from before", 30),
    common_tables("select a || a as a from before where a || a <> ''", 30),
    common_tables("select [a, a] as a from before", 30),
    "select repeat('x', 1000000000)",
    "select lpad(body, 2000000000) from logs",
    "select array_length(generate_series(1, 100000000000))",
    "select replace(repeat('a', 1000000), 'a', repeat('b', 1000000))",
    "select '" + "x" * 60000 + "' from logs",
    "select " + ", ".join(f"repeat('x', 8000) as a{n}" for n in range(150)) + " from logs",
]


class TestQueries:
    """What asks is no more trusted than what sends."""

    @pytest.mark.parametrize(
        "q",
        [
            "(" * 100,
            "status>=",
            "a:b:c:[",
            "/(/",
            "x" * 9_000,
            '"open',
            "[1 to",
            "/" + "(a{1,1000}){1,1000}" + "/",
            "not " * 5_000,
        ],
    )
    def test_wrong_filters(self, shared_server, q):
        answer = shared_server.get("/api/v1/logs", q=q)
        if answer.status != 200:
            error = answer.json()["error"]
            assert (answer.status, error["code"]) == (400, "bad_query"), answer.text
            assert 0 <= error["position"] <= len(q)

    @pytest.mark.parametrize(
        "sql",
        [
            "selct 1",
            "select",
            "drop table logs",
            "select * from nothing",
            "insert into logs values (1)",
            "copy logs to '/tmp/x'",
            "create external table x stored as csv location '/etc/passwd'",
            "select * from '/etc/passwd'",
            "set datafusion.execution.batch_size = 1",
            "select 1; select 2",
        ],
    )
    def test_wrong_sql(self, shared_server, sql):
        with shared_server.connect() as connection:
            answer = connection.post("/api/v1/sql", json.dumps({"sql": sql}))
        assert (answer.status, answer.json()["error"]["code"]) == (400, "bad_query"), answer.text

    @pytest.mark.parametrize("sql", HOSTILE_SQL, ids=lambda sql: sql[:40])
    def test_hostile_sql(self, shared_server, sql):
        """What is too deep, too large or makes too much of little is answered, and the next question is."""
        with shared_server.connect() as connection:
            answer = connection.post("/api/v1/sql", json.dumps({"sql": sql}))
            assert answer.status in (200, 400, 408), answer.text[:300]
            if answer.status != 200:
                assert answer.json()["error"]["code"] in ("bad_query", "over_budget"), answer.text[:300]
            small = connection.post("/api/v1/sql", json.dumps({"sql": "select 1 + 1"}))
            assert small.json()["rows"] == [[2]]

    @pytest.mark.parametrize(
        "parameters",
        [
            {"limit": "0"},
            {"limit": "10001"},
            {"limit": "x"},
            {"order": "up"},
            {"from": "yesterday"},
            {"after": "nonsense"},
            {"from": "now", "to": "-1h"},
        ],
    )
    def test_wrong_parameters(self, shared_server, parameters):
        answer = shared_server.get("/api/v1/logs", **parameters)
        assert (answer.status, answer.json()["error"]["code"]) == (400, "bad_request"), answer.text

    def test_unknown_things(self, shared_server):
        assert shared_server.get("/api/v1/logs/default.99999999.0").status == 404
        assert shared_server.get("/api/v1/logs/nonsense").status == 400
        assert shared_server.get("/api/v1/nonsense").status == 404

    def test_another_host_is_refused(self, shared_server):
        """Any page in a browser can reach this port under a name of its own."""
        with shared_server.connect() as connection:
            for headers in [{"host": "evil.example"}, {"origin": "http://evil.example"}]:
                answer = connection.request("GET", "/api/v1/logs?q=", headers=headers)
                assert answer.status == 403, answer.text


def test_a_question_beyond_its_budget_says_what_it_did(make_server):
    server = make_server(settings="query: {timeout: 1s}\n").start()
    server.ingest({"message": f"line {n}"} for n in range(2_000))
    sql = "select count(*) from logs a, logs b, logs c where a.body || b.body < c.body"
    with server.connect() as connection:
        answer = connection.post("/api/v1/sql", json.dumps({"sql": sql}))
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (408, "over_budget"), answer.text
    assert error["stats"]["scanned_rows"] >= 2_000 and error["stats"]["elapsed_ms"] > 0, answer.text
