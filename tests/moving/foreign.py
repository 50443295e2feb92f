"""Tables of other schedulers, made for a test as their own migrations make them, as far as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from django.db import connection

from django_scheduled_tasks.moving.sources.tables import Columns, _model


def make_table(table: str, columns: Columns, rows: Iterable[Mapping[str, Any]] = ()) -> None:
    """Make a table and fill it; it goes with the test's transaction."""
    if connection.vendor != "postgresql":
        pytest.skip("only there a table can be made within the transaction of a test")
    nullable = {name: field.clone() for name, field in columns.items()}
    for field in nullable.values():
        field.null = not field.primary_key
    model = _model(table, nullable)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    for row in rows:
        model.objects.create(**row)
