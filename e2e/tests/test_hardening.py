"""What the process gives up before it serves: seen from outside, tried from inside, and that everything else still works."""

import re
import resource
import subprocess
from pathlib import Path

import pytest

from support.server import BINARY
from support.wait import until

OFF = "hardening: {landlock: off, seccomp: off}\n"


def landlock_abi():
    """Of this kernel; 0 without."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    # landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)
    return max(library.syscall(444, None, 0, 1), 0)


def tried(server):
    command = [str(BINARY), "hardening", "--config", str(server.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    answers = dict(re.findall(r"^  (.*?): (.*)$", done.stdout, re.MULTILINE))
    assert len(answers) == 9, done.stdout + done.stderr
    return done, answers


def test_what_is_forbidden_fails_and_would_work_otherwise(make_server):
    done, answers = tried(make_server("on"))
    works = answers.pop("read and write the data folder")
    assert done.returncode == 0 and works == "works", done.stdout
    for what, answer in answers.items():
        if "file" in what or "folder" in what:
            assert landlock_abi() == 0 or "denied" in answer or "not permitted" in answer, f"{what}: {answer}"
        else:
            assert "not permitted" in answer, f"{what}: {answer}"
    done, answers = tried(make_server("off", settings=OFF))
    assert done.returncode == 1
    assert {answer for what, answer in answers.items() if "data folder" not in what or "outside" in what} == {"WORKED"}


def test_every_thread_of_the_server_is_confined(make_server):
    server = make_server().start()
    server.ingest({"message": f"confined {n}"} for n in range(500))
    threads = list(Path(f"/proc/{server.pid()}/task").iterdir())
    assert len(threads) > 4
    for thread in threads:
        status = (thread / "status").read_text()
        assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE), status
        assert re.search(r"^Seccomp:\s*2$", status, re.MULTILINE), status
    limits = Path(f"/proc/{server.pid()}/limits").read_text()
    assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.MULTILINE), limits
    assert resource.getrlimit(resource.RLIMIT_CORE)[1] != 0, "it is not that of whoever started it"
    # What is not dumpable belongs to root, so that no other process of the same user looks into it.
    assert Path(f"/proc/{server.pid()}/environ").stat().st_uid == 0
    assert len(server.find("confined")) == 500


@pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no landlock")
def test_the_log_says_what_holds_and_files_elsewhere_are_out_of_reach(make_server, tmp_path):
    outside = tmp_path / "elsewhere" / "program.vrl"
    outside.parent.mkdir()
    outside.write_text(".attributes.seen = true\n")
    server = make_server(settings="hardening: {landlock: require}\npipelines: []\n").start()
    until(lambda: f"ABI {landlock_abi()}" in server.stderr, "the log says which rules hold")
    with_program = f'pipelines: [{{name: p, steps: [{{vrl: {{file: "{outside}"}}}}]}}]'
    server.config.write_text(server.config.read_text().replace("pipelines: []", with_program))
    until(lambda: "Permission denied" in server.stderr, lambda: f"the file is out of reach: {server.stderr[-2000:]}")
    inside = server.folder / "program.vrl"
    inside.write_text(outside.read_text())
    server.config.write_text(server.config.read_text().replace(str(outside), str(inside)))

    def taken_up():
        server.ingest([{"message": "pipelined"}])
        return server.find('pipelined seen:true')

    until(taken_up, "one beside the configuration is taken up", every_s=0.2)


def test_it_grows_rotates_and_is_backed_up_while_confined(make_server, tmp_path):
    server = make_server(settings="flush:\n  bytes: 1MiB\n  interval: 1s\n").start()
    for part in range(5):
        server.ingest({"message": f"grows {part} {n}", "fill": "x" * 900} for n in range(500))
    done = subprocess.run(
        [str(BINARY), "backup", "--config", str(server.config), "--to", str(tmp_path / "backups")],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    rotated = subprocess.run([str(BINARY), "keys", "rotate", "--config", str(server.config)], capture_output=True, text=True, check=False)
    assert rotated.returncode == 0 and "by the server" in rotated.stdout, rotated.stdout + rotated.stderr
    server.stop()
    server.start()
    assert len(server.all_records("grows")) == 2500


def test_without_landlock_it_says_so(make_server):
    server = make_server(settings=OFF).start()
    until(lambda: '"landlock":"off"' in server.stderr, "the log says that nothing is confined")
    assert re.search(r"^Seccomp:\s*0$", Path(f"/proc/{server.pid()}/status").read_text(), re.MULTILINE)
