"""How long to wait before the next attempt. Pure."""

from __future__ import annotations

from datetime import timedelta


def retry_wait(attempt: int, *, least: timedelta, most: timedelta, doublings: int) -> timedelta:
    """Return the wait after the failure of *attempt* (1 is the first).

    It doubles *doublings* times, then grows by the last step, and never exceeds *most*:
    10 s, 300 s and 3 give 10, 20, 40, 80, 160, 240, 300, 300, ….

    Source:
        RetryConfig of the Google Cloud Scheduler API.
    """
    failures = attempt - 1
    steps = 1 << failures if failures <= doublings else (1 << doublings) * (failures - doublings + 1)
    # In whole numbers, which know no end: a duration does, long before so many doublings.
    tick = timedelta(microseconds=1)
    return min(least // tick * steps, most // tick) * tick
