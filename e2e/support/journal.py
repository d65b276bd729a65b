"""A journal of systemd, made of entries, and what uploads it."""

import subprocess
from pathlib import Path

PROGRAMS = Path("/lib/systemd")


def make(folder, entries):
    """A file with these entries of a field and its value each, a microsecond apart."""

    def text(n, fields):
        head = f"__REALTIME_TIMESTAMP={1_795_168_800_000_000 + n}\n__MONOTONIC_TIMESTAMP={n + 1}\n"
        ids = "".join(f"{name}=0123456789abcdef0123456789abcdef\n" for name in ["_BOOT_ID", "_MACHINE_ID"])
        return head + ids + "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"

    journal = folder / "made.journal"
    command = [str(PROGRAMS / "systemd-journal-remote"), f"--output={journal}", "-"]
    export = "".join(text(n, fields) for n, fields in enumerate(entries))
    subprocess.run(command, input=export, capture_output=True, text=True, timeout=120, check=True)
    return journal


def upload(port, journal):
    """The command that uploads what is behind the cursor that it has saved in `state` beside the journal, and ends."""
    program = str(PROGRAMS / "systemd-journal-upload")
    return [program, f"--url=http://127.0.0.1:{port}", f"--file={journal}", "--follow=no", f"--save-state={journal.parent}/state"]
