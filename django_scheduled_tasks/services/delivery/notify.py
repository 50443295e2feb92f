"""Telling sleeping schedulers that a schedule has changed, where the database can: PostgreSQL's NOTIFY."""

from __future__ import annotations

from django.db import connections

from django_scheduled_tasks.models import write_alias

CHANNEL = "django_scheduled_tasks"


def wake_schedulers() -> None:
    """Wake them when the present transaction commits; elsewhere they look within a poll interval anyway."""
    connection = connections[write_alias()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
