"""The walk from a worker's message to the finished row enters few files, so that a reader can follow it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import django_scheduled_tasks
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.runner import watching
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.database import connection
from tests.factories import make_task

PACKAGE = Path(django_scheduled_tasks.__file__).parent
MOST_FILES = 34
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the walk is counted where it is the shortest"),
]


def files_entered(act: Callable[[], None]) -> list[str]:
    """Return the files of the package of which a function is called while *act* runs in this thread, in their order."""
    entered: dict[str, None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            entered[str(path.relative_to(PACKAGE))] = None

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return list(entered)


def test_the_way_from_a_message_to_the_finished_row_enters_few_files(engine, heartbeat_is_here, monkeypatch):
    monkeypatch.setattr(watching, "_watchers", tuple)  # as where no library wants to see it
    task = make_task(function="testapp.add", params={"a": 1})
    first, second = (run_once(task, overlap="queue_all").execution for _ in range(2))
    execute(str(first.tracking_id))  # what is built or imported once
    found = files_entered(lambda: execute(str(second.tracking_id)))
    second.refresh_from_db()
    assert second.outcome == Outcome.SUCCEEDED
    assert len(found) <= MOST_FILES, " ".join(found)
