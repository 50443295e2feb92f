"""PostgreSQL does not compile the statements that have a subquery for each task."""

from __future__ import annotations

import pytest
from django.db import transaction

from django_scheduled_tasks.db.connections.jit import without_jit
from django_scheduled_tasks.services.queries import overview
from tests.database import ALIAS, connection

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def jit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        return str(cursor.fetchone()[0])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the others have no such compiler")
def test_it_is_off_for_the_block_and_afterwards_as_it_was():
    with connection.cursor() as cursor:
        cursor.execute("SET jit = on")
    with without_jit(ALIAS):
        assert jit() == "off"
    assert jit() == "on"
    with transaction.atomic(using=ALIAS), without_jit(ALIAS):
        assert jit() == "off"
    assert jit() == "on"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the others have no such compiler")
def test_counting_tasks_is_not_compiled():
    said = []

    def note(execute, sql, params, many, context):
        if "COUNT(" in sql:
            said.append(jit())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        overview.count_tasks()
    assert said == ["off"]


def test_elsewhere_it_does_nothing():
    with without_jit(ALIAS):
        assert overview.count_tasks().all == 0
