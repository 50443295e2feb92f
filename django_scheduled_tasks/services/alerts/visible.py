"""Which alerts somebody may see: with the permission for alerts, and for the task that one is about."""

from __future__ import annotations

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from django_scheduled_tasks.models import Alert, ScheduledTask, database_now, write_alias
from django_scheduled_tasks.services import visibility
from django_scheduled_tasks.services.permissions import VIEW_ALERT, VIEW_TASK, Caller, may

MOST_ASKED = 200
"""Of somebody who may see single tasks only, so many alerts are looked at, the newest."""
MOST_WANTING = 200
"""So many alerts that nobody has acknowledged are read for a page; there may be more."""


def may_see(user: Caller, alert: Alert) -> bool:
    """Whether *user* may see this alert; of a task that is gone, who may see all tasks."""
    return may(user, VIEW_ALERT, alert) and may_see_task(user, alert)


def may_see_task(user: Caller, alert: Alert) -> bool:
    """Whether *user* may see the task that *alert* is about, if it is about one."""
    return not alert.task_name or may(user, VIEW_TASK, alert.task)


def visible(user: Caller, rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Return those of *rows* that *user* may see in lists.

    No statement for who may see all tasks. For others two more: permissions on single tasks are asked one by one.
    """
    if not may(user, VIEW_ALERT):
        return rows.none()
    rows = visibility.visible(user, rows)
    if may(user, VIEW_TASK):
        return rows
    newest = rows.order_by("-id").exclude(task=None).values_list("task", flat=True)[:MOST_ASKED]
    tasks = ScheduledTask.objects.using(write_alias()).filter(pk__in=set(newest))
    seen = [task.pk for task in tasks if may(user, VIEW_TASK, task)]
    return rows.filter(Q(task_name="") | Q(task__in=seen))


def is_silent() -> Q:
    """Alerts of which nobody is told for a while."""
    return Q(silenced_until__gt=database_now())


def is_new() -> Q:
    """Alerts that are open, that nobody has acknowledged, and that are not silent."""
    return Q(open_key__isnull=False, acknowledged_at=None) & ~is_silent()


def wanting(user: Caller) -> list[Alert]:
    """Return the alerts that *user* may see and that want somebody's attention; at most :data:`MOST_WANTING`.

    One statement, those about the installation first, then the newest.
    """
    rows = visible(user, Alert.objects.using(write_alias()).filter(is_new()))
    wide = Case(When(task_name="", then=Value(0)), default=Value(1), output_field=IntegerField())
    return list(rows.alias(dst_wide=wide).order_by("dst_wide", "-id")[:MOST_WANTING])


def counts(rows: QuerySet[Alert]) -> dict[str, int]:
    """Return how many of *rows* are open, new and silent; one statement over those that are open."""
    opened = rows.order_by().filter(open_key__isnull=False)
    return dict(
        opened.aggregate(open=Count("pk"), new=Count("pk", filter=is_new()), silent=Count("pk", filter=is_silent()))
    )
