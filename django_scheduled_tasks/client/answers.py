"""What calls answer: information or errors; nothing that can be foreseen is raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.services.envelope import Errors, ExecutionInfo, envelope
from django_scheduled_tasks.services.tasks.skips import Skipped


class Answer(NamedTuple):
    """What a call answers: one of the two is None."""

    info: ExecutionInfo | None
    errors: Errors | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON: ``{"info": …, "errors": …}``."""
        return envelope(self.info, self.errors)


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


def skip_answer(act: Callable[[], Skipped]) -> SkipAnswer:
    """Return what *act* has skipped, or the error that it raises."""
    try:
        done = act()
    except ScheduledTasksError as exc:
        return SkipAnswer(None, Errors.of(exc))
    return SkipAnswer(SkipInfo(done.task.name, done.instants, done.count, done.next_start_at), None)
