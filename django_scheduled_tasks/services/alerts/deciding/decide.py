"""Opening and closing what follows from what is wrong now, and telling more of what stays open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django_scheduled_tasks.alerting import OF_TASK, Event, Kind, changes, late_margin
from django_scheduled_tasks.models import Alert, ScheduledTask, write_alias
from django_scheduled_tasks.services.alerts.deciding.conditions import Found
from django_scheduled_tasks.services.alerts.deciding.record import close_alert, key_of, open_alert
from django_scheduled_tasks.services.alerts.rules import Rules, read_rules, tell

Key = tuple[Kind, str]


def decide(found: Found, now: datetime, *, rules: Rules | None) -> bool:
    """Open and close what follows from *found*; whether anything was written.

    Args:
        found: What is wrong.
        now: The present instant.
        rules: If they were read for it: then of what stays open is told what there is more to tell, such as reminders,
            and what opened in quiet hours that are over.
    """
    alerts = list(Alert.objects.using(write_alias()).open().select_related("task"))
    by_key = {(Kind(alert.kind), _where(alert)): alert for alert in alerts}
    is_to_tell = rules is not None and bool(alerts)
    late = [one.where for one in found.conditions if one.kind == Kind.LATE]
    rules = rules or (read_rules() if late else None)
    tasks = _tasks(late)
    late_after = {where: late_margin(rules.about(task)) for where, task in tasks.items()} if rules is not None else {}

    def steps(dismissed: Mapping[Key, datetime]) -> list[tuple[Event, Key]]:
        return changes(
            now,
            found.conditions,
            opened=by_key,
            examined=found.examined,
            late_after=late_after,
            dismissed=dismissed,
        )

    opening = [key for event, key in steps({}) if event == Event.OPENED]
    if opening:
        opening = [key for event, key in steps(_dismissed(opening, found)) if event == Event.OPENED]
    closing = [key for event, key in steps({}) if event == Event.CLOSED and key[0] not in found.partial]
    if not opening and not closing and not is_to_tell:
        return False
    rules = rules or read_rules()
    _open(opening, found, now, rules)
    for key in closing:
        close_alert(by_key[key], at=now, now=now, rules=rules.about(by_key[key].task))
    if is_to_tell:
        for key, alert in by_key.items():
            if key not in closing:
                tell(alert, rules.about(alert.task), now)
    return True


def _tasks(ids: Collection[str]) -> Mapping[str, ScheduledTask]:
    rows = ScheduledTask.objects.using(write_alias()).filter(pk__in=ids) if ids else ()
    return {str(task.pk): task for task in rows}


def _dismissed(keys: Collection[Key], found: Found) -> Mapping[Key, datetime]:
    """Return when somebody closed the last alert about each of *keys*, if it was so then already; one statement."""
    earliest = min(one.since for one in found.conditions if one.key in keys)
    rows = Alert.objects.using(write_alias()).filter(
        closed_by_hand=True, closed_at__gte=earliest, kind__in=sorted({kind for kind, _where in keys})
    )
    columns = ("kind", "task_id", "queue", "closed_at")
    return {
        (Kind(kind), str(task) if task is not None else queue): at
        for kind, task, queue, at in rows.order_by("closed_at").values_list(*columns)
        if at is not None
    }


def _open(keys: Collection[Key], found: Found, now: datetime, rules: Rules) -> None:
    since = {one.key: one.since for one in found.conditions}
    tasks = _tasks([where for kind, where in keys if kind in OF_TASK])
    for kind, where in keys:
        task = tasks.get(where)
        if kind in OF_TASK and task is None:
            continue  # it was deleted a moment ago
        open_alert(
            kind,
            task=task,
            queue=where if task is None else "",
            at=since[kind, where],
            now=now,
            rules=rules.about(task),
            execution=found.running.get((kind, where)),
            limit=found.limits.get((kind, where)),
        )


def _where(alert: Alert) -> str:
    return str(alert.open_key).removeprefix(key_of(alert.kind, ""))
