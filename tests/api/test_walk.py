"""How many files a reader goes through from the call of REST that starts a task to the row that it writes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import django_scheduled_tasks
from django_scheduled_tasks.models import Execution
from tests.api.conftest import ROOT, client_of
from tests.database import connection
from tests.factories import OPERATOR, make_task

PACKAGE = Path(django_scheduled_tasks.__file__).parent
MOST_FILES = 31


class Walk:
    """The files of the package that are entered between the call of the view's method and the INSERT."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self._is_on = False

    def profile(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Note the file of each function that is called; see ``sys.setprofile``."""
        path = Path(frame.f_code.co_filename)
        if event != "call" or not path.is_relative_to(PACKAGE):
            return
        name = str(path.relative_to(PACKAGE))
        self._is_on = self._is_on or (name, frame.f_code.co_name) == ("api/viewsets/starting.py", "run_once")
        if self._is_on and name not in self.files:
            self.files.append(name)

    def stop_at_insert(self, execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        """End the walk at the statement that writes the row; see ``connection.execute_wrapper``."""
        if f'INSERT INTO "{Execution._meta.db_table}"' in str(sql):
            sys.setprofile(None)
        return execute(sql, params, many, context)


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="the way is that of PostgreSQL")
@pytest.mark.parametrize("overlap", ["skip", "allow"])
def test_from_the_call_to_the_row_a_reader_enters_few_files(overlap, engine):
    make_task(name="nightly", function="testapp.give", overlap=overlap)
    client = client_of(*OPERATOR)
    body = {"params": {"value": 1}, "reason": "audit"}
    assert client.post(f"{ROOT}/tasks/nightly/run-once/", body, format="json").status_code == 202
    Execution.objects.all().delete()
    walk = Walk()
    sys.setprofile(walk.profile)
    try:
        with connection.execute_wrapper(walk.stop_at_insert):
            response = client.post(f"{ROOT}/tasks/nightly/run-once/", body, format="json")
    finally:
        sys.setprofile(None)
    assert response.status_code == 202
    assert Execution.objects.count() == 1
    assert len(walk.files) <= MOST_FILES, " ".join(walk.files)
