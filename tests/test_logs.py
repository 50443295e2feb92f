"""Logs for machines: whose a record is, records as JSON, and events that can be counted."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from django_scheduled_tasks.lifecycle import Trigger
from django_scheduled_tasks.logs import EVENTS, ExecutionFilter, JSONFormatter, add_execution
from django_scheduled_tasks.models import Execution, ExecutionLog, read_now
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.services.running.lateness import late_seconds
from tests.factories import make_execution, make_task
from tests.runner.attempts import attempt_of

pytestmark = pytest.mark.django_db
LIBRARY = logging.getLogger("some.library")


class Broken:
    """What cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.fixture
def written():
    """What a handler with filter and formatter writes, as the documentation sets it up."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ExecutionFilter())
    handler.setFormatter(JSONFormatter())
    before = logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.root.removeHandler(handler)
    logging.root.setLevel(before)


def test_what_any_logger_says_within_a_function_carries_its_execution_and_nothing_else_does(written):
    attempt = attempt_of()
    about_another = {"task": "other", "tracking_id": "0"}
    LIBRARY.info("before")
    with process.running(attempt):
        LIBRARY.warning("within %s", "it", extra={"rows": 3})
        LIBRARY.info("about another one", extra=about_another)
    LIBRARY.info("after")
    before, within, other, after = [line for line in written() if line["logger"] == LIBRARY.name]
    execution = attempt.execution
    own = {"task": execution.task_name, "tracking_id": str(execution.tracking_id), "attempt": 1}
    assert within.items() >= {"message": "within it", "level": "WARNING", "logger": "some.library", "rows": 3}.items()
    assert within.items() >= own.items()
    assert other.items() >= about_another.items()
    assert not {"task", "tracking_id", "attempt"} & {*before, *after}
    assert "attempt" not in other


def test_a_format_for_people_can_name_the_fields_whether_something_runs_or_not():
    record = logging.makeLogRecord({"msg": "hello"})
    assert ExecutionFilter().filter(record)
    assert logging.Formatter("%(task)s %(message)s").format(record) == "None hello"


def test_a_line_of_json_takes_whatever_a_record_has():
    circle: list = []
    circle.append(circle)
    error = ValueError("no\nnumber")
    info = (ValueError, error, None)
    values = {"exc_info": info, "broken": Broken(), "at": datetime(2026, 1, 1, tzinfo=UTC), "nan": float("nan")}
    record = logging.makeLogRecord(
        {"msg": "two\nlines \ud800", "name": "x", "time": "mine", "circle": circle, **values}
    )
    line = JSONFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    found = json.loads(line, parse_constant=pytest.fail)
    assert found["message"] == "two\nlines \ud800"
    assert found["exception"].endswith("ValueError: no\nnumber")
    assert found["time"].endswith("Z"), "ours wins"
    assert (found["nan"], found["at"], found["broken"]) == (
        "nan",
        "2026-01-01 00:00:00+00:00",
        "<Broken: RuntimeError>",
    )


def test_structlog_takes_the_fields_by_a_processor():
    attempt = attempt_of()
    with structlog.testing.capture_logs(processors=[add_execution]) as lines:
        structlog.get_logger().info("before")
        with process.running(attempt):
            structlog.get_logger().info("rows", count=3)
            structlog.get_logger().info("other", tracking_id="0")
    assert "task" not in lines[0]
    assert lines[1]["count"] == 3
    assert lines[1]["tracking_id"] == str(attempt.execution.tracking_id)
    assert (lines[2]["tracking_id"], "attempt" in lines[2]) == ("0", False)


@pytest.mark.django_db(transaction=True)
def test_claims_and_ends_are_events_and_not_lines_of_the_execution_that_runs(written):
    execution = make_execution(make_task(function="testapp.noop"), not_before=read_now() - timedelta(minutes=1))
    outer = attempt_of()
    with process.running(outer):
        execute(str(execution.tracking_id))
    outer.log.flush()
    claimed, ended = [line for line in written() if line.get("tracking_id") == str(execution.tracking_id)]
    assert (claimed["event"], claimed["attempt"], claimed["logger"]) == ("claimed", 1, EVENTS)
    assert 60 <= claimed["late_seconds"] < 90
    assert (ended["event"], ended["status"], ended["outcome"]) == ("ended", "completed", "succeeded")
    assert 0 <= ended["seconds"] < 30
    assert not ExecutionLog.objects.exists()


def test_a_retry_is_an_event(written):
    execution = make_execution(make_task(function="testapp.fail", max_attempts=2))
    execute(str(execution.tracking_id))
    last = [line for line in written() if line["logger"] == EVENTS][-1]
    assert (last["event"], last["outcome"], last["attempt"]) == ("retried", "failed", 1)


def test_late_is_late_after_what_an_execution_had_to_wait_for():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    row = Execution(triggered_at=at, trigger=Trigger.SCHEDULE)
    assert late_seconds(row) is None
    row.started_at = at + timedelta(seconds=5)
    assert late_seconds(row) == 5
    row.scheduled_for = at + timedelta(seconds=1)
    assert late_seconds(row) == 4
    row.not_before = at + timedelta(seconds=9)
    assert late_seconds(row) == 0
    assert (
        late_seconds(Execution(triggered_at=at, started_at=at, scheduled_for=at - timedelta(9), trigger=Trigger.RERUN))
        == 0
    )


@pytest.mark.parametrize("path", ["ExecutionFilter", "JSONFormatter"])
def test_logging_can_name_the_classes_before_there_are_models(path):
    """As Django does it: LOGGING is read before apps are loaded."""
    code = f"from django_scheduled_tasks.logs import {path}; import sys; print('django.db' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
