"""Finding executions by a text: no index answers that, so that the newest are looked at, and only so many."""

from __future__ import annotations

import json
from typing import Any

from django.db import connections
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When

from django_scheduled_tasks.identifiers import as_uuid, read_number
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.models.task import NUL
from django_scheduled_tasks.services.secrets import shown
from django_scheduled_tasks.store.reading.recent import newest_numbers

MOST_SEARCHED = 500
"""The longest text that is searched for, in characters; databases refuse very long ones."""
SEARCHED = 5_000
"""How many of the newest executions are searched for a text."""
NAMED, OF_EACH = 20, 100
"""Of so many tasks whose names have the text in them so many executions are found, however old they are."""
MOST_FOUND = 1_000
"""The newest so many are found."""


def with_text(rows: QuerySet[Execution], text: str, *, sees_logs: bool) -> QuerySet[Execution]:
    """Keep those of *rows* that a person means by *text*.

    A number or a tracking id is that of one execution. Any other text is looked for in the names of tasks and, in the
    newest :data:`SEARCHED` of *rows*, in reasons, parameters and errors. Three statements; on MySQL four.

    Args:
        rows: Newest first; filters are applied by then.
        text: What was typed.
        sees_logs: Whether it is looked for in what functions said as well: else a search would tell that, letter by
            letter. Secrets among the parameters are never looked at.
    """
    text = text.strip()
    if len(text) > MOST_SEARCHED or NUL in text:
        return rows.none()
    if (identifier := as_uuid(text)) is not None:
        return rows.filter(tracking_id=identifier)
    if (number := read_number(text.removeprefix("#"))) is not None:
        return rows.filter(pk=number)
    found = {*_of_tasks_called(text), *_with_text(rows, text, sees_logs=sees_logs)}
    return rows.filter(pk__in=sorted(found, reverse=True)[:MOST_FOUND]).order_by("-id")


def _of_tasks_called(text: str) -> list[int]:
    tasks = ScheduledTask.objects.filter(name_key__contains=text.casefold()).order_by("name_key")
    return newest_numbers(list(tasks.values_list("pk", flat=True)[:NAMED]), count=OF_EACH)


def _with_text(rows: QuerySet[Execution], text: str, *, sees_logs: bool) -> list[int]:
    in_error = Q(error_type__icontains=text)
    if sees_logs:
        in_error |= Q(error_message__icontains=text)
    has_it = Case(When(in_error, then=Value(True)), default=Value(False), output_field=BooleanField())
    in_order = rows if rows.query.order_by else rows.order_by("-id")
    columns = ("pk", "dst_in_error", "task_name", "reason", "function", "params", "secret_params")
    # First their numbers, which stand in the index of a filter in order; then these rows and no others.
    numbers: Any = in_order.values("pk")[:SEARCHED]
    if not connections[rows.db].features.allow_sliced_subqueries_with_in:  # MySQL
        numbers = [pk for (pk,) in numbers.values_list("pk")]
    newest = Execution.objects.filter(pk__in=numbers).annotate(dst_in_error=has_it).order_by().values_list(*columns)
    wanted = text.casefold()
    return [
        number
        for number, is_in_error, name, reason, function, params, known in newest
        if is_in_error
        or wanted in name.casefold()
        or wanted in reason.casefold()
        or (params and _is_in_parameters(wanted, function, params, known))
    ]


def _is_in_parameters(wanted: str, function: str, params: dict[str, Any], known: Any) -> bool:
    """Whether the text is in names or values of parameters as they are shown, with their secrets masked."""
    return wanted in _folded(params) and wanted in _folded(shown(function, params, known))


def _folded(params: dict[str, Any]) -> str:
    return json.dumps(params, ensure_ascii=False).casefold()
