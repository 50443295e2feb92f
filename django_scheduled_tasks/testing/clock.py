"""A clock that a test moves, and a scheduler that runs while it does."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from django_scheduled_tasks.testing.running import run_pending_executions

if TYPE_CHECKING:
    from django_scheduled_tasks.models import Execution

MOST_EVENTS = 100_000
"""So many instants at which something happens are gone through in one call; more are taken for a mistake."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One row of the ledger: an execution, or an occurrence that did not start."""

    task: str
    """The name of the task."""
    due: datetime | None
    """When it was due by its schedule. None if it was started otherwise."""
    outcome: str
    """``succeeded``, ``failed``, ``skipped``, ``missed`` …; empty while it is open, as a retry that waits."""
    reason: str
    """Of what did not succeed, why."""
    execution: Execution


class Clock:
    """The clock of scheduled tasks, stopped. It is what their schedules and executions go by; ``datetime.now()`` in a
    function is not moved (the packages ``time-machine`` and ``freezegun`` do that).

    Within it no scheduler and no worker is needed: :meth:`run_until` does what they do, with the same planner, and runs
    the functions in the process of the test::

        with Clock("2027-03-28T00:00:00+01:00") as clock:
            ledger = clock.run_until("04:00")

    Args:
        start: Aware, or ISO 8601 with an offset: all schedules count from there, as if nothing had been due before.
            None: the present instant, of the database.
    """

    def __init__(self, start: datetime | str | None = None) -> None:
        found = datetime.fromisoformat(start) if isinstance(start, str) else start
        if found is not None and found.tzinfo is None:
            raise ValueError(f"{start} has no time zone.")
        self._start = found
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        from django_scheduled_tasks.db.clock import frozen_at, read_now  # noqa: PLC0415  (plugins are loaded early)

        self._stack.enter_context(frozen_at(self._start or read_now()))
        if self._start is not None:
            _plan_anew(self._start)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    @property
    def now(self) -> datetime:
        """The instant at which it stands, in UTC."""
        from django_scheduled_tasks.db.clock import read_now  # noqa: PLC0415

        return read_now()

    def move_to(self, instant: datetime | str | timedelta) -> None:
        """Let it stand at another instant; nothing runs meanwhile, as if no scheduler had been there.

        Args:
            instant: As for :meth:`run_until`.
        """
        from django_scheduled_tasks.db.clock import frozen_at  # noqa: PLC0415

        self._stack.enter_context(frozen_at(self._instant(instant)))

    def run_until(self, until: datetime | str | timedelta) -> list[Happened]:
        """Let time pass, and everything run that is due until then, that instant included.

        Functions take the time that they take, beside this clock. A retry runs when its wait is over.

        Args:
            until: Aware; a duration; or a text: ``"04:00"`` is the next time that the clock shows that, in the time
                zone of the settings, ``"2h"`` a duration, else ISO 8601.
        Returns:
            What happened, in the order in which it was written.
        Raises:
            ValueError: It is before the present instant, or cannot be read.
            RuntimeError: More happens until then than a test can mean.
        """
        from django_scheduled_tasks.models import Execution  # noqa: PLC0415
        from django_scheduled_tasks.scheduler.tick import tick  # noqa: PLC0415

        end = self._instant(until)
        before = Execution.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        for _ in range(MOST_EVENTS):
            following = self._next_event()
            if following is None or following > end:
                self.move_to(end)
                return _ledger(before)
            if following > self.now:
                self.move_to(following)
            done = tick()
            if not run_pending_executions() and not done:
                raise RuntimeError("Something is due that the scheduler does not handle.")
        raise RuntimeError(f"More than {MOST_EVENTS:,} things happen until {end}.")

    def _next_event(self) -> datetime | None:
        """Return when there is something to do next."""
        from django_scheduled_tasks.services.scheduling.left import left_now  # noqa: PLC0415
        from django_scheduled_tasks.store.reading.outlook import look  # noqa: PLC0415

        outlook = look(left_now())
        return min(filter(None, (outlook.next_run_at, outlook.send_at, outlook.hold_until)), default=None)

    def _instant(self, given: datetime | str | timedelta) -> datetime:
        now = self.now
        found = _read(given, now) if isinstance(given, str) else given
        if isinstance(found, timedelta):
            found = now + found
        if found.tzinfo is None:
            raise ValueError(f"{given} has no time zone.")
        if found < now:
            raise ValueError(f"{given} is before {now}, where the clock stands.")
        return found


def _read(text: str, now: datetime) -> datetime | timedelta:
    from django_scheduled_tasks.conf import get_settings  # noqa: PLC0415
    from django_scheduled_tasks.exceptions import InvalidSchedule  # noqa: PLC0415
    from django_scheduled_tasks.schedules import cron, parse_duration  # noqa: PLC0415

    try:
        shown = time.fromisoformat(text) if ":" in text and "-" not in text else None
    except ValueError:
        shown = None
    if shown is not None:
        zone = ZoneInfo(get_settings().time_zone)
        daily = cron(f"{shown.second} {shown.minute} {shown.hour} * * *", timezone=zone)
        found = daily.next_after(now)
        assert found is not None  # noqa: S101  (for the type checker: each day has one)
        return found
    try:
        return parse_duration(text)
    except InvalidSchedule:
        return datetime.fromisoformat(text)


def _plan_anew(now: datetime) -> None:
    """Let the schedules of all tasks count from *now*."""
    from django_scheduled_tasks.exceptions import InvalidSchedule  # noqa: PLC0415
    from django_scheduled_tasks.models import ScheduledTask  # noqa: PLC0415
    from django_scheduled_tasks.planner import first_run_at  # noqa: PLC0415

    for row in ScheduledTask.objects.exclude(schedule_kind="manual"):
        try:
            first = first_run_at(row.policy, now=now, run_count=row.run_count)
        except InvalidSchedule:
            continue
        ScheduledTask.objects.filter(pk=row.pk).update(next_run_at=first)


def _ledger(after: int) -> list[Happened]:
    from django_scheduled_tasks.models import Execution  # noqa: PLC0415

    return [
        Happened(
            task=row.task_name,
            due=row.scheduled_for,
            outcome=row.outcome or "",
            reason=row.error_message,
            execution=row,
        )
        for row in Execution.objects.filter(pk__gt=after).order_by("pk")
    ]
