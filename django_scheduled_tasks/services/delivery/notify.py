"""Telling sleeping schedulers that something is due earlier, where the database can: PostgreSQL's NOTIFY.

A scheduler that hears of changes looks at the database when the next thing that it knows of is due, when it is told,
and each :func:`longest_sleep`. So it has to be told of what is due sooner than that and was not before; what is due
later it finds by itself. Of a word that is lost it knows no later than that either.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import write_alias

CHANNEL = "django_scheduled_tasks"
LONGEST_SLEEP = timedelta(seconds=5)
"""The longest time for which a scheduler that hears of changes does not look at the database."""


def longest_sleep() -> timedelta:
    """Return for how long a scheduler that hears of changes sleeps; what any process sets is due no sooner.

    Each start of an attempt sets the end of its lease, and each sending when it is sent again; nobody is told of that.
    """
    settings = get_settings()
    return min(LONGEST_SLEEP, settings.LEASE, settings.RESEND_AFTER)


def wake_schedulers() -> None:
    """Wake them when the present transaction commits; elsewhere they look within a poll interval anyway."""
    connection = connections[write_alias()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def wake_schedulers_for(at: datetime | None, *, now: datetime) -> None:
    """Wake them as :func:`wake_schedulers` if what is due *at* an instant may be over before they look again.

    Args:
        at: When; None: never.
        now: The database's present instant.
    """
    if at is not None and at < now + longest_sleep():
        wake_schedulers()
