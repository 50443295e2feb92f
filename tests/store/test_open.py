"""What runs and what may start, as the ORM says it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.store.open import newest_at, open_executions
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_what_is_open_with_the_queue_and_tags_of_its_task(django_assert_num_queries):
    now = read_now()
    task = make_task(queue="mail", tags=["night", "mail"])
    running = make_execution(task, status=Status.PROCESSING, worker_host="w", exclusive_key="a", lock_key="a")
    waiting = make_execution(task, triggered_at=now - timedelta(hours=2), not_before=now - timedelta(hours=1))
    orphan = make_execution()
    Execution.objects.filter(pk=orphan.pk).update(task=None)
    make_execution(task, lock_key="a")  # waits for the one that runs
    make_execution(task, not_before=now + timedelta(hours=1))
    make_execution(task, status=Status.COMPLETED)
    with django_assert_num_queries(1):
        work = open_executions()
        at, found = work.now, work.open
        assert {one.execution.pk: (one.task_id, one.queue, one.tags) for one in found} == {
            running.pk: (task.pk, "mail", ["night", "mail"]),
            waiting.pk: (task.pk, "mail", ["night", "mail"]),
            orphan.pk: (None, "", []),
        }
        by_number = {one.execution.pk: one for one in found}
        assert by_number[waiting.pk].waits_since == waiting.not_before
        assert by_number[orphan.pk].waits_since == orphan.triggered_at
        assert by_number[running.pk].execution.worker_host == "w"
    assert abs(at - now) < timedelta(minutes=1)


def test_of_many_the_oldest_of_each_kind_are_read_and_of_none_only_the_present_instant():
    assert open_executions().open == []
    task = make_task()
    waiting = [make_execution(task) for _ in range(3)]
    running = [make_execution(task, status=Status.PROCESSING) for _ in range(3)]
    found = open_executions(limit=2).open
    assert {one.execution.pk for one in found} == {row.pk for row in (*waiting[:2], *running[:2])}


def test_when_the_newest_execution_was_written_with_what_is_open_and_alone():
    assert (open_executions().newest_at, newest_at()) == (None, None)
    now = read_now()
    make_execution(triggered_at=now + timedelta(hours=1), status=Status.COMPLETED)
    make_execution(triggered_at=now)
    assert open_executions().newest_at == newest_at() == now + timedelta(hours=1)
