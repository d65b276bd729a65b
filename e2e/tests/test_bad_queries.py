"""Wrong, huge and hostile questions to every interface that reads: a clear answer, nothing is revealed or changed."""

import json

import pytest


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
