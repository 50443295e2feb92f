"""An execution is taken in one statement where the database can, and what is not plain is left to the rules."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connections, transaction

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, read_now, write_alias
from django_scheduled_tasks.services.running import lease
from django_scheduled_tasks.services.running.claim import claim, take
from django_scheduled_tasks.store.executions import load
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def taken(execution: Execution) -> bool:
    return take(str(execution.tracking_id))[1]


def test_a_plain_execution_is_claimed_as_the_two_statements_would_claim_it(django_assert_num_queries):
    task = make_task(timeout=timedelta(seconds=7), overlap="queue_all")
    one, other = make_execution(task), make_execution(make_task(timeout=timedelta(seconds=7), overlap="queue_all"))
    take(str(one.pk))  # builds the texts
    alias = write_alias()
    statements = 1 if connections[alias].vendor == "postgresql" else 2
    with django_assert_num_queries(statements, connection=connections[alias]):
        row, is_ours = take(str(one.tracking_id))
    assert is_ours
    assert row is not None
    claimed = load(str(other.tracking_id))
    assert claim(claimed, now=claimed.database_now)
    for name in ("status", "attempt", "worker_host", "worker_pid", "has_waiting", "outcome"):
        assert getattr(row, name) == getattr(claimed, name), name
        assert getattr(Execution.objects.get(pk=one.pk), name) == getattr(row, name), name
    assert row.exclusive_key == row.lock_key
    assert row.started_at == row.database_now
    assert row.lease_until - row.started_at == claimed.lease_until - claimed.started_at
    assert row.lease_until - row.started_at == timedelta(seconds=7) + lease.OVERTIME
    assert row.task.pk == task.pk


def test_it_is_taken_once():
    execution = make_execution(make_task())
    assert [taken(execution), taken(execution)] == [True, False]


@pytest.mark.parametrize("column", ["not_before", "cancel_requested_at", "expires_at"])
def test_what_may_not_start_is_not_taken(column):
    ahead = timedelta(hours=1) if column == "not_before" else timedelta(hours=-1)
    execution = make_execution(make_task(), **{column: read_now() + ahead})
    assert not taken(execution)
    assert Execution.objects.get(pk=execution.pk).status != Status.PROCESSING


def test_one_whose_key_is_held_leaves_word_and_is_not_taken():
    task = make_task(overlap="queue_all")
    holder, waiting = make_execution(task, lock_key="k"), make_execution(task, lock_key="k")
    assert taken(holder)
    assert not taken(waiting)
    assert Execution.objects.get(pk=holder.pk).has_waiting


def test_the_older_one_goes_first_and_knows_that_another_waits():
    task = make_task(overlap="queue_all")
    older, newer = make_execution(task, lock_key="k"), make_execution(task, lock_key="k")
    assert not taken(newer)
    row, is_ours = take(str(older.tracking_id))
    assert is_ours
    assert row.has_waiting


def test_a_further_attempt_begins_without_the_failure_of_the_last():
    execution = make_execution(make_task(), attempt=2, error_code="failed", error_message="last time")
    assert taken(execution)
    assert not Execution.objects.get(pk=execution.pk).error_code


def test_an_execution_of_a_deleted_task_is_still_taken():
    execution = make_execution(make_task())
    Execution.objects.filter(pk=execution.pk).update(task=None)
    row, is_ours = take(str(execution.tracking_id))
    assert is_ours
    assert row.task is None


def test_within_a_transaction_a_held_key_does_not_break_it():
    task = make_task(overlap="queue_all")
    holder, waiting = make_execution(task, lock_key="k"), make_execution(task, lock_key="k")
    assert taken(holder)
    with transaction.atomic(using=write_alias()):
        assert not taken(waiting)
        assert Execution.objects.filter(pk=waiting.pk).exists()


def test_none_is_taken_that_does_not_exist():
    assert take("01a20ed0-ea17-75c8-86ad-73ea75035f44") == (None, False)
    assert take("no such thing") == (None, False)


def test_a_claim_looks_its_turn_up_however_many_wait():
    """With statistics from quieter times the planner would read all that are pending, for each that starts."""
    connection = connections[write_alias()]
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL takes an execution in one statement")
    statements: list[tuple[str, object]] = []

    def note(execute, sql, params, many, context):
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert taken(make_execution(make_task(overlap="queue_all")))
    sql, params = next(one for one in statements if one[0].startswith("UPDATE"))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Anti Join" not in plan
    assert "SubPlan" in plan
