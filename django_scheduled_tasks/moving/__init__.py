"""Moving in: tasks of another scheduler, or of another environment, become tasks of ours; see ``import_tasks``."""

from __future__ import annotations

from django_scheduled_tasks.moving.source import Source, register_source, registered_sources

__all__ = ["Source", "register_source", "registered_sources"]
