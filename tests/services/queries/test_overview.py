"""What the list says of many tasks at once."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.queries import overview
from tests.database import KEEPS_JIT_AWAY, connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def last_ran(task: ScheduledTask) -> str | None:
    return overview.with_state(ScheduledTask.objects.filter(pk=task.pk)).values_list("last_ran", flat=True).get()


def skip(task: ScheduledTask) -> Execution:
    return make_execution(task, status=Status.ERRORS, outcome=Outcome.SKIPPED)


def test_skipped_executions_do_not_hide_that_a_task_is_failing(django_assert_num_queries):
    task = make_task()
    make_execution(task, status=Status.COMPLETED)
    make_execution(task, status=Status.ERRORS, outcome=Outcome.FAILED)
    for _ in range(3):
        skip(task)
    assert last_ran(task) == Outcome.FAILED
    with django_assert_num_queries(1 + KEEPS_JIT_AWAY):
        assert overview.count_tasks().failing == 1


@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB has no cheap way to say so")
def test_how_a_task_ran_is_looked_for_among_its_newest_executions_only(monkeypatch):
    monkeypatch.setattr(overview, "LOOKED_BACK", 3)
    task, other = make_task(), make_task()
    make_execution(task, status=Status.ERRORS, outcome=Outcome.FAILED)
    for _ in range(2):
        skip(task)
        skip(other)
    assert (last_ran(task), overview.count_tasks().failing) == (Outcome.FAILED, 1)
    skip(other)
    assert last_ran(task) == Outcome.FAILED  # what belongs to others does not count
    skip(task)
    assert (last_ran(task), overview.count_tasks().failing) == (None, 0)
