"""How the executions of a task ended over a year, week by week, also those that are no longer kept; reading only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django_scheduled_tasks.lifecycle import RAN_OUTCOMES, Outcome, Status
from django_scheduled_tasks.models import ScheduledTask, TaskDay
from django_scheduled_tasks.services.queries.executions.timeline import kind_of

WEEKS = 53


@dataclass(slots=True)
class Week:
    """The executions that were triggered within seven days, in UTC, from a Monday on."""

    day: date
    """That Monday."""
    completed: int = 0
    failed: int = 0
    others: int = 0
    ran: int = 0
    """How many of them ran until they were done, one way or the other."""
    seconds: float = 0.0
    """How long those ran together."""
    longest: timedelta | None = None
    """How long the longest of them ran."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.completed + self.failed + self.others

    @property
    def mean(self) -> timedelta | None:
        """How long those ran on average."""
        return timedelta(seconds=self.seconds / self.ran) if self.ran else None


def has_year(task: ScheduledTask) -> bool:
    """Whether days of *task* are counted; those of tasks with keys are not."""
    return task.key is None


def weeks_of(task: ScheduledTask, now: datetime) -> list[Week]:
    """Return the last :data:`WEEKS` weeks, oldest first; one statement."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
    weeks = [Week(first + timedelta(weeks=number)) for number in range(WEEKS)]
    for row in TaskDay.objects.filter(task=task, day__gte=first, day__lte=today):
        week = weeks[(row.day - first).days // 7]
        for outcome in Outcome:
            kind, count = kind_of(_status(outcome), outcome), row.of(outcome)
            week.completed += count * (kind == "ok")
            week.failed += count * (kind == "bad")
            week.others += count * (kind == "other")
            week.ran += count * (outcome in RAN_OUTCOMES)
        week.seconds += row.seconds
        if row.longest:
            week.longest = max(week.longest or timedelta(0), timedelta(seconds=row.longest))
    return weeks


def _status(outcome: Outcome) -> Status:
    return Status.COMPLETED if outcome == Outcome.SUCCEEDED else Status.ERRORS
