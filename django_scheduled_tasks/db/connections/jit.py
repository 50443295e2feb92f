"""PostgreSQL's compiler for statements, which is kept away where it costs more than it saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connections, transaction


@contextmanager
def without_jit(alias: str) -> Iterator[None]:
    """Let no statement of the block be compiled; elsewhere than on PostgreSQL nothing happens.

    It compiles what it expects to be expensive. A statement with a subquery for each task is, from a few thousand tasks
    on; but to compile its hundreds of expressions takes seconds of processor time, and to run it some milliseconds.
    One statement more, and a transaction if there is none.
    """
    connection = connections[alias]
    with ExitStack() as stack:
        if connection.vendor == "postgresql":
            if not connection.in_atomic_block:
                stack.enter_context(transaction.atomic(using=alias))
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL jit = off")  # until the transaction ends
        yield
