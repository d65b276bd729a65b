"""The unit for systemd, as systemd itself reads it. It is not run: there is no service manager where the tests run."""

import re
import subprocess

from support.server import BINARY, REPOSITORY

SYSTEMD = REPOSITORY / "deploy/systemd"


def run(*command):
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def test_the_unit_is_one(tmp_path, say):
    unit = tmp_path / "logkeep.service"
    unit.write_text((SYSTEMD / "logkeep.service").read_text().replace("/usr/bin/logkeep", str(BINARY)))
    code, said = run("systemd-analyze", "verify", unit)
    # A key that this systemd does not know is only a warning.
    assert (code, said.strip()) == (0, ""), said
    unit.write_text(unit.read_text() + "ProtectSytem=strict\n[Servce]\n")
    assert "Unknown" in run("systemd-analyze", "verify", unit)[1], "it would say so"
    code, said = run("systemd-analyze", "security", "--offline=true", "--no-pager", SYSTEMD / "logkeep.service")
    exposure = re.search(r"Overall exposure level for \S+: (\S+)", said)
    assert exposure, said
    say(f"systemd: exposure {exposure[1]}")


def test_user_and_folders_are_as_systemd_has_them(tmp_path):
    (tmp_path / "etc").mkdir()
    code, said = run("systemd-sysusers", "--root", tmp_path, SYSTEMD / "logkeep.sysusers.conf")
    assert code == 0, said
    code, said = run("systemd-tmpfiles", "--root", tmp_path, "--create", SYSTEMD / "logkeep.tmpfiles.conf")
    assert code == 0, said
    for folder in ("data", "key"):
        assert (tmp_path / "var/lib/logkeep" / folder).stat().st_mode & 0o777 == 0o700


def test_the_configuration_that_the_unit_names_has_no_fault():
    code, said = run(BINARY, "config", "check", SYSTEMD / "logkeep.yaml")
    assert code == 0, said
