"""The rules of alerts, read together, and which of them are about a task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django_scheduled_tasks.alerting import (
    MARGINS,
    Event,
    Kind,
    QuietHours,
    Rule,
    Terms,
    Told,
    late_margin,
    told_from,
    wanted,
)
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Alert, AlertRule, Notice, RuleScope, ScheduledTask, write_alias


@dataclass(frozen=True)
class Rules:
    """All rules that are enabled, as they were when they were read."""

    rows: Sequence[tuple[AlertRule, Rule]] = field(default_factory=list)

    def about(self, task: ScheduledTask | None) -> list[Rule]:
        """Return those about *task*, or, if it is None, about the installation: those for all."""
        return [rule for row, rule in self.rows if is_about(row, task)]

    @property
    def least_late_margin(self) -> timedelta:
        """How late a task has to be at least to be ``late`` for any of them."""
        return min([MARGINS[Kind.LATE], late_margin([rule for _row, rule in self.rows])])


def read_rules() -> Rules:
    """Return the rules; two statements."""
    rows = AlertRule.objects.using(write_alias()).filter(enabled=True).prefetch_related("channels")
    return Rules(
        [(row, rule_of(row, [one.pk for one in row.channels.all() if one.enabled])) for row in rows.order_by("pk")]
    )


def rule_of(row: AlertRule, channels: Iterable[int] = ()) -> Rule:
    """Return *row*, which need not be stored, as a value; no statement.

    Args:
        row: Any.
        channels: The numbers of those that it tells.
    """
    quiet = None
    if row.quiet_from is not None and row.quiet_until is not None:
        quiet = QuietHours(row.quiet_from, row.quiet_until, ZoneInfo(get_settings().time_zone))
    return Rule(
        kinds=_kinds(row.kinds),
        channels=frozenset(channels),
        terms=Terms(row.after, row.closes_after),
        remind_every=row.remind_every,
        margin=row.margin,
        quiet=quiet,
        at_once=_kinds(row.tell_at_once),
    )


def _kinds(words: Iterable[str]) -> frozenset[Kind]:
    known = set(Kind)
    return frozenset(Kind(word) for word in words if word in known)


def is_about(row: AlertRule, task: ScheduledTask | None) -> bool:
    """Whether the rule *row* is about *task*, or, if it is None, about the installation."""
    if task is None:
        return row.scope == RuleScope.ALL
    if row.scope == RuleScope.TASK:
        return row.task_id == task.pk
    return not task.own_rules_only and (row.scope == RuleScope.ALL or row.tag in task.tags)


def tell(alert: Alert, rules: Sequence[Rule], now: datetime) -> None:
    """Write what channels are to be told of *alert*, which is open; what was written before stays. One statement."""
    found = wanted(
        Kind(alert.kind),
        rules,
        count=alert.count,
        opened_at=alert.opened_at,
        now=now,
        is_acknowledged=alert.acknowledged_at is not None,
        is_silenced=_is_silenced(alert, now),
    )
    _write(alert, [(one, now) for one in found], now)


def tell_closed(alert: Alert, rules: Sequence[Rule], now: datetime) -> None:
    """Write that those are to be told who were told of its opening, unless *alert* is silent; two statements.

    In quiet hours they are told at their end.
    """
    if _is_silenced(alert, now):
        return
    kind = Kind(alert.kind)
    told = Notice.objects.using(write_alias()).filter(alert=alert, event=Event.OPENED)
    found = []
    for channel in told.order_by("channel_id").values_list("channel_id", flat=True):
        own = [rule for rule in rules if channel in rule.channels]
        found.append((Told(channel, Event.CLOSED), told_from(kind, own, now)))
    _write(alert, found, now)


def _is_silenced(alert: Alert, now: datetime) -> bool:
    return alert.silenced_until is not None and alert.silenced_until > now


def _write(alert: Alert, found: Iterable[tuple[Told, datetime]], now: datetime) -> None:
    rows = [
        Notice(
            alert=alert,
            channel_id=told.channel,
            event=str(told.event),
            number=told.number,
            created_at=now,
            next_try_at=at,
        )
        for told, at in found
    ]
    if rows:
        Notice.objects.using(write_alias()).bulk_create(rows, ignore_conflicts=True)
