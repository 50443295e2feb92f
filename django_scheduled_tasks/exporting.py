"""Files of many rows for spreadsheets and programs: CSV and JSON, written while they are read, never all at once."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from django_scheduled_tasks.instants import camel, iso_milliseconds
from django_scheduled_tasks.printable import printable, printable_json

CHUNK = 32_768
"""About how many characters are sent at once."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""With these begins what a spreadsheet may calculate, or run."""


class ExportFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    """A line for each row; texts that a spreadsheet would calculate begin with an apostrophe."""
    JSON = "json"
    """A list of objects."""


_TYPES = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSON: "application/json"}


def exported(
    request: HttpRequest, kind: ExportFormat, *, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> StreamingHttpResponse:
    """Return *rows* as a file to download; they are read while it is sent.

    Args:
        request: The present request.
        kind: CSV or JSON.
        name: Of the file, without its ending.
        columns: Names of the columns in ``snake_case``; in the file they are in camelCase, as over REST.
        rows: A value for each column: texts, numbers, instants, and JSON; secrets are masked by then.
    """
    keys = [camel(column) for column in columns]
    parts = _in_chunks(csv_lines(keys, rows) if kind == ExportFormat.CSV else json_lines(keys, rows))
    # Django reads an iterator that is not asynchronous to its end before it sends the first byte over ASGI.
    body: Any = _asynchronous(parts) if isinstance(request, ASGIRequest) else parts
    response = StreamingHttpResponse(body, content_type=_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


class _Line:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(keys: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a CSV file, the keys first."""
    writer = csv.writer(_Line())
    yield str(writer.writerow(keys))
    for row in rows:
        yield str(writer.writerow([_cell(value) for value in row]))


def json_lines(keys: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a JSON list of objects, a line for each."""
    between = "[\n"
    for row in rows:
        yield between + printable_json({key: _plain(value) for key, value in zip(keys, row, strict=True)})
        between = ",\n"
    yield "\n]\n" if between != "[\n" else "[]\n"


def _cell(value: Any) -> Any:
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return value
    # Blanks in front do not keep a spreadsheet from it.
    return printable(f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value)


def _plain(value: Any) -> Any:
    return iso_milliseconds(value) if isinstance(value, datetime) else value


def _in_chunks(lines: Iterable[str]) -> Iterator[str]:
    waiting, size = [], 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= CHUNK:
            yield "".join(waiting)
            waiting, size = [], 0
    yield "".join(waiting)


async def _asynchronous(parts: Iterator[str]) -> AsyncIterator[str]:
    while (part := await sync_to_async(_next)(parts)) is not None:
        yield part


def _next(parts: Iterator[str]) -> str | None:
    return next(parts, None)
