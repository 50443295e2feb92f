"""Running executions in the process of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from django_scheduled_tasks.engines.base import ENTRY_POINT

if TYPE_CHECKING:
    from django_scheduled_tasks.models import Execution


def run_pending_executions() -> list[Execution]:
    """Run the executions that may start now, and those that they start in turn; return them as they are afterwards.

    They run here, one after the other. No transaction has to commit before, so a test may be rolled back as a whole.
    What waits for an instant, as a retry does, is left alone.
    """
    from django_scheduled_tasks.models import Execution  # noqa: PLC0415  (pytest loads plugins before models are ready)

    execute = import_string(ENTRY_POINT)
    tried: list[int] = []
    while (execution := Execution.objects.ready().exclude(pk__in=tried).order_by("pk").first()) is not None:
        tried.append(execution.pk)
        execute(str(execution.tracking_id))
    return list(Execution.objects.filter(pk__in=tried).order_by("pk"))
