"""How long executions are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Attempt, Execution, ExecutionLog, ScheduledTask, read_now
from django_scheduled_tasks.services.scheduling.retention import prune
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
DAY = timedelta(days=1)


def ended(task, age, status=Status.COMPLETED, **values):
    at = read_now() - age
    return make_execution(task, status=status, triggered_at=at, started_at=at, completed_at=at, **values)


def left() -> set[int]:
    return set(Execution.objects.values_list("pk", flat=True))


def test_what_is_too_old_goes_and_what_is_young_stays():
    task = make_task(keep_for=10 * DAY)
    old = [ended(task, 11 * DAY, status) for status in (Status.COMPLETED, Status.ERRORS)]
    young = [ended(task, 9 * DAY, status) for status in (Status.COMPLETED, Status.ERRORS)]
    assert prune().by_task == {task.name: 2}
    assert left() == {row.pk for row in young}
    assert not left() & {row.pk for row in old}


def test_successes_and_failures_are_counted_apart():
    task = make_task(keep_last=2)
    rows = {
        status: [ended(task, timedelta(minutes=5 - n), status) for n in range(4)] for status in ("completed", "errors")
    }
    assert prune().total == 4
    assert left() == {row.pk for kind in rows.values() for row in kind[2:]}


def test_an_open_execution_is_never_deleted():
    task = make_task(keep_for=DAY, keep_last=1)
    at = read_now() - 100 * DAY
    rows = [make_execution(task, triggered_at=at), make_execution(task, status=Status.PROCESSING, triggered_at=at)]
    prune()
    assert left() == {row.pk for row in rows}


def test_the_last_success_and_the_last_failure_are_kept_whatever_their_age():
    task = make_task(keep_for=DAY)
    success = ended(task, 300 * DAY)
    failure = ended(task, 200 * DAY, Status.ERRORS, outcome=Outcome.TIMED_OUT)
    for _ in range(3):
        ended(task, 100 * DAY, Status.ERRORS, outcome=Outcome.MISSED)
    assert prune().total == 3
    assert left() == {success.pk, failure.pk}


def test_without_a_word_of_the_task_nothing_younger_than_a_week_goes_by_count(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"KEEP_LAST": 1}
    task = make_task()
    old = ended(task, 8 * DAY)
    young = [ended(task, 6 * DAY), ended(task, DAY)]
    prune()
    assert left() == {row.pk for row in young}
    assert old.pk not in left()


def test_executions_of_deleted_tasks_go_by_age(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"KEEP_FOR": 5 * DAY}
    task = make_task()
    ended(task, 6 * DAY)
    young = ended(task, 4 * DAY)
    task.delete()
    assert prune().by_task == {"": 1}
    assert left() == {young.pk}


def test_logs_and_attempts_go_with_their_execution():
    task = make_task(keep_for=DAY)
    doomed, kept = ended(task, 3 * DAY), ended(task, 2 * DAY)
    for row in (doomed, kept):
        ExecutionLog.objects.create(execution=row, number=1, logged_at=read_now(), level="INFO", message="x")
        Attempt.objects.create(execution=row, number=1, ended_at=read_now(), outcome=Outcome.FAILED)
    prune()
    assert ExecutionLog.objects.get().execution == kept == Attempt.objects.get().execution


def test_batches_are_bounded(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"BATCH_SIZE": 3}
    task = make_task(keep_last=1)
    rows = [ended(task, timedelta(minutes=20 - n)) for n in range(11)]
    assert prune().total == 10
    assert left() == {rows[-1].pk}


def test_a_dry_run_only_counts(capsys):
    task = make_task(name="chatty", keep_last=1)
    for n in range(3):
        ended(task, timedelta(minutes=5 - n))
    call_command("prune_executions", dry_run=True)
    assert "2  chatty" in capsys.readouterr().out
    assert len(left()) == 3
    call_command("prune_executions", verbosity=2)
    out = capsys.readouterr().out
    assert "2  executions deleted." in out
    assert len(left()) == 1


def test_tasks_without_executions_cost_pruning_nothing():
    for _ in range(3):
        ended(make_task(keep_for=DAY), 2 * DAY)
    with CaptureQueriesContext(connection) as few:
        assert prune(dry_run=True).total == 0  # the last success of each is kept
    for _ in range(20):
        make_task()
    with CaptureQueriesContext(connection) as many:
        prune(dry_run=True)
    assert len(many) == len(few)


def test_for_ever_is_for_ever_and_stops_nobody_elses_pruning(settings):
    keep_for = timedelta(days=36_525)
    first, second = make_task(), make_task(keep_for=10 * DAY)
    first, second = sorted((first, second), key=lambda task: task.pk)
    ScheduledTask.objects.filter(pk=first.pk).update(keep_for=timedelta(days=999_999))
    ScheduledTask.objects.filter(pk=second.pk).update(keep_for=10 * DAY)
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"KEEP_FOR": keep_for, "KEEP_AT_LEAST": keep_for}
    orphan = ended(make_task(), 700 * DAY)
    orphan.task.delete()
    kept = {ended(first, 700 * DAY).pk, orphan.pk}
    ended(second, 11 * DAY)
    kept.add(ended(second, DAY).pk)
    assert prune().by_task == {second.name: 1}
    assert kept <= left()
