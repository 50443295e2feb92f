"""Transactions that write."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.models import ScheduledTask, in_transaction, write_transaction
from tests.database import ALIAS, connection
from tests.factories import make_task

pytestmark = [
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has a lock for the whole database"),
]


@pytest.fixture(autouse=True)
def as_django_comes(monkeypatch):
    """Begin transactions as in a project whose settings do not say how."""
    connection.ensure_connection()
    monkeypatch.setattr(connections[ALIAS], "transaction_mode", None)


@pytest.mark.parametrize("block", [write_transaction, in_transaction])
def test_the_lock_for_writing_is_taken_at_the_beginning(block):
    with CaptureQueriesContext(connection) as queries, block():
        assert ScheduledTask.objects.count() == 0
    assert queries[0]["sql"] == "BEGIN IMMEDIATE"
    with CaptureQueriesContext(connection) as queries, transaction.atomic(using=ALIAS):
        assert ScheduledTask.objects.count() == 0
    assert queries[0]["sql"] == "BEGIN", "that of the project is left as it is"


def test_a_project_that_takes_it_for_itself_alone_keeps_that(monkeypatch):
    monkeypatch.setattr(connections[ALIAS], "transaction_mode", "EXCLUSIVE")
    with CaptureQueriesContext(connection) as queries, write_transaction():
        assert ScheduledTask.objects.count() == 0
    assert queries[0]["sql"] == "BEGIN EXCLUSIVE"


def test_who_has_read_can_still_write_though_another_wants_to():
    task = make_task()

    def write() -> None:
        ScheduledTask.objects.filter(pk=task.pk).update(description="by the other")
        connections.close_all()

    with write_transaction():
        row = ScheduledTask.objects.get(pk=task.pk)
        other = threading.Thread(target=write)
        other.start()
        time.sleep(0.3)
        ScheduledTask.objects.filter(pk=row.pk).update(description="by who was first")
    other.join(20)
    task.refresh_from_db()
    assert task.description == "by the other"
