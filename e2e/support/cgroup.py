"""A memory limit of the kernel's, for one process."""

import os
import re
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class NoCgroup(Exception):
    """There is no memory controller that may be used here."""


class MemoryLimit:
    """Both versions of control groups; version 1 where the memory controller is there."""

    def __init__(self, size):
        old = (ROOT / "memory/memory.limit_in_bytes").exists()
        self.folder = ROOT / ("memory" if old else "") / f"logkeep-e2e-{os.getpid()}"
        limit = "memory.limit_in_bytes" if old else "memory.max"
        self.peak_file = "memory.max_usage_in_bytes" if old else "memory.peak"
        self.events_file = "memory.oom_control" if old else "memory.events"
        try:
            self.folder.mkdir()
        except OSError as error:
            raise NoCgroup(f"no control group can be made: {error}") from error
        try:
            (self.folder / limit).write_text(str(size))
        except OSError as error:
            self.close()
            raise NoCgroup(f"its memory cannot be limited: {error}") from error

    def add(self, pid):
        (self.folder / "cgroup.procs").write_text(str(pid))

    def peak_bytes(self):
        return int((self.folder / self.peak_file).read_text())

    def kills(self):
        return int(re.search(r"^oom_kill (\d+)$", (self.folder / self.events_file).read_text(), re.M)[1])

    def close(self):
        self.folder.rmdir()
