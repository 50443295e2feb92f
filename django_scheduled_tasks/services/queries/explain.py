"""Why did it run, or not run, at an instant? One sentence, and the facts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.instants import camel, iso_milliseconds
from django_scheduled_tasks.lifecycle import ENDED, Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.planner import INSTANT, TaskPolicy, occurrences_between
from django_scheduled_tasks.schedules import clock_change, first_from
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.queries.holds import holding_at, holds_between
from django_scheduled_tasks.services.queries.standing import (
    PAUSED,
    REASONS,
    Why,
    ongoing,
    sentence,
    shown,
    why,
    why_held,
)
from django_scheduled_tasks.services.queries.when import When

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


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


def explain(task: ScheduledTask, when: When) -> Explanation:
    """Say what became of the occurrence of *task* at an instant, or why there is none; a handful of statements."""
    question = _question(task, when.at)
    found = decide(question)
    if when.skipped is None:
        return found
    text = _("%(wall)s did not exist in %(zone)s: the clock went from %(before)s to %(after)s.") % {
        "wall": f"{when.skipped:%Y-%m-%d %H:%M}",
        "zone": task.timezone,
        "before": when.before,
        "after": when.after,
    }
    return Explanation(Kind.CLOCK_CHANGED, f"{text} {found.sentence}", found.facts | {"then": str(found.kind)})


def _question(task: ScheduledTask, at: datetime) -> Question:
    now = read_now()
    at = at.replace(microsecond=0)
    until = at + (SECOND if at.second else MINUTE)
    try:
        policy: TaskPolicy | None = task.policy
    except InvalidSchedule:
        policy = None
    due = _due(policy, at, until) if policy is not None else None
    rows = Execution.objects.using(write_alias()).filter(task=task, trigger=Trigger.SCHEDULE, replay=0)
    row = _row_of(rows.filter(scheduled_for__gte=at, scheduled_for__lt=until).order_by("scheduled_for"), due)
    if row is None and due is not None and policy is not None:
        row = _row_that_counts(rows, policy, due)
    return Question(
        task=task,
        at=at,
        now=now,
        policy=policy,
        due=due,
        row=row,
        standing=why(task, now),
        holds=holds_between(min(due or at, now), max(due or at, now)),
        kept_since=_kept_since(task, now) if row is None else None,
        is_elsewhere=is_elsewhere(task),
    )


def is_elsewhere(task: ScheduledTask) -> bool:
    """Whether *task* is for other environments than this one."""
    here = getattr(get_settings(), "ENVIRONMENT", "")
    return bool(here) and bool(task.environments) and here not in (task.environments or ())


def _due(policy: TaskPolicy, at: datetime, until: datetime) -> datetime | None:
    found = first_from(policy.schedule, at if policy.starts_at is None else max(at, policy.starts_at))
    if found is None or found >= until or (policy.ends_at is not None and found >= policy.ends_at):
        return None
    return found


def _row_of(rows: Any, due: datetime | None) -> Execution | None:
    found: list[Execution] = list(rows.select_related("blocked_by")[: MINUTE // SECOND])
    return next((row for row in found if row.scheduled_for == due), found[0] if found else None)


def _row_that_counts(rows: Any, policy: TaskPolicy, due: datetime) -> Execution | None:
    """Return the row that stands for several occurrences, *due* among them."""
    row: Execution | None = rows.filter(scheduled_for__gt=due, occurrences__gt=1).order_by("scheduled_for").first()
    if row is None or row.scheduled_for is None or row.triggered_at < due:
        return None
    found = occurrences_between(policy, after=due - INSTANT, until=row.scheduled_for)
    return row if found is not None and found.count <= row.occurrences else None


def _kept_since(task: ScheduledTask, now: datetime) -> datetime:
    settings = get_settings()
    last = settings.KEEP_LAST if task.keep_last is None else task.keep_last
    since = now - (settings.KEEP_FOR if task.keep_for is None else task.keep_for)
    ended = Execution.objects.using(write_alias()).filter(task=task, status__in=ENDED).order_by("-pk")
    beyond = ended.values_list("triggered_at", flat=True)[max(last - 1, 0) : max(last, 1)].first()
    return max(since, beyond) if beyond is not None else since


# --- the decision ---------------------------------------------------------------------------------------------------


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
        return _not_due(question)
    facts = {"scheduled_for": iso_milliseconds(question.due)}
    if (standing := _standing(question, question.due)) is not None:
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
        return Explanation(Kind.RAN, text % values, facts)
    if row.status == Status.ERRORS:
        return Explanation(Kind.NOT_STARTED, in_words(row.error_message), facts)
    if (hold := holding_at(task, question.now, question.holds)) is not None:
        return _held(question, hold, facts)
    text = _("Execution #%(number)s is recorded and waits for a worker.") % {"number": row.pk}
    return Explanation(Kind.WAITING, text, facts)


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
