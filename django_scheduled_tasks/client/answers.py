"""What calls answer: information or errors; nothing that can be foreseen is raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.services.envelope import Errors, ExecutionInfo, envelope
from django_scheduled_tasks.services.starting.run_many import RunMany
from django_scheduled_tasks.services.tasks.skips import Skipped


class Answer(NamedTuple):
    """What a call answers: one of the two is None."""

    info: ExecutionInfo | None
    errors: Errors | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON: ``{"info": …, "errors": …}``."""
        return envelope(self.info, self.errors)


class ManyAnswer(NamedTuple):
    """What starting many answers: what was started, and what was refused."""

    infos: tuple[ExecutionInfo | None, ...]
    """One for each of the parameters, in their order; None where it was refused. Empty if the whole call was."""
    errors: Errors | None
    """Why some or all were refused; the ``details`` of each item have its ``index``, unless it is about the call."""


@dataclass(frozen=True, slots=True)
class SkipInfo:
    """What is left out of a task's schedule, or takes place again."""

    scheduled_task_name: str
    instants: tuple[datetime, ...]
    """The first hundred."""
    count: int
    """How many."""
    next_run_at: datetime | None
    """What starts next."""


class SkipAnswer(NamedTuple):
    """What skipping answers: one of the two is None."""

    info: SkipInfo | None
    errors: Errors | None


def answer(act: Callable[[], ExecutionInfo]) -> Answer:
    """Return what *act* returns, or the error that it raises."""
    try:
        return Answer(act(), None)
    except ScheduledTasksError as exc:
        return Answer(None, Errors.of(exc))


def many_answer(act: Callable[[], RunMany]) -> ManyAnswer:
    """Return what *act* has started, and the errors of what it has refused, or the error that it raises."""
    try:
        done = act()
    except ScheduledTasksError as exc:
        return ManyAnswer((), Errors.of(exc))
    infos = tuple(None if isinstance(one, ScheduledTasksError) else ExecutionInfo.of(one) for one in done.items)
    refused = [(index, Errors.of(one)) for index, one in enumerate(done.items) if isinstance(one, ScheduledTasksError)]
    if not refused:
        return ManyAnswer(infos, None)
    items = [
        replace(item, details={**item.details, "index": index}) for index, errors in refused for item in errors.items
    ]
    return ManyAnswer(infos, Errors(status=refused[0][1].status, items=tuple(items)))


def skip_answer(act: Callable[[], Skipped]) -> SkipAnswer:
    """Return what *act* has skipped, or the error that it raises."""
    try:
        done = act()
    except ScheduledTasksError as exc:
        return SkipAnswer(None, Errors.of(exc))
    return SkipAnswer(SkipInfo(done.task.name, done.instants, done.count, done.next_start_at), None)
