"""What the table of kinds says, written another way: by looking at all of a history again for each of its moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

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


# --- what a task has promised, and quiet hours: by walking through time in steps of a quarter of an hour

QUARTER = timedelta(minutes=15)


def reached(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """Return the first instant, of whole quarters, at which the clock of *zone* shows that time of the day or later."""
    at = datetime.combine(day, time.min, UTC) - timedelta(hours=30)
    at = at.replace(minute=0)
    while at.astimezone(zone).replace(tzinfo=None) < datetime.combine(day, wall):
        at += QUARTER
    return at


def last_deadline(by: time, zone: ZoneInfo, now: datetime) -> tuple[date, datetime]:
    """Return the day and the instant of the last deadline that has passed."""
    today = now.astimezone(zone).date()
    days = [today + timedelta(days=number) for number in (-2, -1, 0, 1)]
    return max((reached(day, by, zone), day) for day in days if reached(day, by, zone) <= now)[::-1]


def is_quiet(begin: time, end: time, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the quiet hours end in which *now* is."""
    today, one = now.astimezone(zone).date(), timedelta(days=1)
    for day in (today - one, today):
        until = reached(day if end > begin else day + one, end, zone)
        if reached(day, begin, zone) <= now < until:
            return until
    return None


@dataclass(frozen=True)
class Run:
    """An execution: when it was due (None: somebody triggered it), triggered, and how and when it ended."""

    due: datetime | None
    triggered: datetime
    ended: datetime
    outcome: str


def is_stale(now: datetime, every: timedelta, since: datetime, runs: Sequence[Run]) -> bool:
    """Whether nothing has succeeded for too long."""
    good = [run.ended for run in runs if run.outcome == "succeeded"]
    return not any(at > now - every for at in (since, *good))


def has_missed_deadline(now: datetime, by: time, zone: ZoneInfo, runs: Sequence[Run]) -> bool:
    """Whether what was due for the last deadline has not succeeded by now."""
    day, at = last_deadline(by, zone, now)
    midnight, before = reached(day, time.min, zone), reached(day - timedelta(days=1), by, zone)
    due = [run.due for run in runs if run.due is not None and run.outcome != "skipped"]
    that_day, since_last = [one for one in due if midnight <= one < at], [one for one in due if before <= one < at]
    if not since_last:
        return False
    begin = midnight if that_day else before
    return not any(run.outcome == "succeeded" and (run.due or run.triggered) >= begin for run in runs)
