"""The rules of alerts, read together, and which of them are about a task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django_scheduled_tasks.alerting import Event, Kind, Rule, Terms, Told, is_quiet, wanted
from django_scheduled_tasks.models import Alert, AlertRule, Notice, RuleScope, ScheduledTask, write_alias


@dataclass(frozen=True)
class Rules:
    """All rules that are enabled, as they were when they were read."""

    rows: Sequence[tuple[AlertRule, Rule]] = field(default_factory=list)

    def about(self, task: ScheduledTask | None) -> list[Rule]:
        """Return those about *task*, or, if it is None, about the installation: those for all."""
        return [rule for row, rule in self.rows if _is_about(row, task)]


def read_rules() -> Rules:
    """Return the rules; two statements."""
    found = []
    rows = AlertRule.objects.using(write_alias()).filter(enabled=True).prefetch_related("channels")
    for row in rows.order_by("pk"):
        kinds = frozenset(Kind(kind) for kind in row.kinds if kind in set(Kind))
        channels = frozenset(channel.pk for channel in row.channels.all() if channel.enabled)
        terms = Terms(row.after, row.closes_after)
        found.append((row, Rule(kinds=kinds, channels=channels, terms=terms, remind_every=row.remind_every)))
    return Rules(found)


def _is_about(row: AlertRule, task: ScheduledTask | None) -> bool:
    if row.scope == RuleScope.ALL:
        return True
    if task is None:
        return False
    return row.task_id == task.pk if row.scope == RuleScope.TASK else row.tag in task.tags


def tell(alert: Alert, rules: Sequence[Rule], now: datetime) -> None:
    """Write what channels are to be told of *alert*, which is open; what was written before stays. One statement."""
    quiet = is_quiet(now, is_acknowledged=alert.acknowledged_at is not None, silenced_until=alert.silenced_until)
    kind = Kind(alert.kind)
    found = wanted(kind, rules, count=alert.count, opened_at=alert.opened_at, now=now, is_quiet=quiet)
    _write(alert, found, now)


def tell_closed(alert: Alert, now: datetime) -> None:
    """Write that those are to be told who were told of its opening, unless *alert* is silent; two statements."""
    if is_quiet(now, is_acknowledged=False, silenced_until=alert.silenced_until):
        return
    told = Notice.objects.using(write_alias()).filter(alert=alert, event=Event.OPENED)
    channels = told.order_by("channel_id").values_list("channel_id", flat=True)
    _write(alert, [Told(channel, Event.CLOSED) for channel in channels], now)


def _write(alert: Alert, found: Iterable[Told], now: datetime) -> None:
    rows = [
        Notice(
            alert=alert,
            channel_id=told.channel,
            event=str(told.event),
            number=told.number,
            created_at=now,
            next_try_at=now,
        )
        for told in found
    ]
    if rows:
        Notice.objects.using(write_alias()).bulk_create(rows, ignore_conflicts=True)
