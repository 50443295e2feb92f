"""What a database's error means, on each database."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from django.db import DatabaseError, OperationalError, connections, transaction

from django_scheduled_tasks.db.connections.errors import gave_way, lacks_tables
from django_scheduled_tasks.models import ScheduledTask
from tests.database import ALIAS, connection
from tests.factories import make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def test_a_table_that_is_missing():
    with connection.cursor() as cursor, pytest.raises(DatabaseError) as caught:
        cursor.execute("SELECT 1 FROM nowhere")
    assert lacks_tables(caught.value)
    assert not gave_way(caught.value)


def test_a_deadlock():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one lock")
    first, second = make_task(), make_task()
    both_have_one, errors = threading.Barrier(2), []

    def take(*tasks: ScheduledTask) -> None:
        try:
            with transaction.atomic(using=ALIAS):
                for task in tasks:
                    ScheduledTask.objects.filter(pk=task.pk).update(description="mine")
                    with suppress(threading.BrokenBarrierError):
                        both_have_one.wait(20)
        except OperationalError as exc:
            errors.append(exc)
            both_have_one.abort()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take, args=tasks) for tasks in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    # Who has both waits for the other, who has given way.
    for thread in threads:
        thread.join(60)
    (error,) = errors
    assert gave_way(error)
    assert not lacks_tables(error)


def test_a_database_that_is_away_is_neither():
    error = OperationalError("server closed the connection unexpectedly")
    assert not gave_way(error)
    assert not lacks_tables(error)
    assert gave_way(OperationalError("database is locked"))
