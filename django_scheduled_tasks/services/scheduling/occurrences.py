"""Record due occurrences: lock the due tasks, plan them, write all rows together, send after the commit."""

from __future__ import annotations

import copy
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, transaction
from django.utils import translation

from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidSchedule
from django_scheduled_tasks.lifecycle import BROKEN, Outcome, Overlap, PauseCode, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, Way, write_alias, write_transaction
from django_scheduled_tasks.planner import DecisionKind, OpenExecution, Plan, TaskState, plan
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.delivery.dispatch import after_commit, row_of
from django_scheduled_tasks.services.door import through
from django_scheduled_tasks.services.queries.explain import standing
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.running.cancel import cancel_open
from django_scheduled_tasks.services.running.redaction import Masker
from django_scheduled_tasks.services.scheduling.left import code_of, leave, left_now
from django_scheduled_tasks.services.scheduling.missed import say_why
from django_scheduled_tasks.services.secrets import secret_texts
from django_scheduled_tasks.services.tasks import standstill
from django_scheduled_tasks.services.tasks.changes.record import record_change
from django_scheduled_tasks.signals import occurrence_missed, occurrence_skipped, send
from django_scheduled_tasks.store.due import lock_due_tasks, update_next_runs
from django_scheduled_tasks.store.insert import insert_missing

logger = logging.getLogger(__name__)

PAUSE_FIELDS = ("paused_at", "paused_until", "paused_by", "pause_reason", "pause_code", "stands_since", "updated_at")


@dataclass
class Pass:
    """What one pass over the due tasks did."""

    tasks: int = 0
    executions: list[Execution] = field(default_factory=list)
    paused: dict[UUID, str] = field(default_factory=dict)
    """The tasks that could not be planned, with the reason."""
    repaused: list[ScheduledTask] = field(default_factory=list)
    """The tasks whose pause has begun or is over."""
    before: dict[UUID, ScheduledTask] = field(default_factory=dict)
    """These as they were."""
    left: set[UUID] = field(default_factory=set)
    """The tasks that are left to other schedulers."""

    @cached_property
    def seen(self) -> live.Seen:
        """The other releases that run; asked only if there is something that this process does not know."""
        return live.alive()


def record_due(*, limit: int) -> Pass:
    """Handle at most *limit* due tasks in one transaction; a handful of statements, however many tasks.

    Two schedulers at once each get tasks of their own (``SKIP LOCKED``), or one waits for the other (SQLite). A task
    that cannot be planned, or whose rows cannot be written, is paused with the reason; the others go on. One that
    another release may be able to plan is left to it.
    """
    while True:
        try:
            return _record_due(limit)
        except Exception as exc:
            if isinstance(exc, (DatabaseError, InterfaceError)) and not isinstance(exc, (DataError, IntegrityError)):
                raise  # the database is away, or lacks our tables: that is no task's fault
            if limit == 1:
                logger.exception("The occurrences of a task could not be written", extra={"event": "not_written"})
                return _pause_first(exc)
            logger.warning(
                "A batch could not be written, going on one by one: %s", exc, extra={"event": "batch_not_written"}
            )
            limit = 1


def _pause_first(error: Exception) -> Pass:
    """Pause the task that is due longest, whose occurrences could not be written."""
    done = Pass()
    with write_transaction():
        tasks = lock_due_tasks(1, left_now())
        for task in tasks:
            _pause_broken(task, _not_planned(task, error), task.database_now, done, PauseCode.NOT_PLANNED)
            _save_pause(task, done, "next_run_at")
        done.tasks = len(tasks)
    return done


def _record_due(limit: int) -> Pass:
    done = Pass()
    using = write_alias()
    with write_transaction(), translation.override(None):
        # 1. Lock the due tasks, and read what is open of them.
        tasks = lock_due_tasks(limit, left_now())
        if not tasks:
            return done
        done.tasks = len(tasks)
        now = tasks[0].database_now
        running = _open_executions(tasks, now)
        # 2. Decide what becomes of each occurrence; here one that was missed is told from one that starts.
        for task in tasks:
            _plan_one(task, running[task.pk], now, done)
        say_why(done.executions, now)
        # 3. Write one row for each occurrence, unless it has one, and move the tasks on.
        insert_missing(done.executions)
        _link_to_blockers(done.executions)
        update_next_runs([task for task in tasks if task.pk not in done.left])
        for task in done.repaused:
            _save_pause(task, done)
        # 4. Send what may start, and the signals, once all of it is committed.
        after_commit([row for row in done.executions if row.status == Status.PENDING])
        transaction.on_commit(lambda: _announce(done.executions), using=using, robust=True)
    return done


