"""Whether the tables are as new as the code."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from django.conf import settings
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from django_scheduled_tasks.db.connections.alias import write_alias

LABEL = "django_scheduled_tasks"


def unapplied_migrations() -> list[str]:
    """Return the names of our migrations that the database has not had; two statements.

    That it has had more than the code knows is no matter: the next release has migrated it already. In a project that
    makes our tables without migrations (``MIGRATION_MODULES``), there are none.
    """
    name = getattr(settings, "MIGRATION_MODULES", {}).get(LABEL, f"{LABEL}.migrations")
    if name is None:
        return []
    known = [module.name for module in pkgutil.iter_modules(import_module(name).__path__) if module.name[0] not in "_~"]
    applied = MigrationRecorder(connections[write_alias()]).applied_migrations()
    return sorted(one for one in known if (LABEL, one) not in applied)


def why_not_migrated() -> str:
    """Return a sentence that says which of our migrations are missing, and what to do; empty if none is."""
    if not (missing := unapplied_migrations()):
        return ""
    if missing[0].startswith("0001"):
        return "The tables of scheduled tasks are missing: run manage.py migrate."
    return (
        "The tables of scheduled tasks are older than the code: run manage.py migrate, which applies"
        f" {', '.join(missing)}."
    )
