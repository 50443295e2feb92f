"""Records for machines: which execution they belong to, as JSON, and the events of workers and schedulers."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from django_scheduled_tasks.logs import ExecutionFilter, JsonFormatter
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_task

HOME = "django_scheduled_tasks"


@pytest.fixture
def lines():
    """What a project's handler with our filter and formatter writes, as JSON."""
    written: list[dict[str, object]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(json.loads(self.format(record)))

    handler = Kept()
    handler.addFilter(ExecutionFilter())
    handler.setFormatter(JsonFormatter())
    before = logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    yield written
    logging.root.removeHandler(handler)
    logging.root.setLevel(before)


@pytest.mark.django_db
def test_what_a_function_logs_says_which_execution_it_belongs_to(engine, lines):
    task = make_task(name="talk", function="testapp.talk")
    execution = run_once(task).execution
    execute(str(execution.tracking_id))
    of_function = [line for line in lines if not str(line["logger"]).startswith(HOME)]
    assert of_function
    mine = {"task": "talk", "tracking_id": str(execution.tracking_id), "attempt": 1}
    assert all(mine.items() <= line.items() for line in of_function)


@pytest.mark.django_db(transaction=True)
def test_a_worker_says_when_it_begins_and_how_it_ended(engine, lines):
    fine = run_once(make_task(name="fine")).execution
    broken = run_once(make_task(name="broken", function="testapp.fail", max_attempts=2)).execution
    for execution in (fine, broken):
        execute(str(execution.tracking_id))
    found = [
        (line["event"], line["task"], line.get("outcome"))
        for line in lines
        if line.get("event") in {"claimed", "ended"}
    ]
    assert found == [
        ("claimed", "fine", None),
        ("ended", "fine", "succeeded"),
        ("claimed", "broken", None),
        ("ended", "broken", "retried"),
    ]
    assert [line["count"] for line in lines if line.get("event") == "sent"] == [1, 1]


@pytest.mark.django_db
def test_none_of_it_is_in_the_log_of_the_execution(engine, lines):
    execution = run_once(make_task()).execution
    execute(str(execution.tracking_id))
    assert not execution.logs.exists()


def test_json_has_what_goes_with_a_record_and_its_exception():
    try:
        int("no")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, __file__, 1, "Sent %s", ("ä",), sys.exc_info())
    record.number, record.thing = 3, object()
    found = json.loads(JsonFormatter().format(record))
    assert (found["level"], found["logger"], found["message"], found["number"]) == ("ERROR", "a", "Sent ä", 3)
    assert found["exception"].endswith("'no'")
    assert found["timestamp"].endswith("+00:00")
    assert "thing" in found


def test_settings_can_name_them_before_models_are_there():
    code = (
        f"import sys, {HOME}.logs; sys.exit(any('models' in name for name in sys.modules if name.startswith('{HOME}')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
