"""Row locks, as far as each database has them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.db import connections, transaction
from django.db.models import QuerySet

from django_scheduled_tasks.models.clock import write_alias

Rows = TypeVar("Rows", bound=QuerySet[Any])


def for_update(rows: Rows, *, skip_locked: bool = False) -> Rows:
    """Return *rows* locked until the transaction ends; on SQLite the transaction itself is the lock.

    Args:
        rows: The rows of one table; joined ones are not locked, where the database can tell them apart.
        skip_locked: Leave out what others hold, where the database can.
    """
    features = connections[write_alias()].features
    return rows.using(write_alias()).select_for_update(
        skip_locked=skip_locked and features.has_select_for_update_skip_locked,
        # No key: others may still write rows that refer to these.
        no_key=features.has_select_for_no_key_update,
        of=("self",) if features.has_select_for_update_of else (),
    )


def in_transaction() -> AbstractContextManager[Any]:
    """Return a block that is a transaction: the caller's, if there is one, else one of its own.

    Unlike ``atomic(savepoint=False)`` an error that we raise in it on purpose, such as AlreadyRunning, does not doom
    the caller's transaction; unlike ``atomic()`` it costs no savepoint. So write only after the last such error.
    """
    alias = write_alias()
    return nullcontext() if connections[alias].in_atomic_block else transaction.atomic(using=alias)
