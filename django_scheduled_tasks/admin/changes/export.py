"""The changes as a file, streamed row by row: CSV that no spreadsheet takes for formulas, or JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import Change

COLUMNS = ("id", "at", "by", "way", "door", "address", "deed", "task", "task_name", "field", "old", "new", "reason")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so may be taken for a formula, also behind a quote or a separator that somebody typed."""


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def as_csv(rows: QuerySet[Change]) -> StreamingHttpResponse:
    """Return a line for each field of each change."""
    return _file(_csv_lines(rows), "text/csv; charset=utf-8", "changes.csv")


def as_json(rows: QuerySet[Change]) -> StreamingHttpResponse:
    """Return a list with an object for each change."""
    return _file(_json_lines(rows), "application/json", "changes.json")


def plain(value: Any) -> str:
    """Return *value* as a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv_lines(rows: QuerySet[Change]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in rows.iterator(chunk_size=500):
        whole = as_object(row)
        for item in whole.pop("fields") or [{"field": "", "old": "", "new": ""}]:
            name = f"{item['field']}.{item['name']}" if item.get("name") else item["field"]
            cells = whole | item | {"field": name}
            yield writer.writerow([plain(cells[column]) for column in COLUMNS])


def _json_lines(rows: QuerySet[Change]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows.iterator(chunk_size=500)):
        yield f"{',' if number else ''}\n{json.dumps(as_object(row), ensure_ascii=False)}"
    yield "\n]\n"


def as_object(row: Change) -> dict[str, Any]:
    """Return a change as JSON."""
    return {
        "id": row.pk,
        "at": iso_milliseconds(row.at),
        "by": row.user_name,
        "way": row.way,
        "door": row.door,
        "address": row.address,
        "deed": row.deed,
        "task": None if row.task is None else str(row.task),
        "task_name": row.task_name,
        "fields": row.fields,
        "reason": row.reason,
    }


def _file(lines: Iterable[str], kind: str, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type=kind)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
