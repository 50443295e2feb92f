"""How tasks are, each in one word, with its last executions: for programs, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, IntegerField, Q, QuerySet, Value, When

from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.services.queries.overview import CONDITIONS, State, usual_durations, with_state
from django_scheduled_tasks.store.alerts import last_successes

OK = "ok"
"""In none of these states."""
PRECEDENCE = (
    *(State.BROKEN, State.PAUSED, State.ELSEWHERE, State.HELD, State.LATE),
    *(State.RUNNING, State.FAILING, State.DONE),
)
"""A task may be in several states; the first of these is the one that is told, here and by the pill of the list."""
WORDS = (OK, *PRECEDENCE)


def told(states: Mapping[State, bool]) -> State | None:
    """Return which of these states is told of a task that is in those that are true; None: it is in none."""
    return next((state for state in PRECEDENCE if states.get(state)), None)


def in_word(word: str) -> QuerySet[ScheduledTask]:
    """Return the tasks that are told to be in this state, one of :data:`WORDS`."""
    return with_word(ScheduledTask.objects.order_by()).filter(Q(word=word))


def with_word(rows: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
    """Annotate the state that is told as ``word``, and as ``word_rank`` which it is: what is worst first."""
    cases = [(CONDITIONS[state](), state) for state in PRECEDENCE]
    return with_state(rows).annotate(
        word=Case(
            *(When(q, then=Value(str(state))) for q, state in cases), default=Value(OK), output_field=CharField()
        ),
        word_rank=Case(
            *(When(q, then=Value(number)) for number, (q, _state) in enumerate(cases)),
            default=Value(len(cases)),
            output_field=IntegerField(),
        ),
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """How one task is."""

    word: str
    """One of :data:`WORDS`."""
    last: Execution | None
    """Its newest execution; of one that has been pruned meanwhile nothing."""
    last_success_at: datetime | None
    usual: timedelta | None
    """The median of how long its newest executions that completed took."""


def conditions_of(tasks: Iterable[ScheduledTask]) -> dict[UUID, Condition]:
    """Return how *tasks* are, by id; four statements.

    They ask the database that the tasks were read from; those about many executions the one that is written to.
    """
    tasks = list(tasks)
    if not tasks:
        return {}
    ids, using = [task.pk for task in tasks], tasks[0]._state.db or write_alias()
    rows: Any = with_word(ScheduledTask.objects.using(using).filter(pk__in=ids).order_by())
    found = {pk: (word, last) for pk, word, last in rows.values_list("pk", "word", "last_id")}
    read = ("tracking_id", "status", "outcome", "triggered_at", "started_at", "completed_at")
    newest = (
        Execution.objects.using(using).only(*read).in_bulk([last for _word, last in found.values() if last is not None])
    )
    successes, usual = last_successes(ids), usual_durations(ids)
    return {
        pk: Condition(word, newest.get(last) if last is not None else None, successes.get(pk), usual.get(pk))
        for pk, (word, last) in found.items()
    }
