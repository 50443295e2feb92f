"""What the table of kinds says, written another way: by looking at all of a history again for each of its moments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django_scheduled_tasks.alerting import End

FAILED = {"failed", "timed_out", "worker_lost"}


def is_open_after(bad: set[str], ends: Sequence[End], after: int, closes_after: int) -> bool:
    """Whether the alert is open once all of *ends*, in order, have happened.

    It is, if some time as many in a row were bad as it takes, with no success among them, and from there on never as
    many successes in a row came as it takes.
    """
    letters = "".join(
        "x" if end.outcome in bad else "s" for end in ends if end.outcome in bad or end.outcome == "succeeded"
    )
    reached = letters.rfind("x" * after)
    while reached >= 0:
        if "s" * closes_after not in letters[reached + after :]:
            return True
        reached = letters.rfind("x" * after, 0, reached + after - 1)
    return False


def history(bad: set[str], ends: Sequence[End], after: int, closes_after: int) -> list[tuple[str, datetime, int]]:
    """Return each opening and each close: what, when, by which execution."""
    found = []
    for place, end in enumerate(ends):
        was = is_open_after(bad, ends[:place], after, closes_after)
        now = is_open_after(bad, ends[: place + 1], after, closes_after)
        if was != now:
            found.append(("opened" if now else "closed", end.at, end.number))
    return found


def usual(durations: Sequence[timedelta]) -> timedelta:
    """Return the least duration that at least 19 of 20 do not exceed."""
    return min(one for one in durations if 20 * sum(other <= one for other in durations) >= 19 * len(durations))
