"""The upsert of one task and of any number, batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidTask, ScheduledTasksError
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.tasks.upsert.wanted import Reader, Wanted
from django_scheduled_tasks.services.tasks.upsert.write import Authorize, Done, DoneKind, write_rows
from django_scheduled_tasks.users import User

BATCH = 3_500
"""How many rows one transaction writes: what it changes is locked for about half a second."""


@dataclass(frozen=True, slots=True)
class RowError:
    """Why nothing came of one row."""

    index: int
    """Which row it was, from 0."""
    key: str
    error: ScheduledTasksError


@dataclass(slots=True)
class Upserted:
    """What came of an upsert."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[RowError] = field(default_factory=list)

    def add(self, done: Iterable[Done]) -> None:
        """Count what was done."""
        done = list(done)
        kinds = Counter(one.kind for one in done)
        self.created += kinds[DoneKind.CREATED]
        self.updated += kinds[DoneKind.UPDATED]
        self.unchanged += kinds[DoneKind.UNCHANGED]
        self.errors += [RowError(one.index, one.key, one.error) for one in done if one.error is not None]


def upsert_one(
    row: Mapping[str, Any], *, user: User | None = None, reason: str = "", authorize: Authorize | None = None
) -> Done:
    """Create or update the task that *row* describes; one statement if it is there as it shall be.

    Raises:
        InvalidTask: One item for each wrong field.
        PermissionDenied: *authorize* says so.
    """
    wanted = Reader().read(0, row)
    if wanted.errors:
        raise InvalidTask(wanted.errors)
    (done,) = write_rows([wanted], user=user, reason=reason, authorize=authorize)
    if done.error is not None:
        raise done.error
    _wake([done])
    return done


def upsert_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    user: User | None = None,
    reason: str = "",
    authorize: Authorize | None = None,
) -> Iterator[Done]:
    """Create or update the tasks that *rows* describe, and yield what came of each.

    A transaction for each :data:`BATCH`; a row that is wrong does not stop the others. Schedulers are told once, at the
    end, so all has to be taken from the iterator.
    """
    reader, seen = Reader(), set[str]()
    is_due = False
    rest = enumerate(rows)
    while some := list(islice(rest, BATCH)):
        read = [_read(reader, index, row, seen) for index, row in some]
        done = {
            one.index: one
            for one in write_rows(
                [one for one in read if not one.errors], user=user, reason=reason, authorize=authorize
            )
        }
        is_due = is_due or any(map(_may_be_due, done.values()))
        for wanted in read:
            yield done.get(wanted.index) or Done(wanted.index, wanted.key, error=InvalidTask(wanted.errors))
    if is_due:
        wake_schedulers()


def _read(reader: Reader, index: int, row: Mapping[str, Any], seen: set[str]) -> Wanted:
    wanted = reader.read(index, row)
    if wanted.key in seen and wanted.key:
        wanted.errors.append(FieldError("key", _("an earlier row has the same key."), "duplicate"))
    seen.add(wanted.key)
    return wanted


def _may_be_due(done: Done) -> bool:
    """Whether a scheduler that sleeps may have to know of it: of another queue it may be held no longer."""
    return done.kind in {DoneKind.CREATED, DoneKind.UPDATED} and done.task is not None and bool(done.task.next_run_at)


def _wake(done: Iterable[Done]) -> None:
    if any(map(_may_be_due, done)):
        wake_schedulers()
