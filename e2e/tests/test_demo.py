"""The demonstration: one command, a link that signs in once, and nobody reads without."""

import os
import re
import signal
import subprocess

import pytest
from support.http import Connection
from support.people import JSON
from support.server import BINARY
from support.wait import until


def signed_in(said):
    """The address of the demonstration, its link, and what signs in with it on a connection."""
    url, link = re.search(r"(http://\S+)/#sign-in=(lkl_\S+)", said).groups()
    return url, lambda connection: connection.request("POST", "/api/v1/session", f'{{"link": "{link}"}}', JSON)


@pytest.fixture
def demo(tmp_path):
    said = tmp_path / "stdout"
    with said.open("wb") as out:
        command = [str(BINARY), "demo", "--port", "0", "--rate", "1", "--data-dir", str(tmp_path / "demo")]
        running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    until(lambda: "Ctrl-C" in said.read_text() or running.poll() is not None, lambda: said.read_text(), 120)
    yield said.read_text()
    running.send_signal(signal.SIGTERM)
    assert running.wait(120) == 0, said.read_text()[-2000:]


def test_a_link_signs_in_once_and_a_token_reads(demo, tmp_path):
    url, sign_in = signed_in(demo)
    with Connection(url) as connection:
        assert connection.get("/api/v1/logs").status == 401
        answer = sign_in(connection)
        assert answer.status == 200, answer.text
        cookie = answer.headers["set-cookie"].split(";")[0]
        found = lambda: connection.get("/api/v1/logs?limit=1", cookie=cookie).json()["records"]
        until(found, "the shop's logs arrive", 60)
        assert connection.get("/api/v1/session", cookie=cookie).json()["name"] == "demo"
        assert sign_in(connection).status == 401, "once"
    token = tmp_path / "demo" / "token"
    assert token.stat().st_mode & 0o777 == 0o600
    ask = [str(BINARY), "query", "--limit", "1", "--format", "json", "--url", url]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOGKEEP_")}
    ran = subprocess.run([*ask, "--token-file", str(token)], capture_output=True, text=True, timeout=60, check=False, env=clean)
    assert ran.returncode == 0 and ran.stdout.count("\n") == 1, ran.stderr
    assert subprocess.run(ask, capture_output=True, timeout=60, check=False, env=clean).returncode == 1


def test_every_request_in_the_access_logs_has_its_trace(demo, say):
    url, sign_in = signed_in(demo)
    with Connection(url) as connection:
        cookie = sign_in(connection).headers["set-cookie"].split(";")[0]
        answered = lambda path: connection.get(path, cookie=cookie).json()

        def records(path, name):
            """All of a quarter of an hour, page by page, but for the last seconds, whose requests may not have ended."""
            pages, after = [], ""
            while after is not None:
                page = answered(f"{path}?from=-14m&to=-5s&limit=10000&after={after}")
                pages += page[name]
                after = page["next"]
            return pages

        accesses, spans = [], {}

        def complete():
            accesses[:] = [log for log in records("/api/v1/logs", "records") if log["trace_id"] and mesh_kind(log)]
            # A request that began before has its caller's half before.
            spans.update({(span["trace_id"], span["span_id"]): span for span in records("/api/v1/spans", "spans")})
            traces = {trace for trace, _ in spans}
            # Some shippers send the trace's id alone.
            found = lambda log: (log["trace_id"], log["span_id"]) in spans if log["span_id"] else log["trace_id"] in traces
            missing = [log for log in accesses[:-20] if not found(log)]
            return len(accesses) > 300 and not missing

        until(complete, lambda: f"{len(accesses)} access logs, {len(spans)} spans", 90, every_s=1)
        for log in [log for log in accesses if log["span_id"]][:20]:
            trace = answered(f"/api/v1/traces/{log['trace_id']}")
            own = {span["span_id"] for span in trace["spans"]}
            assert log["span_id"] in own and log["id"] in {one["id"] for one in trace["logs"]}
            assert all(span["parent_span_id"] is None or span["parent_span_id"] in own for span in trace["spans"])
            status = lambda pairs: dict(map(tuple, pairs)).get("http.response.status_code")
            span = spans[(log["trace_id"], log["span_id"])]
            assert status(span["attributes"]) == status(log["attributes"]), (span, log)
            assert span["service"] == log["service"]
        failed = [span for span in spans.values() if span["status_code"] == "error" and span["kind"] == "server"]
        assert all("exception" in [event["name"] for event in span["events"]] for span in failed)
        edges = answered("/api/v1/graph")["edges"]
        assert len(edges) > 10 and all(edge["traced"] for edge in edges)
        services = answered("/api/v1/services")["services"]
        assert len(services) == 14 and all(one["seen_by"]["spans"] for one in services)
        say(f"demo: {len(accesses)} access logs, each with its trace among {len(spans)}")


def mesh_kind(record):
    return any(name == "mesh.kind" for name, _ in record["attributes"])
