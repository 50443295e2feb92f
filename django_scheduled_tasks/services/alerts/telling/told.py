"""Who is told of a task, and when, in sentences; reading only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.alerting import OF_TASK, Kind, Rule, late_margin, too_long_after
from django_scheduled_tasks.alerting.conditions import LEAST_SAMPLES, SAMPLES, TIMES_USUAL, usual_limit
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import AlertRule, ScheduledTask
from django_scheduled_tasks.schedules import format_duration
from django_scheduled_tasks.services.alerts.rules import is_about, read_rules
from django_scheduled_tasks.services.queries.overview import usual_durations
from django_scheduled_tasks.store.reading.recent import newest_ends

_READ = 2 * SAMPLES


@dataclass(frozen=True, slots=True)
class Line:
    """What some channels are told of."""

    kind: Kind
    when: str
    """``Fails twice in a row``; translated."""
    why: str
    """``3 × 48s; usually 21s``; translated, or empty."""
    channels: Sequence[str]
    """The names of the channels; none: the rule names none that is switched on."""
    quiet: str
    """``quiet from 22:00 to 07:00``; translated, or empty."""


@dataclass(frozen=True, slots=True)
class WhoIsTold:
    """Who is told of a task."""

    lines: Sequence[Line]
    """By kind, in the order of kinds."""
    limit: timedelta | None
    """After what time an execution runs for too long; None: that cannot be said yet."""
    usual: timedelta | None
    """How long it usually takes."""

    @property
    def nobody(self) -> str:
        """That nobody is told when the task fails, translated; empty if somebody is."""
        if any(line.kind == Kind.FAILING and line.channels for line in self.lines):
            return ""
        return _("Nobody is told when this task fails.")


def who_is_told(task: ScheduledTask) -> WhoIsTold:
    """Return who is told of *task*, and when; four statements."""
    durations = [
        ended - began
        for _task, status, began, ended in newest_ends([task.pk], count=_READ)
        if status == Status.COMPLETED and began and ended
    ][:SAMPLES]
    limit = too_long_after(task.max_runtime, durations)
    usual = usual_durations([task.pk])[task.pk]
    within = usual_limit(durations) if len(durations) >= LEAST_SAMPLES else None
    found: dict[tuple[Kind, str, str], tuple[str, set[str]]] = {}
    for row, rule in read_rules().rows:
        if not is_about(row, task):
            continue
        names = {channel.name for channel in row.channels.all() if channel.enabled}
        for kind in _kinds(rule, task):
            when, why = _when(kind, rule, task, limit), ""
            if kind == Kind.TOO_LONG:
                why = _why(task, limit, within, usual)
            _same, channels = found.setdefault((kind, when, _quiet(row, rule, kind)), (why, set()))
            channels |= names
    order = list(Kind)
    lines = [Line(kind, when, why, sorted(channels), quiet) for (kind, when, quiet), (why, channels) in found.items()]
    return WhoIsTold(sorted(lines, key=lambda line: order.index(line.kind)), limit, usual)


def _kinds(rule: Rule, task: ScheduledTask) -> Iterator[Kind]:
    """Yield the kinds that *rule* tells and that the task can come to."""
    for kind in rule.kinds & OF_TASK:
        promises = {Kind.STALE: task.must_succeed_every, Kind.DEADLINE: task.must_finish_by}
        if kind not in promises or promises[kind] is not None:
            yield kind


def _when(kind: Kind, rule: Rule, task: ScheduledTask, limit: timedelta | None) -> str:
    if kind == Kind.FAILING:
        after = rule.terms.after
        if after == 2:  # noqa: PLR2004  (a word of its own)
            return _("Fails twice in a row")
        return ngettext("Fails", "Fails %(count)s times in a row", after) % {"count": after}
    if kind == Kind.TOO_LONG:
        if limit is None:
            return _("Runs for much longer than usual, as soon as it has succeeded %(count)s times") % {
                "count": LEAST_SAMPLES
            }
        return _("Runs for over %(limit)s") % {"limit": format_duration(limit)}
    if kind == Kind.LATE:
        return _("Has not started %(margin)s after it is due") % {"margin": format_duration(late_margin([rule]))}
    if kind == Kind.STALE and task.must_succeed_every is not None:
        return _("Has not succeeded for %(limit)s") % {"limit": format_duration(task.must_succeed_every)}
    if kind == Kind.DEADLINE and task.must_finish_by is not None:
        return _("Has not succeeded by %(time)s") % {"time": f"{task.must_finish_by:%H:%M}"}
    others = {
        Kind.MISSED: _("Is missed"),
        Kind.PAUSED_BY_SYSTEM: _("Is paused by the system"),
        Kind.BROKEN: _("Cannot run"),
    }
    return others[kind]


def _why(task: ScheduledTask, limit: timedelta | None, within: timedelta | None, usual: timedelta | None) -> str:
    """Return where the limit of ``too_long`` is from."""
    said = []
    if task.max_runtime is None and within is not None and limit == TIMES_USUAL * within:
        said.append(f"{TIMES_USUAL} × {format_duration(within)}")
    if usual is not None:
        said.append(_("usually %(duration)s") % {"duration": format_duration(usual)})
    return "; ".join(said)


def _quiet(row: AlertRule, rule: Rule, kind: Kind) -> str:
    if rule.quiet is None or kind in rule.at_once:
        return ""
    return _("quiet from %(begin)s to %(end)s") % {
        "begin": f"{row.quiet_from:%H:%M}",
        "end": f"{row.quiet_until:%H:%M}",
    }
