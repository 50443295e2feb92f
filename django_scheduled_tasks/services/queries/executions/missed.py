"""What was missed: when it was due, why nothing started it, and which execution has made it good; reading only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.planner.reasons import BEYOND_GRACE
from django_scheduled_tasks.schedules import parse_duration
from django_scheduled_tasks.services.messages import NOBODY_RAN, in_words, values_of


@dataclass(frozen=True, slots=True)
class Missed:
    """Why an occurrence was missed, as its row says it."""

    sentence: str
    """Why nothing started it, translated: the first that helps."""
    reason: str
    """What the rules of its task said to that, translated; empty if that is the sentence."""
    since: str = ""
    """The last sign of a scheduler before it was due, as a clock of the task's zone shows it; empty: not known."""
    until: str = ""
    """When a scheduler was back."""
    grace: timedelta | None = None
    """How late it might have started, if that is why it did not."""


def missed(error_message: str) -> Missed:
    """Return what the message of a missed execution says."""
    nobody = values_of(NOBODY_RAN, error_message)
    reason = nobody["reason"] if nobody is not None else error_message
    late = values_of(BEYOND_GRACE, reason)
    grace = None
    if late is not None:
        with suppress(InvalidSchedule):
            grace = parse_duration(late["grace"])
    if nobody is None:
        return Missed(in_words(reason), "", grace=grace)
    sentence = _("No scheduler ran from %(since)s to %(until)s.") % nobody
    return Missed(sentence, in_words(reason), nobody["since"], nobody["until"], grace)


def made_good_by(execution: Execution) -> Execution | None:
    """Return the execution that has made good, or is making good, one that was missed; one statement."""
    found = made_good([execution]).get(execution.pk)
    return found if found is not None and found.status != Status.ERRORS else None


def made_good(executions: Iterable[Execution]) -> dict[int, Execution]:
    """Return for each of *executions* that was missed the newest one for the same instant; at most one statement.

    One that is open or has completed makes it good; one that failed has tried to.
    """
    asked = [row for row in executions if row.outcome == Outcome.MISSED and row.task_id and row.scheduled_for]
    if not asked:
        return {}
    rows = Execution.objects.using(write_alias()).filter(
        task__in={row.task_id for row in asked},
        scheduled_for__in={row.scheduled_for for row in asked},
        replay__gt=0,
    )
    return newest_for(asked, rows.select_related("triggered_by").only(*_READ).order_by("pk"))


_READ = (
    *("tracking_id", "task", "scheduled_for", "status", "outcome", "trigger", "triggered_by", "triggered_at"),
    *("started_at", "completed_at", "attempt", "rerun_of"),
)


def newest_for(asked: Sequence[Execution], rows: Iterable[Execution]) -> dict[int, Execution]:
    """Return for each of *asked* the newest of *rows* for the same instant that is not skipped, a good one if any is.

    Args:
        asked: Those that were missed.
        rows: Oldest first.
    """
    found: dict[object, Execution] = {}
    for row in rows:
        key = (row.task_id, row.scheduled_for)
        earlier = found.get(key)
        is_better = earlier is None or earlier.status == Status.ERRORS or row.status != Status.ERRORS
        if is_better and row.outcome not in {Outcome.MISSED, Outcome.SKIPPED}:
            found[key] = row
    pairs = ((row.pk, found.get((row.task_id, row.scheduled_for))) for row in asked)
    return {number: row for number, row in pairs if row is not None and row.pk > number}
