"""Waiting for a condition: the only way a test here lets time pass."""

import time

DEADLINE_S = 60.0
# One look counts as no more than this: while the machine sleeps or all of us are stopped, nobody is late.
LONGEST_LOOK_S = 10.0


def until(condition, what, deadline_s=DEADLINE_S, every_s=0.02):
    """Calls `condition` until it gives something true, and returns that."""
    waited_s, last = 0.0, time.monotonic()
    while True:
        found = condition()
        if found:
            return found
        now = time.monotonic()
        waited_s, last = waited_s + min(now - last, LONGEST_LOOK_S), now
        if waited_s > deadline_s:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what() if callable(what) else what}")
        time.sleep(every_s)
