"""Starting under REPEATABLE READ, where a transaction sees nothing that others have committed since it began."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from django_scheduled_tasks.checks.rows import check_isolation
from django_scheduled_tasks.exceptions import AlreadyRunning, StaleTransaction
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.services.starting.backfill import backfill
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import wait_until
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task

pytestmark = [
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="there the transaction is the lock"),
]
WAITING = {
    "postgresql": "SELECT count(*), pg_stat_clear_snapshot()::text FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
    " ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()",
}


@pytest.fixture
def repeatable_read(monkeypatch):
    """Connections that are made from now on have this level, as a project sets it."""
    if connection.vendor == "postgresql":
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        level: Any = IsolationLevel.REPEATABLE_READ
    else:
        level = "repeatable read"
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "isolation_level", level)


class Other(threading.Thread):
    """Does something in a connection of its own."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__()
        self.act, self.result = act, None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.act()
        except Exception as exc:
            self.result = exc
        finally:
            connections[ALIAS].close()

    def wait_for_lock(self) -> None:
        wait_until(lambda: not self.is_alive() or _waiting(), what="it waits for the lock")
        assert self.is_alive(), self.result

    def end(self) -> Any:
        self.join(30)
        return self.result


def _waiting() -> int:
    time.sleep(0.15)  # InnoDB shows what it has known for a while to who asks more often than each 100 ms
    with connection.cursor() as cursor:
        cursor.execute(WAITING[connection.vendor])
        return cursor.fetchone()[0]


def days_ago(number: int) -> dict[str, Any]:
    now = read_now()
    return {"start": now - timedelta(days=number), "end": now}


def test_who_waited_for_the_same_key_gets_the_same_execution(engine, repeatable_read):
    task = make_task(overlap="allow")
    with transaction.atomic(using=ALIAS):
        first = run_once(task, idempotency_key="k").execution
        other = Other(lambda: run_once(task, idempotency_key="k"))
        other.wait_for_lock()
    done = other.end()
    assert (done.execution.pk, done.replayed) == (first.pk, True)


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="others look for the first time after the wait")
def test_the_same_where_the_server_and_not_the_project_sets_the_level(engine, monkeypatch):
    set_at_connect = "-c default_transaction_isolation=repeatable\\ read"
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", set_at_connect)
    task = make_task(overlap="allow")
    with transaction.atomic(using=ALIAS):
        first = run_once(task, idempotency_key="k").execution
        other = Other(lambda: run_once(task, idempotency_key="k"))
        other.wait_for_lock()
    done = other.end()
    assert (done.execution.pk, done.replayed) == (first.pk, True)


def test_who_waited_for_the_same_backfill_gets_the_same_answer(engine, repeatable_read):
    task = make_task(schedule_kind="interval", expression="1d", overlap="allow")
    span = days_ago(3)
    with transaction.atomic(using=ALIAS):
        first = backfill(task, **span, idempotency_key="k")
        other = Other(lambda: backfill(task, **span, idempotency_key="k"))
        other.wait_for_lock()
    done = other.end()
    assert (done.replayed, done.occurrences) == (True, first.occurrences)


def test_who_waited_sees_the_execution_that_is_open(engine, repeatable_read):
    task = make_task(overlap="skip")
    with transaction.atomic(using=ALIAS):
        first = run_once(task).execution
        other = Other(lambda: run_once(task))
        other.wait_for_lock()
    refused = other.end()
    assert isinstance(refused, AlreadyRunning), refused
    assert refused.tracking_id == first.tracking_id


def test_a_repeat_of_the_same_execution_that_the_transaction_cannot_see_is_told_as_well(engine, repeatable_read):
    task = make_task(overlap="allow")
    execution = make_execution(task, status=Status.COMPLETED, scheduled_for=read_now())
    connection.close()
    with transaction.atomic(using=ALIAS):
        assert Execution.objects.count() == 1
        Other(lambda: run_once(task, rerun_of=execution)).end()
        with pytest.raises(StaleTransaction):
            run_once(task, rerun_of=execution)
    assert run_once(task, rerun_of=execution).execution.replay == 2


@pytest.mark.parametrize("act", ["run_once", "backfill"])
def test_a_transaction_of_the_caller_that_cannot_see_it_is_told_and_goes_on(engine, repeatable_read, act):
    task = make_task(schedule_kind="interval", expression="1d", overlap="allow")
    span = days_ago(2)

    def start() -> Any:
        if act == "run_once":
            return run_once(task, idempotency_key="k")
        return backfill(task, **span, idempotency_key="k")

    connection.close()
    with transaction.atomic(using=ALIAS):
        assert not Execution.objects.exists()
        assert not Other(start).end().replayed
        with pytest.raises(StaleTransaction):
            start()
        assert not Execution.objects.exists()
        later = make_task()
    connection.close()
    later.refresh_from_db()
    assert start().replayed


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Django sets the level at each connection")
def test_a_level_that_only_the_server_knows_is_a_warning(monkeypatch):
    assert check_isolation() == []
    connection.close()
    set_at_connect = "-c default_transaction_isolation=repeatable\\ read"
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", set_at_connect)
    (warning,) = check_isolation()
    assert warning.id == "scheduled_tasks.W015"
    assert "at repeatable read, while Django takes them for read committed" in warning.msg
    connection.close()


def test_a_level_that_the_settings_name_is_none(repeatable_read):
    connection.close()
    assert check_isolation() == []
    connection.close()
