"""Lines of one text and parts of one line: a record each, counted as what they became, and whole over kill -9."""

import os
import signal
import threading

from fluent.sender import FluentSender

from support.http import Connection
from support.rsyslog import QUEUE, Rsyslog
from support.server import pairs
from support.wait import until

RULE = """pipelines:
  - name: traces
    multiline: {continues: '^(\\s|#011|Caused by)', timeout: 2s}
"""
LEDGER = {"from": "2026-01-01T00:00:00Z", "limit": 5_000}
# As its copier cuts lines.
DOCKER_PART = 16 * 1024


def counted(server, protocol):
    told = server.answered("/api/v1/sources", **LEDGER)
    assert told["balanced"], told
    return sum(source["received"] for source in told["sources"] if source["protocol"] == protocol)


def trace(word, n):
    return [f"{word} number {n} failed", f"\tat shop.Cart.save({n})", "Caused by: java.io.IOException", "\tat disk"]


def docker(sender, text, line):
    """What Docker's driver for Fluentd makes of a line; each part is a message that nobody acks."""
    parts = [text[at : at + DOCKER_PART] for at in range(0, len(text), DOCKER_PART)]
    for ordinal, part in enumerate(parts, 1):
        event = {"container_id": f"{line:064x}", "container_name": "/web", "source": "stdout", "log": part}
        if len(parts) > 1:
            last = str(ordinal == len(parts)).lower()
            event |= {"partial_message": "true", "partial_id": f"{line:x}", "partial_ordinal": str(ordinal), "partial_last": last}
        assert sender.emit_with_time(None, 1_795_168_800 + line, event)
    return len(parts)


def test_long_lines_of_docker_over_fluent_logger(make_server, word):
    server = make_server().start()
    sender = FluentSender("docker", host="127.0.0.1", port=server.port("forward-tcp"))
    texts = [f"{word} {n} " + "x" * n * 9_000 + f" end{n}" for n in range(12)]
    parts = [docker(sender, text, n) for n, text in enumerate(texts)]
    assert max(parts) > 5
    # One whose end never comes is there after a moment, and says so.
    unended = {"log": f"{word} unended", "partial_message": "true", "partial_id": "u", "partial_ordinal": "1", "partial_last": "false"}
    assert sender.emit_with_time(None, 1_795_168_900, unended)
    records = server.wait_for(word, 13)
    sender.close()
    found = {record["body"]: pairs(record, "attributes") for record in records}
    for text, count in zip(texts, parts, strict=True):
        assert found[text].get("log.record.parts") == (count if count > 1 else None)
        assert not [name for name in found[text] if "partial" in name]
    assert found[f"{word} unended"]["log.record.partial"] is True
    assert counted(server, "forward") == 13
    server.stop()
    assert server.verify().returncode == 0


def test_stack_traces_over_rsyslog(make_server, tmp_path, word):
    server = make_server(settings=RULE).start()
    port = server.port("syslog-tcp")
    action = f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" {QUEUE})'
    with Rsyslog(tmp_path, action) as rsyslog:
        # Two programs at once, so that lines of both come in between.
        lines = [[f"<13>1 2026-11-20T10:00:00Z host {app} 7 - - {line}" for n in range(40) for line in trace(f"{word}{app}", n)] for app in "ab"]
        rsyslog.send([line for both in zip(*lines, strict=True) for line in both])
        records = server.wait_for(f"{word}a OR {word}b", 80)
    for app in "ab":
        # rsyslog writes a tab as `#011`.
        bodies = {record["body"].replace("#011", "\t") for record in records if record["service"] == app}
        assert bodies == {"\n".join(trace(f"{word}{app}", n)) for n in range(40)}
    for record in records:
        assert pairs(record, "attributes")["log.record.parts"] == 4
        assert [line.split(" - - ")[1] for line in record["original"].split("\n")] == record["body"].split("\n")
    assert counted(server, "syslog") == 80


def test_a_rule_is_taken_up_while_the_server_runs(make_server, word):
    server = make_server(settings=RULE).start()
    assert server.ingest([{"message": f"{word} a"}, {"message": "- b"}, {"message": " c"}])["stored"] == 2
    server.config.write_text(server.config.read_text().replace("Caused by", "-"))
    os.kill(server.pid(), signal.SIGHUP)
    until(lambda: 'reloads_total{outcome="taken"} 1' in server.get("/metrics").text, "the new rule is in use", 30)
    assert server.ingest([{"message": f"{word} a"}, {"message": "- b"}, {"message": " c"}])["stored"] == 1
    assert sorted(record["body"] for record in server.find(word)) == [f"{word} a", f"{word} a\n- b\n c"]


def test_what_is_acked_is_whole_over_kills(make_server, word):
    server = make_server(settings=RULE + "flush:\n  bytes: 1MiB\n  interval: 1s\n").start()
    state = {"url": server.url, "done": threading.Event(), "sent": 0}

    def load():
        while not state["done"].is_set():
            body = "\n".join(line for n in range(50) for line in trace(word, state["sent"] * 50 + n))
            while True:
                try:
                    with Connection(state["url"]) as connection:
                        headers = {"content-type": "application/x-ndjson", "x-logkeep-batch": f"{word}-{state['sent']}"}
                        answer = connection.post("/api/v1/ingest/ndjson", body.encode(), headers)
                    assert answer.status == 200, answer.text
                    break
                except OSError:
                    continue
            state["sent"] += 1

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    for kill in range(3):
        until(lambda kill=kill: state["sent"] > 10 * (kill + 1), "requests are answered", 60)
        server.kill()
        server.start()
        state["url"] = server.url
    state["done"].set()
    thread.join(60)
    assert not thread.is_alive()
    bodies = sorted(record["body"] for record in server.all_records(word))
    assert bodies == sorted("\n".join(trace(word, n)) for n in range(state["sent"] * 50))
    assert counted(server, "ndjson") >= len(bodies)
