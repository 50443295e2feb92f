"""Who changed what: which changes somebody may see, and how they are looked for; reading only."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import F, Max, Q, QuerySet

from django_scheduled_tasks.identifiers import as_uuid, read_number
from django_scheduled_tasks.models import Change, ChangeKind, ScheduledTask, write_alias
from django_scheduled_tasks.services import visibility
from django_scheduled_tasks.services.permissions import VIEW_CHANGE, VIEW_TASK, Caller, may

MOST_ASKED = 200
"""Of somebody who may see single tasks only, the tasks of so many changes are looked at, the newest."""
SEARCHED = 20_000
"""Among so many of the newest changes a text, and who there is, is looked for."""


def visible(user: Caller, rows: QuerySet[Change]) -> QuerySet[Change]:
    """Return those of *rows* that *user* may see: with the permission for changes, and for the task of each.

    No statement for who may see all tasks. For others two more: permissions on single tasks are asked one by one, and
    what is about a task that is gone is left out.
    """
    if not may(user, VIEW_CHANGE):
        return rows.none()
    rows = visibility.visible(user, rows)
    if may(user, VIEW_TASK):
        return rows
    newest = rows.order_by("-id").exclude(task=None).values_list("task", flat=True)[:MOST_ASKED]
    tasks = ScheduledTask.objects.using(write_alias()).filter(pk__in=set(newest))
    return rows.filter(Q(task=None) | Q(task__in=[task.pk for task in tasks if may(user, VIEW_TASK, task)]))


def may_see(user: Caller, change: Change) -> bool:
    """Whether *user* may see this change; of a task that is gone, who may see all tasks."""
    if not may(user, VIEW_CHANGE, change):
        return False
    if change.task is None or may(user, VIEW_TASK):
        return True
    return may(user, VIEW_TASK, ScheduledTask.objects.using(write_alias()).filter(pk=change.task).first())


def of_task(rows: QuerySet[Change], name_or_id: str) -> QuerySet[Change]:
    """Keep the changes of the task with this id, or of all that are called so now or were then, whatever the case."""
    if (identifier := as_uuid(name_or_id)) is not None:
        return rows.filter(task=identifier)
    present = ScheduledTask.objects.named(name_or_id).values_list("pk", flat=True).first()
    return rows.filter(Q(task=present, task__isnull=False) | Q(task_name__iexact=name_or_id))


def of_person(rows: QuerySet[Change], name: str) -> QuerySet[Change]:
    """Keep what the user called *name* did."""
    return rows.filter(user_name=name)


def of_kind(rows: QuerySet[Change], kind: ChangeKind | str) -> QuerySet[Change]:
    """Keep the changes that are about this."""
    return rows.filter(kinds__contains=f",{kind},")


def with_text(rows: QuerySet[Change], text: str, *, fields: Iterable[str] = ()) -> QuerySet[Change]:
    """Keep those with *text* in the task's name, a field, a value or the reason; of ``#81`` the one with this number.

    Args:
        rows: In any order.
        text: What is looked for.
        fields: Columns whose name in the reader's language has the text in it.
    """
    if text.startswith("#") and (number := read_number(text[1:])) is not None:
        return rows.filter(pk=number)
    found = Q(task_name__icontains=text) | Q(text__icontains=text) | Q(reason__icontains=text)
    for name in fields:
        found |= Q(text__contains=name)
    return rows.filter(found, pk__gt=_newest() - SEARCHED)


def people() -> list[str]:
    """Return the names of who changed something lately; one statement."""
    rows = Change.objects.filter(pk__gt=_newest() - SEARCHED).exclude(user_name="")
    return list(rows.order_by("user_name").values_list("user_name", flat=True).distinct())


def _newest() -> F | int:
    return Change.objects.aggregate(newest=Max("pk"))["newest"] or 0


def put_back_by(numbers: Iterable[int]) -> dict[tuple[int, str, str], Change]:
    """Return what put the fields of the changes with these numbers back, by number, field and parameter's name."""
    found: dict[tuple[int, str, str], Change] = {}
    for row in Change.objects.filter(puts_back__in=list(numbers)).order_by("pk"):
        for item in row.fields:
            found[row.puts_back or 0, item["field"], item.get("name", "")] = row
    return found


def latest_of(task: UUID, field: str, name: str = "", *, after: int = 0) -> Change | None:
    """Return the last change of this field of a task; None if there is none later than the change called *after*."""
    for row in Change.objects.using(write_alias()).filter(task=task, pk__gt=after).order_by("-pk")[:MOST_ASKED]:
        if any(item["field"] == field and item.get("name", "") == name for item in row.fields):
            return row
    return None
