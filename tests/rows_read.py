"""How many rows statements read, as PostgreSQL counts them: a cost that no busy machine changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.test.utils import CaptureQueriesContext

from tests.database import connection


def rows_read(action: Callable[[], Any], table: str = "django_scheduled_tasks_execution") -> int:
    """Return how many rows of *table* the SELECT statements of *action* read, those that a filter dropped included."""
    with CaptureQueriesContext(connection) as queries:
        action()
    statements = [query["sql"] for query in queries.captured_queries if query["sql"].lstrip("( ").startswith("SELECT")]
    return sum(_read(plan, table) for sql in statements for plan in _plans(sql))


def _plans(sql: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"), ())
        (found,) = cursor.fetchone()
    return [item["Plan"] for item in (json.loads(found) if isinstance(found, str) else found)]


def _read(plan: dict[str, Any], table: str) -> int:
    here = 0
    if plan.get("Relation Name") == table:
        rows = (
            plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        )
        here = round(rows * plan["Actual Loops"])
    return here + sum(_read(part, table) for part in plan.get("Plans", ()))