def _open_executions(tasks: Iterable[ScheduledTask], now: datetime) -> dict[UUID, list[OpenExecution]]:
    """Return the open executions of each of *tasks* whose policy asks for them, oldest first; one statement."""
    found: dict[UUID, list[OpenExecution]] = defaultdict(list)
    asking = [task.pk for task in tasks if task.overlap != Overlap.ALLOW]
    if asking:
        rows = Execution.objects.using(write_alias()).filter(task__in=asking).blocking(now).order_by("id")
        for number, task_id, status in rows.values_list("id", "task_id", "status"):
            found[task_id].append(OpenExecution(id=number, status=Status(status)))
    return found


def _plan_one(task: ScheduledTask, running: list[OpenExecution], now: datetime, done: Pass) -> None:
    """Plan *task* and add its rows to *done*; an error pauses this task only."""
    try:
        registry.get(task.function)
        state = TaskState(next_run_at=task.next_run_at, run_count=task.run_count, open=tuple(running))
        planned = plan(task.policy, state, now=now)
        rows = [row_of(task, decision, now=now) for decision in planned.decisions]
    except (FunctionNotRegistered, InvalidSchedule) as exc:
        if leave(task, exc, done.seen):
            done.left.add(task.pk)
        else:
            _pause_broken(task, exc.message, now, done, code_of(exc))
    except Exception as exc:  # one broken task must not stop the others
        logger.exception(
            "The task %s could not be planned", task.name, extra={"task": task.name, "event": "not_planned"}
        )
        _pause_broken(task, _not_planned(task, exc), now, done, PauseCode.NOT_PLANNED)
    else:
        done.executions += rows
        _take_over(task, planned, now, done)
        if any(decision.kind == DecisionKind.CANCEL_THEN_START for decision in planned.decisions):
            cancel_open(task)


def _take_over(task: ScheduledTask, planned: Plan, now: datetime, done: Pass) -> None:
    if (paused := standing.why(task, now)) is not None:  # its pause is over, else nothing would have been due
        if (row := standstill.skipped_row(task, paused, now)) is not None:
            done.executions.insert(0, row)
        done.before[task.pk] = copy.copy(task)
        standstill.clear_pause(task)
        task.updated_at = now
        done.repaused.append(task)
    elif not task.runs_here:  # it was planned where it runs
        done.before[task.pk] = copy.copy(task)
        task.stands_since = standstill.beginning(task, now)
        done.repaused.append(task)
    task.next_run_at, task.run_count = planned.next_run_at, planned.run_count


def _pause_broken(task: ScheduledTask, reason: str, now: datetime, done: Pass, code: PauseCode) -> None:
    """Pause *task*. If it is to be resumed by itself, the pause begins with the first occurrence not handled."""
    limit = ScheduledTask._meta.get_field("pause_reason").max_length
    done.before.setdefault(task.pk, copy.copy(task))
    task.stands_since = task.stands_since or standstill.beginning(task, now)
    began = task.next_run_at if code in BROKEN and task.next_run_at is not None else now
    task.next_run_at, task.paused_at, task.paused_until, task.paused_by = None, began, None, None
    task.pause_reason, task.pause_code, task.updated_at = reason[:limit], code, now
    done.paused[task.pk] = reason
    done.repaused.append(task)
    logger.error("The task %s is paused: %s", task.name, reason, extra={"task": task.name, "event": "paused"})


def _save_pause(task: ScheduledTask, done: Pass, *more: str) -> None:
    task.save(using=write_alias(), update_fields=[*PAUSE_FIELDS, *more])
    with through(Way.SYSTEM):
        record_change(task, before=done.before[task.pk], user=None, at=task.updated_at)


def _not_planned(task: ScheduledTask, error: Exception) -> str:
    """Return why *task* is paused; an error of the database may quote what was to be written."""
    return messages.NOT_PLANNED % {"reason": Masker(*secret_texts(task))(str(error))}


def _link_to_blockers(executions: Iterable[Execution]) -> None:
    """Link skipped occurrences to the execution that blocks them, if this pass has started it: it had no id before."""
    rows = Execution.objects.using(write_alias())
    skipped: dict[UUID | None, list[UUID]] = defaultdict(list)
    started: dict[UUID | None, UUID] = {}
    for execution in executions:
        if execution.status == Status.PENDING:
            started.setdefault(execution.task_id, execution.tracking_id)
        elif execution.error_code == Outcome.SKIPPED and execution.blocked_by_id is None:
            skipped[execution.task_id].append(execution.tracking_id)
    for task_id in skipped.keys() & started.keys():
        blocker = rows.filter(tracking_id=started[task_id]).first()
        if blocker is not None:  # else its occurrence had a row already, and was left out
            rows.filter(tracking_id__in=skipped[task_id]).update(blocked_by=blocker)


def _announce(executions: Iterable[Execution]) -> None:
    for execution in executions:
        if execution.outcome == Outcome.SKIPPED:
            send(occurrence_skipped, Execution, execution=execution)
        elif execution.outcome == Outcome.MISSED:
            send(occurrence_missed, Execution, execution=execution)
