"""The decision why a task ran, or did not run, at an instant: a value in, a sentence out; nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from django_scheduled_tasks.instants import camel, iso_milliseconds
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask
from django_scheduled_tasks.planner import TaskPolicy
from django_scheduled_tasks.planner.reasons import days_of, left_out, skipped_by_hand
from django_scheduled_tasks.schedules import clock_change, first_from
from django_scheduled_tasks.schedules.calendars import Excluded
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.queries.explain.standing import (
    PAUSED,
    REASONS,
    Why,
    ongoing,
    sentence,
    shown,
    why_held,
)
from django_scheduled_tasks.services.queries.holds import holding_at


class Kind(StrEnum):
    """What happened."""

    RAN = "ran"
    """It started; the outcome is among the facts, if it has ended."""
    WAITING = "waiting"
    """It is recorded, and has not started yet."""
    NOT_STARTED = "not_started"
    """It was recorded, and was cancelled or expired before it started."""
    SKIPPED = "skipped"
    """Another execution was in its way."""
    BY_HAND = "by_hand"
    """Somebody asked for it to be skipped."""
    EXCLUDED = "excluded"
    """A calendar excludes it; where it moves to is among the facts."""
    MISSED = "missed"
    """It was found too late to start."""
    HELD = "held"
    """A hold keeps it, or kept it, from starting."""
    PAUSED = "paused"
    DISABLED = "disabled"
    """The task is or was switched off."""
    BROKEN = "broken"
    """The task could not run: its function or its schedule was not known."""
    CHANGED = "changed"
    """Somebody changed the schedule first, or the task has been changed since."""
    ELSEWHERE = "elsewhere"
    """It is for other environments."""
    AHEAD = "ahead"
    """It is due then."""
    NOT_PLANNED = "not_planned"
    """It is due, and no scheduler has handled it yet."""
    NOT_DUE = "not_due"
    CLOCK_CHANGED = "clock_changed"
    """The clock of the zone skipped this time, or showed it twice."""
    BEFORE = "before"
    """The task did not exist yet."""
    PRUNED = "pruned"
    """Executions of that time are not kept any more."""
    UNKNOWN = "unknown"
    """Nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer."""

    kind: Kind
    sentence: str
    """Translated; instants in the task's zone."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Of JSON types; names in Python's style, instants as ISO 8601."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        facts = {camel(name): value for name, value in self.facts.items()}
        return {"kind": str(self.kind), "sentence": self.sentence, "facts": facts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that decides the answer."""

    task: ScheduledTask
    at: datetime
    now: datetime
    policy: TaskPolicy | None
    """None: the stored schedule is not valid."""
    due: datetime | None
    """The occurrence that is asked for, by the present schedule: the first within the second or the minute."""
    excluded: Excluded | None = None
    """What calendars exclude there, if the schedule would be due without them."""
    row: Execution | None = None
    """What accounts for it."""
    standing: Why | None = None
    """Why the task stands still, without a row so far."""
    holds: Sequence[Hold] = ()
    kept_since: datetime | None = None
    """Before this instant executions may have been deleted."""
    is_elsewhere: bool = False

    @property
    def is_handled(self) -> bool:
        """Whether the scheduler has been there."""
        next_run_at = self.task.next_run_at
        return self.due is None or next_run_at is None or self.due < next_run_at


def decide(question: Question) -> Explanation:
    """Return the answer; nothing is asked of the database.

    1. What is recorded says it itself.
    2. Else the instant is no occurrence: the task did not exist, the clock changed, or it is simply not due.
    3. Else it is ahead: it may stand still then, or be held.
    4. Else it was due and has no row: the task stands still, no scheduler has been there, or the row is gone.
    """
    if question.row is not None:
        return _recorded(question, question.row)
    if question.due is None:
        return _not_due(question) if question.excluded is None else _excluded(question, question.excluded)
    facts = {"scheduled_for": iso_milliseconds(question.due)}
    standing = _standing(question, question.due)
    if standing is not None and standing.code != Kind.ELSEWHERE:
        task = question.task
        is_over = task.enabled and not task.is_paused(question.now)
        said = in_words(sentence(task, standing)) if is_over else ongoing(task, standing)
        return Explanation(Kind(standing.code), said, facts | _facts_of(standing))
    if question.is_elsewhere:
        names = ", ".join(question.task.environments or ())
        return Explanation(Kind.ELSEWHERE, _("It runs in %(names)s only.") % {"names": names}, facts)
    if question.due > question.now or not question.is_handled:
        return _to_come(question, question.due, facts)
    return _gone(question, question.due, facts)


def _standing(question: Question, due: datetime) -> Why | None:
    """Return why the task stands still at *due*, as far as that has no row."""
    found, task = question.standing, question.task
    if found is None or due <= found.since:
        return None
    ends_at = task.paused_until if task.enabled and found.code == PAUSED else None
    return found if ends_at is None or due < ends_at else None


def _facts_of(reason: Why) -> dict[str, Any]:
    facts = {"since": iso_milliseconds(reason.since), "by": reason.by, "reason": reason.reason}
    return {name: value for name, value in facts.items() if value}


def _recorded(question: Question, row: Execution) -> Explanation:
    task, due = question.task, row.scheduled_for or question.at
    facts: dict[str, Any] = {"execution": row.pk, "tracking_id": str(row.tracking_id)}
    facts |= {"scheduled_for": iso_milliseconds(due), "status": str(row.status)}
    if row.outcome:
        facts["outcome"] = str(row.outcome)
    if row.occurrences > 1:
        facts["occurrences"] = row.occurrences
    if row.outcome in {Outcome.SKIPPED, Outcome.MISSED}:
        kind = Kind(row.error_code) if row.error_code in REASONS else Kind(str(row.outcome))
        if row.blocked_by_id is not None:
            facts["blocked_by"] = row.blocked_by_id
        return Explanation(
            kind, in_words(row.error_message), facts | {"recorded_at": iso_milliseconds(row.triggered_at)}
        )
    if row.started_at is not None and row.status != Status.PENDING:
        late = max(row.started_at - due, timedelta(0))
        facts |= {"started_at": iso_milliseconds(row.started_at), "late_seconds": round(late.total_seconds(), 3)}
        values = {"number": row.pk, "started": shown(task, row.started_at), "late": f"{late.total_seconds():.1f}"}
        text = _("Execution #%(number)s started at %(started)s, %(late)s s after it was due, and runs.")
        if row.status == Status.COMPLETED:
            text = _("Execution #%(number)s started at %(started)s, %(late)s s after it was due, and completed.")
        elif row.status == Status.ERRORS:
            text = _("Execution #%(number)s started at %(started)s, %(late)s s after it was due, without success.")
        return Explanation(Kind.RAN, _and_moved(text % values, row), facts)
    if row.status == Status.ERRORS:
        return Explanation(Kind.NOT_STARTED, in_words(row.error_message), facts)
    if (hold := holding_at(task, question.now, question.holds)) is not None:
        return _held(question, hold, facts)
    text = _("Execution #%(number)s is recorded and waits for a worker.") % {"number": row.pk}
    return Explanation(Kind.WAITING, _and_moved(text, row), facts)


def _and_moved(sentence: str, row: Execution) -> str:
    """Return *sentence*, and what calendars have moved to where *row* was due."""
    return f"{sentence} {in_words(row.reason)}" if row.reason and row.trigger == Trigger.SCHEDULE else sentence


def _held(question: Question, hold: Hold, facts: dict[str, Any]) -> Explanation:
    reason = why_held(hold, question.now)
    facts = facts | {"hold": hold.pk} | _facts_of(reason)
    if hold.until is not None:
        facts["until"] = iso_milliseconds(hold.until)
    return Explanation(Kind.HELD, ongoing(question.task, reason), facts)


def _to_come(question: Question, due: datetime, facts: dict[str, Any]) -> Explanation:
    task, now = question.task, question.now
    if task.next_run_at is None:
        return Explanation(Kind.NOT_DUE, _("The task is done: it has started as often as it may."), facts)
    if question.policy is not None and (skip := question.policy.skip_at(due)) is not None:
        said = {name: value for name, value in (("by", skip.by), ("reason", skip.reason)) if value}
        return Explanation(Kind.BY_HAND, in_words(skipped_by_hand(skip)), facts | said)
    if (hold := holding_at(task, max(due, now), question.holds)) is not None:
        return _held(question, hold, facts)
    if due > now:
        return Explanation(Kind.AHEAD, _("It is due at %(due)s.") % {"due": shown(task, due)}, facts)
    late = f"{(now - due).total_seconds():.1f}"
    text = _("It was due at %(due)s, %(late)s s ago, and no scheduler has handled it yet.")
    return Explanation(Kind.NOT_PLANNED, text % {"due": shown(task, due), "late": late}, facts)


def _not_due(question: Question) -> Explanation:
    task, at, policy = question.task, question.at, question.policy
    if at < task.created_at.replace(microsecond=0):
        return _before(question)
    if policy is None:
        return Explanation(Kind.BROKEN, _("Its schedule cannot be read, so nobody knows when it is due."))
    if policy.schedule.kind == "manual":
        return Explanation(Kind.NOT_DUE, _("It has no schedule: it runs when somebody runs it."))
    twice = clock_change.first_pass(policy.schedule, at, task.timezone)
    if twice is not None:
        text = _("The clock showed this time twice; the task is due the first time, at %(due)s.")
        facts = {"scheduled_for": iso_milliseconds(twice)}
        return Explanation(Kind.CLOCK_CHANGED, text % {"due": shown(task, twice)}, facts)
    before, after = _around(policy, at)
    facts = {
        name: iso_milliseconds(instant)
        for name, instant in (("due_before", before), ("due_after", after))
        if instant is not None
    }
    sides = {"before": shown(task, before) if before else "–", "after": shown(task, after) if after else "–"}
    text = _("It was not due then. Due before: %(before)s. Due after: %(after)s.") % sides
    return Explanation(Kind.NOT_DUE, text, facts)


def _excluded(question: Question, found: Excluded) -> Explanation:
    task, exclusion = question.task, found.exclusion
    if found.nominal < task.created_at.replace(microsecond=0):
        return _before(question)
    facts = {"scheduled_for": iso_milliseconds(found.nominal), "label": exclusion.label}
    facts |= {"calendar": exclusion.calendar, "version": str(exclusion.version)}
    sentence = in_words(left_out([exclusion]))
    if found.moved_to is not None:
        text = _("It moves to %(moved)s because of a calendar: %(days)s.")
        sentence = text % {"moved": shown(task, found.moved_to), "days": days_of([exclusion])}
        facts["moved_to"] = iso_milliseconds(found.moved_to)
    return Explanation(Kind.EXCLUDED, sentence, facts)


def _around(policy: TaskPolicy, at: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the occurrences before and after *at*, between the start and the end of the schedule."""
    end = at if policy.ends_at is None else min(at, policy.ends_at)
    before = policy.schedule.previous_before(end)
    if before is not None and policy.starts_at is not None and before < policy.starts_at:
        before = None
    after = first_from(policy.schedule, at if policy.starts_at is None else max(at, policy.starts_at))
    return before, None if after is None or (policy.ends_at is not None and after >= policy.ends_at) else after


def _before(question: Question) -> Explanation:
    task = question.task
    text = _("The task did not exist yet: it was created at %(created)s.") % {"created": shown(task, task.created_at)}
    return Explanation(Kind.BEFORE, text, {"created_at": iso_milliseconds(task.created_at)})


def _gone(question: Question, due: datetime, facts: dict[str, Any]) -> Explanation:
    task = question.task
    if due <= task.created_at:
        return _before(question)
    if question.kept_since is not None and due < question.kept_since:
        text = _("Nothing is known: executions before %(since)s may have been deleted, as the task's limits say.")
        since = {"kept_since": iso_milliseconds(question.kept_since)}
        return Explanation(Kind.PRUNED, text % {"since": shown(task, question.kept_since)}, facts | since)
    if due <= task.updated_at:
        text = _("Nothing is recorded, and the task was changed at %(changed)s: it may not have been due then.")
        changed = {"changed_at": iso_milliseconds(task.updated_at)}
        return Explanation(Kind.CHANGED, text % {"changed": shown(task, task.updated_at)}, facts | changed)
    if task.max_runs is not None and task.run_count >= task.max_runs:
        return Explanation(Kind.NOT_DUE, _("The task is done: it has started as often as it may."), facts)
    return Explanation(Kind.UNKNOWN, _("Nothing is recorded: somebody may have deleted the execution."), facts)
