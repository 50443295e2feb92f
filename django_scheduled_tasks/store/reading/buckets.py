"""The statement that counts executions in buckets of time, built from a queryset: pages filter what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from django_scheduled_tasks.models import Execution

_START, _END = datetime(1, 2, 1, tzinfo=UTC), datetime(1, 2, 2, tzinfo=UTC)
"""Stand for the edges of a bucket in a statement that is compiled; nothing was ever triggered then."""


def count_grouped(
    rows: QuerySet[Execution], edges: Sequence[datetime], columns: Sequence[str], cap: int
) -> list[tuple[Any, ...]]:
    """Return (number of the bucket, *columns*, count, oldest, newest) for the newest *cap* rows of each bucket."""
    connection = connections[rows.db]
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    counted = "COUNT(*), MIN(triggered_at), MAX(triggered_at)"
    bound: Any = Execution._meta.get_field("triggered_at")
    # The bucket's edges stand first: of several conditions on one column SQLite seeks by the first, and a range that
    # *rows* are limited to would be walked through for each bucket.
    within = Execution.objects.using(rows.db).filter(triggered_at__gte=_START, triggered_at__lt=_END)
    part = (within & rows.order_by()).order_by("-triggered_at")
    try:
        # Compiled once; each bucket puts its own edges in place of these two.
        sql, values = part.values(*columns, "triggered_at")[:cap].query.get_compiler(rows.db).as_sql()
    except EmptyResultSet:
        return []
    first, last = (bound.get_db_prep_value(edge, connection) for edge in (_START, _END))
    prepared = [bound.get_db_prep_value(edge, connection) for edge in edges]
    arms, params = [], []
    for number, (start, end) in enumerate(pairwise(prepared)):
        # S608: our own SQL, compiled by Django, and numbers.
        grouped = f"SELECT {number:d}, {names}, {counted} FROM ({sql}) p{number:d} GROUP BY {names}"  # noqa: S608
        arms.append(f"SELECT * FROM ({grouped}) b{number:d}")  # noqa: S608
        params += [start if value == first else end if value == last else value for value in values]
    if not arms:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(arms), params)
        return list(cursor.fetchall())
