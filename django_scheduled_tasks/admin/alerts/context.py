"""What is read for all rows of the page *Alerts* at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.admin import AdminSite

from django_scheduled_tasks.alerting import Event, Kind
from django_scheduled_tasks.models import Alert, Execution, Notice, write_alias
from django_scheduled_tasks.services.alerts.rules import Rules, read_rules
from django_scheduled_tasks.services.permissions import VIEW_EXECUTION, Caller, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.executions.missed import made_good

_NOT_READ = ("result", "traceback", "params", "secret_params", "error_message", "reason", "progress_message")


@dataclass(frozen=True, kw_only=True)
class RowContext:
    """What all rows of a page have in common."""

    site: AdminSite
    user: Caller
    now: datetime
    back: str = ""
    """The query string that leads back to the page as it is."""
    executions: Mapping[int, Execution] = field(default_factory=dict)
    """Those that alerts are about, if the user may see them."""
    notices: Mapping[int, Sequence[Notice]] = field(default_factory=dict)
    """By alert."""
    made_good: Mapping[int, Execution] = field(default_factory=dict)
    """By the number of what was missed: the newest execution for the same instant."""
    rules: Rules = field(default_factory=Rules)
    """All, if of an alert nobody was told."""
    usual: Mapping[UUID, timedelta | None] = field(default_factory=dict)
    """How long tasks usually take of which one runs for too long."""


def read_context(
    alerts: Sequence[Alert], *, site: AdminSite, user: Caller, now: datetime, back: str = ""
) -> RowContext:
    """Return what the rows of *alerts* show beside their own columns: six statements, however many they are."""
    notices: dict[int, list[Notice]] = {alert.pk: [] for alert in alerts}
    rows = Notice.objects.using(write_alias()).filter(alert__in=list(notices)).exclude(event=str(Event.CLOSED))
    for notice in rows.select_related("channel").order_by("pk") if alerts else ():
        notices[notice.alert_id].append(notice)
    executions: dict[int, Execution] = {}
    if may(user, VIEW_EXECUTION):
        about = {number for alert in alerts for number in (alert.latest_execution, alert.closing_execution) if number}
        found = Execution.objects.using(write_alias()).filter(pk__in=about).defer(*_NOT_READ)
        executions = {row.pk: row for row in found.annotate(error_line=overview.error_line())} if about else {}
    long = [alert.task_id for alert in alerts if alert.kind == Kind.TOO_LONG and alert.is_open and alert.task_id]
    usual = overview.usual_durations(long) if long else {}
    missed = [alert.latest_execution for alert in alerts if alert.kind == Kind.MISSED and alert.is_open]
    rules = read_rules() if any(alert.is_open and not notices[alert.pk] for alert in alerts) else Rules()
    return RowContext(
        site=site,
        user=user,
        now=now,
        back=back,
        executions=executions,
        notices=notices,
        made_good=made_good(executions[number] for number in missed if number in executions),
        rules=rules,
        usual=usual,
    )
