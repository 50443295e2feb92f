"""Alerts that follow from how the executions of a task ended: ``failing`` and ``missed``."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django_scheduled_tasks.alerting import OF_ENDS, End, Event, Kind, Opened, Step, follow, terms_of
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Alert, Execution, ScheduledTask, for_update, write_alias, write_transaction
from django_scheduled_tasks.services.alerts.deciding.record import close_alert, count_once_more, open_alert
from django_scheduled_tasks.services.alerts.rules import Rules, read_rules
from django_scheduled_tasks.services.installation.state import standing

_LAST = 2**63
"""Beyond the number of every execution."""
MOST_ENDS = 300
"""Of a task so many executions are read, the newest."""


def follow_task(task_id: UUID, *, since: datetime, now: datetime, rules: Rules) -> None:
    """Open, count and close the alerts that follow from the ends of a task's executions.

    The task is locked meanwhile: of two schedulers that do it at once, the second finds all that the first has
    written, and adds nothing. After a crash in between nothing was written.

    Args:
        task_id: Which; if it is gone, nothing is done.
        since: What opened and was over before then and that nobody has recorded is left out.
        now: The present instant.
        rules: All.
    """
    with write_transaction():
        rows = for_update(ScheduledTask.objects.using(write_alias()).filter(pk=task_id))
        if (task := rows.first()) is None:
            return
        ends = _ends_of(task_id)
        for kind in sorted(OF_ENDS):
            _follow_kind(kind, task, ends, since=since, now=now, rules=rules)


def _ends_of(task_id: UUID) -> list[End]:
    rows = Execution.objects.using(write_alias()).of_task(task_id).ended()
    found = rows.values_list("completed_at", "id", "outcome")[:MOST_ENDS]
    return [End(at, number, Outcome(outcome)) for at, number, outcome in found if at is not None]


def _follow_kind(
    kind: Kind, task: ScheduledTask, ends: list[End], *, since: datetime, now: datetime, rules: Rules
) -> None:
    about = rules.about(task)
    last = Alert.objects.using(write_alias()).filter(task=task, kind=str(kind)).order_by("-id").first()
    alert = last if last is not None and last.is_open else None
    opened, behind = None, None
    if alert is not None and alert.latest_at is not None:
        opened = Opened(alert.count, (alert.latest_at, alert.latest_execution or 0))
    else:
        behind = _begin(last)
    for step in follow(kind, ends, terms_of(kind, about), opened=opened, behind=behind, since=since):
        alert = _take(step, kind, task, alert, now=now, rules=rules)


def _begin(last: Alert | None) -> tuple[datetime, int] | None:
    """Return behind which end a history is followed: the one that closed the *last* alert, or the adoption.

    If somebody has closed it, that is the last one it had counted: none of those opens another alert. What was running
    when a database was copied counts as lost at that instant, and nobody is told of it.
    """
    places = []
    if last is not None and last.closed_by_hand and last.latest_at is not None:
        places.append((last.latest_at, last.latest_execution or 0))
    elif last is not None and last.closed_at is not None:
        places.append((last.closed_at, last.closing_execution or 0))
    if (installation := standing().installation) is not None:
        places.append((installation.adopted_at, _LAST))
    return max(places, default=None)


def _take(
    step: Step, kind: Kind, task: ScheduledTask, alert: Alert | None, *, now: datetime, rules: Rules
) -> Alert | None:
    about = rules.about(task)
    if step.event == Event.OPENED:
        return open_alert(kind, task=task, at=step.at, now=now, rules=about, step=step)
    if alert is None:  # never with the task locked
        return None
    if step.event == Event.COUNTED:
        count_once_more(alert, step, now=now, rules=about)
        return alert
    close_alert(alert, at=step.at, now=now, rules=about, execution=step.latest)
    return None


def close_orphans(now: datetime) -> None:
    """Close the alerts of tasks that have been deleted; one statement if there are none."""
    rules = None
    for alert in Alert.objects.using(write_alias()).open().filter(task=None).exclude(task_name=""):
        rules = rules or read_rules()
        close_alert(alert, at=now, now=now, rules=rules.about(None))
