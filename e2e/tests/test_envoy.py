"""A real Envoy's access logs, imported: every request it proxied is one record with the right fields."""

import json
import subprocess
from dataclasses import dataclass, field

import pytest

from support.envoy import Envoy
from support.http import Connection
from support.server import BINARY, pairs
from support.wait import until


@dataclass
class Sent:
    method: str
    path: str
    status: int
    severity: str
    body: bytes = b""
    query: str = ""
    headers: dict = field(default_factory=dict)
    flags: str | None = None
    answered: bool = True


def requests():
    for n in range(20):
        yield Sent("GET", f"/items/{n}/200", 200, "info", query=f"page={n}")
    yield Sent("POST", "/pay/201", 201, "info", body=b'{"amount": 12}')
    yield Sent("PUT", "/cart/a%20b/404", 404, "warn", body=b"x" * 1000)
    yield Sent("DELETE", "/cart/1/500", 500, "error")
    yield Sent("GET", "/search/503", 503, "error", query="q=a+b&r=%22quoted%22")
    yield Sent("GET", "/agents/200", 200, "info", headers={"user-agent": 'Weird "quoted" agent/1.0 (x; y) [z]'})
    yield Sent("GET", "/forwarded/200", 200, "info", headers={"x-forwarded-for": "203.0.113.7"})
    yield Sent("GET", "/dead/end", 503, "error", flags="UF", answered=False)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """Both logs of one Envoy, and what it was asked, by request id."""
    with Envoy(tmp_path_factory.mktemp("envoy")) as envoy:
        sent = {}
        with Connection(f"http://127.0.0.1:{envoy.port}") as connection:
            for n, request in enumerate(requests()):
                request.headers = {"user-agent": f"e2e/{n}", "host": "shop.example:8443"} | request.headers
                url = request.path + (f"?{request.query}" if request.query else "")
                answer = connection.request(request.method, url, request.body or None, request.headers)
                assert answer.status == request.status, answer.text
                sent[n] = request
        lines = lambda path: path.read_text().splitlines() if path.exists() else []
        for log in (envoy.json_log, envoy.text_log):
            until(lambda log=log: len(lines(log)) == len(sent), f"{log} has {len(sent)} lines")
    return envoy, sent


def imported(server, path, count):
    ran = subprocess.run(
        [str(BINARY), "import", str(path), "--url", server.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return server.wait_for("", count)


@pytest.mark.parametrize("form", ["json", "text"])
def test_access_log(server, proxied, form):
    envoy, sent = proxied
    path = {"json": envoy.json_log, "text": envoy.text_log}[form]
    records = imported(server, path, len(sent))
    by_url = {}
    for record in records:
        attributes = pairs(record, "attributes")
        by_url[attributes["url.path"], attributes.get("url.query", "")] = (record, attributes)
    assert len(by_url) == len(sent)
    lines = path.read_text().splitlines()
    for n, request in sent.items():
        record, found = by_url[request.path, request.query]
        assert record["body"] == lines[n]
        assert found["http.request.method"] == request.method
        assert found["http.response.status_code"] == request.status
        assert record["severity"] == request.severity
        assert (found["network.protocol.name"], found["network.protocol.version"]) == ("http", "1.1")
        assert found["http.request.body.size"] == len(request.body)
        assert found["user_agent.original"] == request.headers["user-agent"]
        assert len(found["mesh.request_id"]) == 36
        assert (found["server.address"], found["server.port"]) == ("shop.example", 8443)
        assert isinstance(found["mesh.duration_ms"], float) and 0 <= found["mesh.duration_ms"] < 60_000
        assert found["mesh.kind"] == "envoy"
        if request.answered:
            assert found["http.response.body.size"] == request.status
            assert isinstance(found["mesh.upstream.duration_ms"], float)
            assert found["mesh.upstream.duration_ms"] <= found["mesh.duration_ms"] + 1
            assert (found["mesh.upstream.address"], found["mesh.upstream.port"]) == ("127.0.0.1", envoy.upstream_port)
        else:
            assert request.flags in found["mesh.response_flags"]
        if "x-forwarded-for" in request.headers:
            assert found["http.request.header.x-forwarded-for"].startswith("203.0.113.7")
        if form == "json":
            check_json_only(request, record, found, json.loads(lines[n]))
        else:
            assert record["time"][:23] + "Z" == lines[n].split("]")[0].removeprefix("[")
        assert pairs(record, "resource")["logkeep.protocol"] == "import"


def check_json_only(request, record, found, line):
    assert record["time"][:23] + "Z" == line["start_time"]
    assert found["mesh.response_code_details"] == line["response_code_details"]
    assert found["mesh.upstream.cluster"] == ("shop" if request.answered else "dead")
    assert found["mesh.route"] == ("shop-route" if request.answered else "dead-route")
    # No hop in front of this Envoy is trusted, so the client is who connected, whatever it claims.
    assert found["client.address"] == "127.0.0.1"
    assert found["mesh.duration_ms"] == float(line["duration"])


def test_what_a_person_asks_of_an_access_log(server, proxied):
    envoy, sent = proxied
    imported(server, envoy.json_log, len(sent))
    assert len(server.find("status:[500 to 599]")) == sum(request.status >= 500 for request in sent.values())
    assert len(server.find('method:POST url.path:"/pay/201"')) == 1
    answer = server.sql('select "http.response.status_code", count(*) from logs group by 1 order by 1')
    expected = {}
    for request in sent.values():
        expected[request.status] = expected.get(request.status, 0) + 1
    assert answer["rows"] == [[status, count] for status, count in sorted(expected.items())]
