"""Rows as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncRequestFactory, RequestFactory

from django_scheduled_tasks.exporting import CHUNK, ExportFormat, exported

AT = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
ROW = [81, "invoice-run", None, {"month": "ü", "n": [1]}, AT, 2.5, True]
COLUMNS = ["number", "task_name", "reason", "params", "started_at", "seconds", "flag"]


def text_of(kind: ExportFormat, rows: list[list[object]], columns: list[str]) -> str:
    response = exported(RequestFactory().get("/"), kind, name="executions", columns=columns, rows=rows)
    assert response["Content-Disposition"] == f'attachment; filename="executions.{kind}"'
    return b"".join(response).decode()


def test_json_is_a_list_of_objects_with_keys_as_over_rest():
    assert json.loads(text_of(ExportFormat.JSON, [ROW, ROW], COLUMNS))[1] == {
        "number": 81,
        "taskName": "invoice-run",
        "reason": None,
        "params": {"month": "ü", "n": [1]},
        "startedAt": "2026-11-28T05:00:00.000Z",
        "seconds": 2.5,
        "flag": True,
    }
    assert json.loads(text_of(ExportFormat.JSON, [], COLUMNS)) == []


def test_csv_has_a_header_and_json_in_its_cells():
    header, row = csv.reader(io.StringIO(text_of(ExportFormat.CSV, [ROW], COLUMNS)))
    assert header == ["number", "taskName", "reason", "params", "startedAt", "seconds", "flag"]
    assert row == ["81", "invoice-run", "", '{"month": "ü", "n": [1]}', "2026-11-28T05:00:00.000Z", "2.5", "true"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =cmd|' /C calc'!A0", "|x", "%x"])
def test_what_a_spreadsheet_would_calculate_begins_with_an_apostrophe(text):
    _header, (cell,) = csv.reader(io.StringIO(text_of(ExportFormat.CSV, [[text]], ["reason"]), newline=""))
    assert cell == f"'{text}"
    assert json.loads(text_of(ExportFormat.JSON, [[text]], ["reason"])) == [{"reason": text}]


def test_numbers_stay_numbers_and_control_characters_are_escaped():
    _header, row = csv.reader(io.StringIO(text_of(ExportFormat.CSV, [[-1, "a\x1b[2J\nb"]], ["a", "b"])))
    assert row == ["-1", "a\\x1b[2J\nb"]


def test_rows_are_read_while_they_are_sent_over_wsgi_and_over_asgi():
    read = 0

    def rows() -> object:
        nonlocal read
        for _number in range(100):
            read += 1
            yield ["x" * (CHUNK // 10)]

    request = RequestFactory().get("/")
    first = next(iter(exported(request, ExportFormat.CSV, name="x", columns=["a"], rows=rows())))
    assert (read <= 11, len(first) < 2 * CHUNK) == (True, True)

    async def begin() -> str:
        nonlocal read
        read = 0
        response = exported(AsyncRequestFactory().get("/"), ExportFormat.JSON, name="x", columns=["a"], rows=rows())
        parts = [part async for part in response]
        return b"".join(parts).decode()

    assert len(json.loads(async_to_sync(begin)())) == 100
