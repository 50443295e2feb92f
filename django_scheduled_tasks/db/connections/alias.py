"""Which of the project's databases holds our tables."""

from __future__ import annotations

from django.apps import apps
from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper as Connection

__all__ = ["Connection", "write_alias"]


def write_alias() -> str:
    """Return the alias of the database that holds our tables, as the project's routers say."""
    return router.db_for_write(apps.get_model("django_scheduled_tasks", "ScheduledTask"))
