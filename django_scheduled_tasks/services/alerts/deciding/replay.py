"""What a rule would have told in the last days: the same state machine over the ledger; reading only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.alerting import OF_ENDS, End, Kind, Rule, Telling, Terms, tellings
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import BAD_OUTCOMES, ENDED, FAILED_OUTCOMES, RAN_OUTCOMES, Outcome
from django_scheduled_tasks.models import AlertRule, Execution, RuleScope, ScheduledTask, read_now
from django_scheduled_tasks.services.alerts.rules import rule_of
from django_scheduled_tasks.services.queries.holds import has_tag

DAYS = 30
MOST_BAD = 2_000
"""So many failures and missed occurrences are read, the newest."""
MOST_TASKS = 200
"""Of so many tasks at most, those that failed last."""
MOST_ENDS = 20_000
"""So many ends of these tasks are read."""
MOST_COUNTED = 10_000
"""Runs are counted up to here."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """One day, in the time zone of the project."""

    day: date
    failures: int
    """Final failures and missed occurrences, as far as the kinds of the rule are about them."""
    told: int
    """How many alerts would have been told."""


@dataclass(frozen=True, slots=True)
class Told:
    """One alert that would have been told."""

    at: datetime
    task_name: str
    kind: Kind
    count: int
    execution: int | None

    @property
    def words(self) -> str:
        """What happened, translated: ``send-digest (4 in a row)``."""
        values = {"task": self.task_name, "count": self.count}
        if self.kind == Kind.MISSED:
            return ngettext("%(task)s (missed)", "%(task)s (missed %(count)s times)", self.count) % values
        return ngettext("%(task)s (once)", "%(task)s (%(count)s in a row)", self.count) % values


@dataclass(frozen=True, slots=True)
class Replay:
    """What a rule would have told."""

    days: Sequence[Day]
    """Oldest first; today is the last one."""
    told: Sequence[Told]
    """Oldest first."""
    tasks: int
    """How many tasks the rule is about."""
    runs: int
    """How often they ran; at most :data:`MOST_COUNTED`."""
    failures: int
    """How many final failures and missed occurrences there were, as far as the kinds are about them."""
    history: int
    """For how many of the days there is any history."""
    other_after: int
    """After how many failures the comparison would tell."""
    other_told: int
    """How many alerts that would have been."""
    kinds: frozenset[Kind]
    """Kinds of the rule that this says nothing of: what holds at an instant leaves no trace."""
    is_cut: bool
    """Whether there was more than was read."""

    @property
    def headline(self) -> str:
        """How often it would have told, translated."""
        count = len(self.told)
        if not count:
            return _("Would not have told you in the last %(days)s days") % {"days": len(self.days)}
        text = ngettext(
            "Would have told you once in the last %(days)s days",
            "Would have told you %(count)s times in the last %(days)s days",
            count,
        )
        return text % {"count": count, "days": len(self.days)}

    @property
    def comparison(self) -> str:
        """What another number of failures would have done, translated; empty if the rule is not about failures."""
        if not self.other_after:
            return ""
        if self.other_after == 1:
            start = _("At once instead of after %(after)s") % {"after": self._after}
        else:
            start = _("After %(after)s instead of at once") % {"after": self.other_after}
        text = ngettext("%(start)s: once", "%(start)s: %(count)s times", self.other_told)
        return text % {"start": start, "count": self.other_told}

    _after: int = 1


def replay(row: AlertRule, *, tasks: QuerySet[ScheduledTask] | None = None, now: datetime | None = None) -> Replay:
    """Return what *row*, which need not be stored or valid, would have told; five statements.

    Args:
        row: A rule; of its channels nothing matters.
        tasks: The tasks that the reader may see; None: all.
        now: The present instant; None: the database says it.
    """
    now = now or read_now()
    zone = ZoneInfo(get_settings().time_zone)
    rule = rule_of(row)
    rows = _about(row, tasks if tasks is not None else ScheduledTask.objects.all())
    first = now.astimezone(zone).date() - (DAYS - 1) * _DAY
    since = now - DAYS * _DAY
    bad, is_cut = _bad_ends(rows, rule, since)
    names, ends, is_short = _ends(bad, since)
    told = sorted(_told(names, ends, rule, now), key=lambda one: one.at)
    other = _other(rule) if Kind.FAILING in rule.kinds else None
    by_day = Counter(at.astimezone(zone).date() for _task, at in bad)
    told_by_day = Counter(one.at.astimezone(zone).date() for one in told)
    dates = [first + number * _DAY for number in range(DAYS)]
    return Replay(
        days=[Day(day, by_day[day], told_by_day[day]) for day in dates],
        told=told,
        tasks=rows.count(),
        runs=_runs(rows, since),
        failures=len(bad),
        history=_history(now),
        other_after=other.terms.after if other is not None else 0,
        other_told=len(list(_told(names, ends, other, now, only=Kind.FAILING))) if other is not None else 0,
        kinds=rule.kinds - OF_ENDS,
        is_cut=is_cut or is_short,
        _after=rule.terms.after,
    )


def _other(rule: Rule) -> Rule:
    after = 1 if rule.terms.after > 1 else 2
    return replace(rule, terms=Terms(after, rule.terms.closes_after))


def _about(row: AlertRule, tasks: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
    if row.scope == RuleScope.TASK:
        return tasks.filter(pk=row.task_id) if row.task_id is not None else tasks.none()
    tasks = tasks.filter(own_rules_only=False)
    return tasks.filter(has_tag(row.tag)) if row.scope == RuleScope.TAG else tasks


def _bad_ends(tasks: QuerySet[ScheduledTask], rule: Rule, since: datetime) -> tuple[list[tuple[UUID, datetime]], bool]:
    """Return the task and the instant of each end that counts for a kind of *rule*, and whether there were more."""
    counted = {
        *(FAILED_OUTCOMES if Kind.FAILING in rule.kinds else ()),
        *((Outcome.MISSED,) if Kind.MISSED in rule.kinds else ()),
    }
    rows = Execution.objects.filter(outcome__in=BAD_OUTCOMES, completed_at__gte=since, task__in=tasks.values("pk"))
    found = rows.order_by("-completed_at").values_list("task_id", "completed_at", "outcome")[:MOST_BAD]
    ends = [(task, at) for task, at, outcome in found if at is not None and outcome in counted]
    return ends, len(found) >= MOST_BAD


def _ends(
    bad: Sequence[tuple[UUID, datetime]], since: datetime
) -> tuple[Mapping[UUID, str], Mapping[UUID, Sequence[End]], bool]:
    """Return names and ends of the tasks of *bad*, by id, and whether there were more."""
    last: dict[UUID, datetime] = {}
    for task, at in bad:
        last[task] = max(at, last.get(task, at))
    ids = sorted(last, key=lambda task: last[task], reverse=True)
    chosen = ids[:MOST_TASKS]
    names = dict(ScheduledTask.objects.filter(pk__in=chosen).values_list("pk", "name"))
    rows = Execution.objects.filter(task__in=chosen, status__in=ENDED, completed_at__gte=since)
    columns = ("task_id", "completed_at", "id", "outcome")
    # Not by id alone: PostgreSQL would walk the primary key through all executions until there are enough of these.
    found = list(rows.order_by("task_id", "-id").values_list(*columns)[:MOST_ENDS]) if chosen else []
    ends: dict[UUID, list[End]] = {task: [] for task in names}
    for task, at, number, outcome in found:
        if task in ends and at is not None:
            ends[task].append(End(at, number, Outcome(outcome)))
    return names, ends, len(ids) > len(chosen) or len(found) >= MOST_ENDS


def _told(
    names: Mapping[UUID, str],
    ends: Mapping[UUID, Sequence[End]],
    rule: Rule,
    now: datetime,
    *,
    only: Kind | None = None,
) -> Iterable[Told]:
    for task, name in names.items():
        for kind in sorted(OF_ENDS if only is None else {only}):
            for one in tellings(kind, ends[task], rule, now):
                yield _in_words(one, name)


def _in_words(one: Telling, name: str) -> Told:
    return Told(one.at, name, one.kind, one.count, one.execution)


def _runs(tasks: QuerySet[ScheduledTask], since: datetime) -> int:
    rows = Execution.objects.filter(triggered_at__gte=since, outcome__in=RAN_OUTCOMES, task__in=tasks.values("pk"))
    return rows.order_by()[:MOST_COUNTED].count()


def _history(now: datetime) -> int:
    """Return for how many days at most there is history."""
    oldest = Execution.objects.order_by().aggregate(at=Min("triggered_at"))["at"]
    return min((now - oldest) // _DAY + 1, DAYS) if oldest is not None else 0
