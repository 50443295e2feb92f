"""Indexes of a part of a table, where the database has them."""

from __future__ import annotations

from typing import Any

from django.db import models


class PartialIndex(models.Index):
    """An index of the rows of which a condition is true; on MySQL and MariaDB, which have none, of all rows.

    Django's own ``condition`` leaves the index out there, and warns.

    Args:
        where: The condition.
        options: As of any index.
    """

    def __init__(self, *, where: models.Q, **options: Any) -> None:
        super().__init__(**options)
        self.where = where

    def deconstruct(self) -> Any:
        """Return what a migration writes."""
        path, arguments, options = super().deconstruct()
        return path, arguments, options | {"where": self.where}

    def _get_condition_sql(self, model: type[models.Model], schema_editor: Any) -> str | None:
        if not schema_editor.connection.features.supports_partial_indexes:
            return None
        self.condition = self.where
        try:
            found: str | None = super()._get_condition_sql(model, schema_editor)  # type: ignore[misc]
            return found
        finally:
            self.condition = None  # Django's check of models looks at it
