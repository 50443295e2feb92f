"""Row locks, as far as each database has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, TypeVar

from django.db import connections, transaction
from django.db.models import QuerySet

from django_scheduled_tasks.db.connections.alias import write_alias

Rows = TypeVar("Rows", bound=QuerySet[Any])


def for_update(rows: Rows, *, skip_locked: bool = False, no_key: bool = True) -> Rows:
    """Return *rows* locked until the transaction ends; on SQLite the transaction itself is the lock.

    Args:
        rows: The rows of one table; joined ones are not locked, where the database can tell them apart.
        skip_locked: Leave out what others hold, where the database can.
        no_key: Let others still write rows that refer to these, where the database can.
    """
    features = connections[write_alias()].features
    return rows.using(write_alias()).select_for_update(
        skip_locked=skip_locked and features.has_select_for_update_skip_locked,
        no_key=no_key and features.has_select_for_no_key_update,
        of=("self",) if features.has_select_for_update_of else (),
    )


def in_transaction() -> AbstractContextManager[Any]:
    """Return a block that is a transaction: the caller's, if there is one, else one of its own.

    Unlike ``atomic(savepoint=False)`` an error that we raise in it on purpose, such as AlreadyRunning, does not doom
    the caller's transaction; unlike ``atomic()`` it costs no savepoint. So write only after the last such error.
    """
    return nullcontext() if connections[write_alias()].in_atomic_block else write_transaction()


@contextmanager
def write_transaction() -> Iterator[None]:
    """Do what ``transaction.atomic`` does, but who has waited for a lock sees what was written meanwhile.

    So on PostgreSQL a transaction of ours is READ COMMITTED, also where the project's ``OPTIONS`` say REPEATABLE READ,
    which sees what there was before the wait. MySQL and MariaDB look for the first time after it. On SQLite the lock
    for writing is taken at the beginning.

    There a transaction that has read gets that lock only if nobody has written since, and else fails at once with
    "database is locked", however long the timeout is. At its beginning it waits.

    Source: "Transactions" in SQLite's documentation, https://www.sqlite.org/lang_transaction.html (2.2, SQLITE_BUSY).
    """
    alias = write_alias()
    connection: Any = connections[alias]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        is_outermost = not connection.in_atomic_block
        with transaction.atomic(using=alias):
            if is_outermost and connection.vendor == "postgresql":
                _read_committed(connection)
            yield
        return
    connection.ensure_connection()  # which sets the mode as the project's settings say
    chosen = connection.transaction_mode
    connection.transaction_mode = "EXCLUSIVE" if chosen == "EXCLUSIVE" else "IMMEDIATE"
    with ExitStack() as stack:
        try:
            stack.enter_context(transaction.atomic(using=alias))
        finally:
            connection.transaction_mode = chosen
        yield


def _read_committed(connection: Any) -> None:
    if connection.isolation_level.name != "READ_COMMITTED":
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
