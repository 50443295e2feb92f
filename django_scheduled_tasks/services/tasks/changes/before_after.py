"""Before and after: what a change of a task makes of its fields, the days ahead, and what is under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.json_checks import same_json
from django_scheduled_tasks.lifecycle import RAN_OUTCOMES, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.parameters import has_mask
from django_scheduled_tasks.planner import Difference, Side, differ
from django_scheduled_tasks.schedules import parse_timezone
from django_scheduled_tasks.services.queries.holds import lasting
from django_scheduled_tasks.services.queries.upcoming import windows_of
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.changes.record import differing, of_parameters
from django_scheduled_tasks.services.tasks.fields import SCHEDULE_FIELDS

MOST_UNDER_WAY = 5
"""So many executions that are under way are named."""
LOOKED_AT = 100
"""Among so many runs it is counted how many took longer than a new time limit."""
_OF_RUNS = frozenset(
    {"function", "params", "timeout", "overlap", "queue", "concurrency_group", "expires_after", "max_attempts"}
)
"""Fields whose change makes one ask what becomes of what is under way."""


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """What a change makes of a task."""

    before: ScheduledTask
    after: ScheduledTask
    fields: list[dict[str, Any]]
    """As in ``Change.fields``: secrets are masked."""
    ahead: Difference | None
    """The days ahead; None if one side cannot be planned."""
    under_way: list[Execution]
    """What runs or waits, oldest first; at most :data:`MOST_UNDER_WAY`."""
    longer: int | None
    """How many of the last runs took longer than the new time limit; None if it stays."""
    looked_at: int = 0
    """Among how many."""

    @property
    def asks(self) -> bool:
        """Whether instants or what is under way change, so that a person is to be asked before it is saved."""
        changed = {item["field"] for item in self.fields}
        if changed & SCHEDULE_FIELDS and (self.ahead is None or self.ahead.is_other):
            return True
        return bool(self.under_way) and bool(changed & _OF_RUNS)


def before_after(before: ScheduledTask, after: ScheduledTask, *, asked: Mapping[str, Any] | None = None) -> BeforeAfter:
    """Compare *before*, as it is stored, with *after*, which is not.

    Args:
        before: The task as it is.
        after: The same with other values, which are valid.
        asked: The parameters that were given, with masks where a secret is to stay. That another secret was given is
            told whether it is another one or not: else one could try which it is.
    """
    fields = differing(before, after)
    if asked is not None:
        fields = [item for item in fields if item["field"] != "params"] + _asked(before, after, asked)
    changed = {item["field"] for item in fields}
    under_way: list[Execution] = []
    if changed:
        rows = Execution.objects.using(write_alias()).filter(task=before.pk).open().order_by("id")
        under_way = list(rows.defer("result", "traceback", "params")[:MOST_UNDER_WAY])
    longer, looked_at = None, 0
    if "timeout" in changed and after.timeout is not None:
        longer, looked_at = _longer(before, after.timeout)
    ahead = _ahead(before, after, is_other=bool(changed & SCHEDULE_FIELDS)) if changed else None
    return BeforeAfter(before, after, fields, ahead, under_way, longer, looked_at)


def _asked(before: ScheduledTask, after: ScheduledTask, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters that differ as they are shown, and the secrets that were given."""
    old, new = shown_params(before), shown_params(after)
    secret = {name for shown in (old, new) for name, value in shown.items() if has_mask(value)}
    given = {name for name, value in asked.items() if not has_mask(value)}
    others = {name for name in old.keys() | new.keys() if not same_json(old.get(name, ...), new.get(name, ...))}
    return list(of_parameters(before, after, others | (secret & given)))


def _ahead(before: ScheduledTask, after: ScheduledTask, *, is_other: bool) -> Difference | None:
    holds = list(lasting())
    try:
        zone = parse_timezone(after.timezone)
        old = Side(
            policy=before.policy,
            run_count=before.run_count,
            first=before.next_run_at,
            holds=windows_of(before, holds),
        )
        new = Side(
            policy=after.policy,
            run_count=before.run_count,
            first=None if is_other else before.next_run_at,
            holds=windows_of(after, holds),
        )
        return differ(old, new, now=read_now(), zone=zone)
    except InvalidSchedule:
        return None


def _longer(task: ScheduledTask, limit: timedelta) -> tuple[int, int]:
    """Return how many of the last runs of *task* took longer than *limit*, and among how many; one statement."""
    rows = Execution.objects.using(write_alias()).filter(
        task=task.pk, status__in=(Status.COMPLETED, Status.ERRORS), outcome__in=RAN_OUTCOMES, started_at__isnull=False
    )
    spans = rows.order_by("-id").values_list("started_at", "completed_at")[:LOOKED_AT]
    found = [end - begin for begin, end in spans if begin is not None and end is not None]
    return sum(one > limit for one in found), len(found)
