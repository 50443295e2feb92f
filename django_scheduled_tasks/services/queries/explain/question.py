"""Why did it run, or not run, at an instant? What :mod:`~.answers` needs to decide, read by a handful of statements."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import ENDED, EXCLUDED, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.planner import INSTANT, TaskPolicy, excluded_ahead, occurrences_between
from django_scheduled_tasks.schedules import first_from
from django_scheduled_tasks.schedules.calendars import Excluded, WithCalendars
from django_scheduled_tasks.services.queries.explain.answers import Explanation, Kind, Question, decide
from django_scheduled_tasks.services.queries.explain.standing import why
from django_scheduled_tasks.services.queries.explain.when import When
from django_scheduled_tasks.services.queries.holds import holds_between

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def explain(task: ScheduledTask, when: When) -> Explanation:
    """Say what became of the occurrence of *task* at an instant, or why there is none; a handful of statements."""
    question = _question(task, when.at)
    found = decide(question)
    if when.skipped is None:
        return found
    text = _("%(wall)s did not exist in %(zone)s: the clock went from %(before)s to %(after)s.") % {
        "wall": f"{when.skipped:%Y-%m-%d %H:%M}",
        "zone": task.timezone,
        "before": when.before,
        "after": when.after,
    }
    return Explanation(Kind.CLOCK_CHANGED, f"{text} {found.sentence}", found.facts | {"then": str(found.kind)})


def _question(task: ScheduledTask, at: datetime) -> Question:
    now = read_now()
    at = at.replace(microsecond=0)
    until = at + (SECOND if at.second else MINUTE)
    try:
        policy: TaskPolicy | None = task.policy
    except InvalidSchedule:
        policy = None
    due = _due(policy, at, until) if policy is not None else None
    rows = Execution.objects.using(write_alias()).filter(task=task, trigger=Trigger.SCHEDULE, replay=0)
    row = _row_of(rows.filter(scheduled_for__gte=at, scheduled_for__lt=until).order_by("scheduled_for"), due)
    if row is None and due is not None and policy is not None:
        row = _row_that_counts(rows, policy, due)
    excluded = None
    if row is None and due is None and policy is not None:
        excluded = next(iter(excluded_ahead(policy, after=at - SECOND, until=until - SECOND, most=1)), None)
        if excluded is not None:
            row = _row_that_left_out(rows, policy, excluded)
    return Question(
        task=task,
        at=at,
        now=now,
        policy=policy,
        due=due,
        excluded=excluded,
        row=row,
        standing=why(task, now),
        holds=holds_between(min(due or at, now), max(due or at, now)),
        kept_since=_kept_since(task, now) if row is None else None,
        is_elsewhere=not task.runs_here,
    )


def _due(policy: TaskPolicy, at: datetime, until: datetime) -> datetime | None:
    found = first_from(policy.schedule, at if policy.starts_at is None else max(at, policy.starts_at))
    if found is None or found >= until or (policy.ends_at is not None and found >= policy.ends_at):
        return None
    return found


def _row_of(rows: Any, due: datetime | None) -> Execution | None:
    found: list[Execution] = list(rows.select_related("blocked_by")[: MINUTE // SECOND])
    return next((row for row in found if row.scheduled_for == due), found[0] if found else None)


def _row_that_counts(rows: Any, policy: TaskPolicy, due: datetime) -> Execution | None:
    """Return the row that stands for several occurrences, *due* among them."""
    row: Execution | None = rows.filter(scheduled_for__gt=due, occurrences__gt=1).order_by("scheduled_for").first()
    if row is None or row.scheduled_for is None or row.triggered_at < due:
        return None
    found = occurrences_between(policy, after=due - INSTANT, until=row.scheduled_for)
    return row if found is not None and found.count <= row.occurrences else None


def _row_that_left_out(rows: Any, policy: TaskPolicy, excluded: Excluded) -> Execution | None:
    """Return the row of the stretch that *excluded* is among, if it was left out and that is recorded."""
    schedule = policy.schedule
    if excluded.moved_to is not None or not isinstance(schedule, WithCalendars):
        return None
    later = rows.filter(scheduled_for__gt=excluded.nominal, error_code=EXCLUDED, occurrences__gt=1)
    row: Execution | None = later.order_by("scheduled_for").first()
    if row is None or row.scheduled_for is None:
        return None
    return row if schedule.schedule.count(excluded.nominal - SECOND, row.scheduled_for) <= row.occurrences else None


def _kept_since(task: ScheduledTask, now: datetime) -> datetime:
    settings = get_settings()
    last = settings.KEEP_LAST if task.keep_last is None else task.keep_last
    since = now - (settings.KEEP_FOR if task.keep_for is None else task.keep_for)
    ended = Execution.objects.using(write_alias()).filter(task=task, status__in=ENDED).order_by("-pk")
    beyond = ended.values_list("triggered_at", flat=True)[max(last - 1, 0) : max(last, 1)].first()
    return max(since, beyond) if beyond is not None else since
