"""The database's present instant, beside the instants that are stored."""

from __future__ import annotations

import pytest
from django.db import connections

from django_scheduled_tasks.db.clock import now_sql
from django_scheduled_tasks.models import Hold, HoldScope, database_now
from tests.database import ALIAS

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_what_is_stored_now_has_come_at_once():
    """SQLite compares texts, and "…53.120" would be before "…53.120000"."""
    connection = connections[ALIAS]
    for _ in range(20):
        Hold.objects.all().delete()
        sql, _parameters = now_sql(connection)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {sql.replace('%%', '%')}")
            (value,) = cursor.fetchone()
        if isinstance(value, str):
            assert len(value) == len("2026-11-30 21:45:53.120000")
        Hold.objects.create(scope=HoldScope.ALL, reason="x", starts_at=database_now())
        assert Hold.objects.filter(starts_at__lte=database_now()).exists()
