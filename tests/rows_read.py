"""How many rows statements read, as PostgreSQL counts them: a cost that no busy machine changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.db import connections

from django_scheduled_tasks.db.connections.cursor import binding_cursor
from tests.database import ALIAS, connection


def rows_read(action: Callable[[], Any], table: str = "django_scheduled_tasks_execution") -> int:
    """Return how many rows of *table* the SELECT statements of *action* read, those that a filter dropped included."""
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip("( ").startswith("SELECT"):
            statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        action()
    return sum(_read(plan, table) for sql, params in statements for plan in _plans(sql, params))


def _plans(sql: str, params: Any) -> list[dict[str, Any]]:
    with binding_cursor(connections[ALIAS]) as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
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
