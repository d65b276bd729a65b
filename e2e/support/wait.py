"""Waiting for a condition: the only way a test here lets time pass."""

import time

DEADLINE_S = 60.0


def until(condition, what, deadline_s=DEADLINE_S, every_s=0.02):
    """Calls `condition` until it gives something true, and returns that."""
    deadline = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what() if callable(what) else what}")
        time.sleep(every_s)
