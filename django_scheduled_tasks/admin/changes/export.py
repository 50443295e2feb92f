"""The changes as a file: CSV with a line for each field, or JSON with an object for each change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from django_scheduled_tasks.exporting import ExportFormat, exported
from django_scheduled_tasks.models import Change

_WHOLE = ("id", "at", "by", "way", "door", "address", "deed", "task", "task_name", "reason")


def as_file(request: HttpRequest, kind: ExportFormat, rows: QuerySet[Change]) -> StreamingHttpResponse:
    """Return the changes as a file of this kind."""
    if kind == ExportFormat.CSV:
        columns = (*_WHOLE, "field", "old", "new")
        return exported(request, kind, name="changes", columns=columns, rows=_fields(rows))
    values = ([*_whole(row), row.fields] for row in _read(rows))
    return exported(request, kind, name="changes", columns=(*_WHOLE, "fields"), rows=values)


def _read(rows: QuerySet[Change]) -> Iterator[Change]:
    return rows.iterator(chunk_size=500)


def _whole(row: Change) -> list[Any]:
    task = None if row.task is None else str(row.task)
    return [row.pk, row.at, row.user_name, row.way, row.door, row.address, row.deed, task, row.task_name, row.reason]


def _fields(rows: QuerySet[Change]) -> Iterator[list[Any]]:
    for row in _read(rows):
        for item in row.fields or [{"field": "", "old": "", "new": ""}]:
            name = f"{item['field']}.{item['name']}" if item.get("name") else item["field"]
            yield [*_whole(row), name, item["old"], item["new"]]
