"""System checks ``scheduled_tasks.E001…`` and ``scheduled_tasks.W001…``, each with a hint.

Those in :mod:`~django_scheduled_tasks.checks.code`, :mod:`~django_scheduled_tasks.checks.metrics` and
:mod:`~django_scheduled_tasks.checks.project` look at code, settings and URLs and run always. Those in
:mod:`~django_scheduled_tasks.checks.rows` look at the database, and run with ``check --deploy`` only.
"""

from __future__ import annotations

from django_scheduled_tasks.checks import code, metrics, project, rows

__all__ = ["code", "metrics", "project", "rows"]
