"""Opening and closing alerts: the only writer of what the state machine decides."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError, transaction

from django_scheduled_tasks.alerting import Event, Kind, Rule, Step
from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.models import Alert, ScheduledTask, write_alias, write_transaction
from django_scheduled_tasks.services.alerts.rules import tell, tell_closed
from django_scheduled_tasks.signals import alert_closed, alert_opened, send

logger = logging.getLogger(__name__)


def key_of(kind: str, where: object) -> str:
    """Return what an alert holds while it is open.

    Args:
        kind: Its kind.
        where: The id of its task, the name of its queue, or empty.
    """
    return f"{kind}:{where}"


def open_alert(
    kind: Kind,
    *,
    task: ScheduledTask | None = None,
    queue: str = "",
    at: datetime,
    now: datetime,
    rules: list[Rule],
    step: Step | None = None,
    execution: int | None = None,
    limit: timedelta | None = None,
) -> Alert | None:
    """Open an alert and write who is told of it; None if one is open: another scheduler was first.

    Args:
        kind: What is wrong.
        task: Of which task; None: of the installation, or of *queue*.
        queue: See there.
        at: Since when.
        now: The present instant.
        rules: Those about the task or the installation.
        step: What the state machine said, of an alert that follows from ends.
        execution: Of another one about an execution: its number.
        limit: Of one that runs for too long: after what time it does.
    """
    row = Alert(
        kind=str(kind),
        task=task,
        task_name=task.name if task is not None else "",
        queue=queue,
        opened_at=at,
        open_key=key_of(kind, task.pk if task is not None else queue),
        count=step.count if step is not None else 1,
        first_execution=step.first if step is not None else execution,
        latest_execution=step.latest if step is not None else execution,
        latest_at=step.at if step is not None else None,
        limit=limit,
    )
    try:
        with write_transaction():
            row.save(using=write_alias(), force_insert=True)
            tell(row, rules, now)
    except IntegrityError as exc:
        if violated_constraint(exc, Alert) != "dst_alert_open_once":
            raise
        return None
    _say(Event.OPENED, row)
    return row


def count_once_more(alert: Alert, step: Step, *, now: datetime, rules: list[Rule]) -> None:
    """Count a further bad end of *alert*, whose task is locked; tell those who wait for so many."""
    alert.count, alert.latest_execution, alert.latest_at = step.count, step.latest, step.at
    alert.save(using=write_alias(), update_fields=["count", "latest_execution", "latest_at"])
    tell(alert, rules, now)


def close_alert(
    alert: Alert,
    *,
    at: datetime,
    now: datetime,
    rules: Sequence[Rule],
    execution: int | None = None,
    by_hand: Mapping[str, Any] = MappingProxyType({}),
) -> bool:
    """Close *alert* and write who is told; False if another scheduler was first.

    Args:
        alert: Any.
        at: When it was over.
        now: The present instant.
        rules: Those about its task or the installation.
        execution: Whose success closes it.
        by_hand: Further columns, if somebody closes it.
    """
    changes = {"open_key": None, "closed_at": at, "closing_execution": execution, **by_hand}
    with write_transaction():
        if not Alert.objects.using(write_alias()).open().filter(pk=alert.pk).update(**changes):
            return False
        alert.refresh_from_db(using=write_alias())  # it may have been silenced a moment ago
        tell_closed(alert, rules, now)
    _say(Event.CLOSED, alert)
    return True


def _say(event: Event, row: Alert) -> None:
    level = logging.WARNING if event == Event.OPENED else logging.INFO
    extra = {"task": row.task_name, "event": f"alert_{event}"}
    logger.log(level, "The alert %s %s is %s", row.kind, row, event, extra=extra)
    signal = alert_opened if event == Event.OPENED else alert_closed
    transaction.on_commit(lambda: send(signal, Alert, alert=row), using=write_alias(), robust=True)
