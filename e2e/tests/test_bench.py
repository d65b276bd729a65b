"""The benchmark itself, on few lines: it goes through, and every answer of both stores is true. Times say nothing."""

import json
import subprocess
import sys

from support.server import BINARY, REPOSITORY


def test_both_stores_answer_truly(tmp_path):
    command = [BINARY.with_name("logkeep-bench"), "run", "--lines", 5_000, "--repeats", 1, "--idle", 0]
    command += ["--work", tmp_path, "--server", BINARY, "--python", sys.executable]
    command += ["--driver", REPOSITORY / "bench/chdb_driver.py"]
    run = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads((tmp_path / "bench.json").read_text())
    assert result["faults"] == []
    unknown = {figure["title"] for figure in result["figures"] if figure["ours"] is None}
    assert not unknown, "every line of the table has a figure"
    assert {query["id"] for query in result["ours"]["cold"]} == {"needle", "trace"}
    assert len(result["ours"]["queries"]) == len(result["peer"]["queries"]) == 10
    table = run.stdout.rsplit("must reach", 1)[1]
    assert "geometric mean" in table and "DIFFER" not in table


def test_every_receiver_stores_every_line(tmp_path):
    command = [BINARY.with_name("logkeep-bench"), "receivers", "--lines", 1_000, "--work", tmp_path, "--server", BINARY]
    command += ["--python", sys.executable, "--driver", REPOSITORY / "bench/queue_driver.py"]
    run = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads((tmp_path / "receivers.json").read_text())
    assert result["left_out"] == []
    first, *others = result["receivers"]
    assert (first["name"], others[-1]["name"]) == ("NDJSON over HTTP", "NDJSON over HTTP, again")
    for receiver in result["receivers"]:
        assert receiver["records"] == 1_000 and receiver["raw_bytes"] > 1_000 * 300, receiver
        assert receiver["records_per_second"] > 0 and receiver["cpu_us_a_record"] > 0, receiver
        assert receiver["name"] in run.stdout.rsplit("ratio", 1)[1]
