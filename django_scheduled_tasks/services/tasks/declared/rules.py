"""The alert rules that the code declares with its tasks, brought in step with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django_scheduled_tasks.declarations import Alerts, Declaration
from django_scheduled_tasks.models import (
    AlertRule,
    Channel,
    RuleScope,
    ScheduledTask,
    for_update,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.registry import registry

logger = logging.getLogger(__name__)


def follow_declared_rules(but: Iterable[str] = (), *, only_channels: bool = False) -> None:
    """Write, change and delete the rules that belong to declared tasks; what staff switched off stays off.

    A rule that is as it should be costs nothing of its own: a few statements for all of them.

    Args:
        but: Names of tasks in which another release has a say.
        only_channels: Change nothing but the channels, and only of rules that are as this release declares them.
    """
    left_out = {name_key(name) for name in but}
    declared = {name_key(one.name): one for one in registry.declarations() if name_key(one.name) not in left_out}
    rows = AlertRule.objects.using(write_alias()).filter(declared=True, task__isnull=False)
    rules = {row.task.name_key: row for row in rows.select_related("task").prefetch_related("channels") if row.task}
    wanted = {key: one for key, one in declared.items() if one.alerts is not None}
    unwanted = [row.pk for key, row in rules.items() if key in declared and key not in wanted]
    if unwanted and not only_channels:
        AlertRule.objects.using(write_alias()).filter(pk__in=unwanted).delete()
    if not wanted:
        return
    channels = dict(Channel.objects.using(write_alias()).order_by("-pk").values_list("name", "pk"))
    for key, declaration in wanted.items():
        row = rules.get(key)
        if not only_channels or (row is not None and _is_as(row, _columns(declaration))):
            _follow(declaration, row, channels)


def _follow(declaration: Declaration, row: AlertRule | None, channels: Mapping[str, int]) -> None:
    alerts = _alerts(declaration)
    if missing := sorted(set(alerts.channels) - channels.keys()):
        logger.warning(
            "Of the task %s nobody is told over %s: there is no such channel (yet)",
            declaration.name,
            ", ".join(missing),
            extra={"task": declaration.name, "event": "channel_missing"},
        )
    ids = {channels[name] for name in alerts.channels if name in channels}
    if row is not None and _is_as(row, _columns(declaration)) and {one.pk for one in row.channels.all()} == ids:
        return
    with write_transaction():
        # Two processes may start at once: the lock on the task lets one of them write its rule.
        rows = ScheduledTask.objects.using(write_alias()).named(declaration.name)
        if (task := for_update(rows).first()) is None:
            return
        columns = _columns(declaration)
        found, _is_new = AlertRule.objects.using(write_alias()).update_or_create(
            task=task, declared=True, defaults=columns
        )
        found.channels.set(sorted(ids))


def _columns(declaration: Declaration) -> dict[str, Any]:
    alerts = _alerts(declaration)
    return {
        "name": declaration.name,
        "scope": str(RuleScope.TASK),
        "kinds": sorted(alerts.kinds),
        "after": alerts.after,
        "closes_after": alerts.closes_after,
        "remind_every": alerts.remind_every,
        "margin": alerts.margin,
    }


def _alerts(declaration: Declaration) -> Alerts:
    assert declaration.alerts is not None  # noqa: S101  (for the type checker)
    return declaration.alerts


def _is_as(row: AlertRule, columns: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in columns.items())
