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
