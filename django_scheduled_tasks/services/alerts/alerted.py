"""The alert that an execution has opened or is counted in, and who was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Prefetch

from django_scheduled_tasks.alerting import Event
from django_scheduled_tasks.models import Alert, Execution, Notice, write_alias
from django_scheduled_tasks.services.alerts.visible import may_see
from django_scheduled_tasks.services.permissions import Caller


@dataclass(frozen=True, slots=True)
class Alerted:
    """An alert about an execution."""

    alert: Alert
    told: Sequence[Notice]
    """Those that have been sent when it opened, with their channels."""
    in_a_row: int
    """How many executions it had counted by this one; 0: that is not known."""


def alert_about(execution: Execution, user: Caller) -> Alerted | None:
    """Return the newest alert in which *execution* is counted, if *user* may see it; two statements."""
    if execution.task_id is None:
        return None
    sent = Notice.objects.using(write_alias()).filter(event=str(Event.OPENED), sent_at__isnull=False)
    rows = Alert.objects.using(write_alias()).filter(
        task=execution.task_id, first_execution__lte=execution.pk, latest_execution__gte=execution.pk
    )
    notices = Prefetch("notices", sent.select_related("channel").order_by("sent_at"), to_attr="told")
    alert = rows.select_related("task").prefetch_related(notices).order_by("-id").first()
    if alert is None or not may_see(user, alert):
        return None
    told: list[Notice] = getattr(alert, "told")  # noqa: B009  (the prefetch has set it)
    return Alerted(alert, told, alert.count if alert.latest_execution == execution.pk else 0)
