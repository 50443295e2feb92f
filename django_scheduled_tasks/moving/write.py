"""Writing what a plan says, and taking it back; each in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.core.management import CommandError
from django.db import IntegrityError

from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.models import ScheduledTask, read_now, write_alias, write_transaction
from django_scheduled_tasks.moving.plan import Act, Item, changed_by_others
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.services.tasks.edit import create_task, delete_task, resume, update_task


def reason_of(source: str) -> str:
    """Return why a task that was moved in stands still."""
    return f"moved in from {source}"


def apply(items: Collection[Item], *, source: str, accepted: Collection[str], clock_changes: bool) -> None:
    """Create the tasks, paused, and update those that nobody has changed since the last time; none is resumed.

    Raises:
        CommandError: Some differ or lose something, and nobody has accepted that; nothing has been written.
    """
    open_ = [item for item in items if not item.is_accepted(accepted, clock_changes=clock_changes)]
    if open_:
        names = " ".join(f'--accept "{on_one_line(item.name)}"' for item in open_)
        hint = " (--accept-clock-changes for those that differ at clock changes only)" if _any_at_changes(open_) else ""
        raise CommandError(
            f"Nothing has been written: {len(open_)} of {len(items)} would not be what they were."
            f" If that is all right, add {names}{hint}."
        )
    try:
        with write_transaction():
            _write(items, source)
    except IntegrityError as exc:
        if violated_constraint(exc, ScheduledTask) != "moved_from":
            raise
        raise CommandError("Nothing has been written: somebody else has moved some of them in meanwhile.") from exc


def _write(items: Iterable[Item], source: str) -> None:
    now = read_now()
    for item in items:
        why = reason_of(item.row.key)
        if item.act == Act.CREATE:
            create_task(
                reason=why, moved_from=item.row.key, paused_at=now, pause_reason=reason_of(source), **item.values
            )
        elif item.act == Act.UPDATE and item.task is not None:
            update_task(item.task, by_hand=False, reason=why, **item.values)


def _any_at_changes(items: Iterable[Item]) -> bool:
    return any(item.only_at_changes and not item.row.losses for item in items)


@dataclass(frozen=True)
class Undone:
    """What taking back would delete, and what stays."""

    deleted: list[ScheduledTask]
    kept: list[tuple[ScheduledTask, str]]
    """With why."""


def undo(source: str, *, is_dry_run: bool) -> Undone:
    """Delete the tasks that were moved in from *source*, but for those that have been changed or resumed since."""
    with write_transaction():
        rows = ScheduledTask.objects.using(write_alias()).filter(moved_from__startswith=f"{source}:")
        tasks = list(rows.order_by("name_key"))
        changed = changed_by_others(task.pk for task in tasks)
        deleted, kept = [], []
        for task in tasks:
            if task.pk in changed:
                kept.append((task, "it has been changed here"))
            elif task.paused_at is None or task.pause_reason != reason_of(source):
                kept.append((task, "it has been resumed, or paused by somebody"))
            else:
                deleted.append(task)
        if not is_dry_run:
            for task in deleted:
                delete_task(task)
    return Undone(deleted, kept)


def resume_moved_in(source: str | None) -> list[ScheduledTask]:
    """Let all tasks go on that stand still since they were moved in, from now, in one transaction.

    Args:
        source: Only those of this one; None: of any.
    """
    with write_transaction():
        rows = ScheduledTask.objects.using(write_alias()).filter(moved_from__isnull=False, paused_at__isnull=False)
        rows = rows.filter(paused_by=None, pause_reason__startswith=reason_of(source or ""))
        if source:
            rows = rows.filter(moved_from__startswith=f"{source}:")
        tasks = list(rows.order_by("name_key"))
        return [resume(task, reason="moved in") for task in tasks]
