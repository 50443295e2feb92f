"""Say that a database is at home where it is: what was copied with it never starts here, or goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from uuid_utils.compat import uuid7

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import FieldError, InvalidInput, InvalidSchedule
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import (
    Alert,
    Execution,
    Installation,
    Notice,
    ScheduledTask,
    database_now,
    for_update,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.installation.signs import is_signed, read_signs, same_system, sign
from django_scheduled_tasks.services.installation.verdict import Cause
from django_scheduled_tasks.store.due import update_next_runs
from django_scheduled_tasks.translation import gettext as _
from django_scheduled_tasks.users import User

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an adoption did."""

    environment: str
    skipped: int = 0
    """How many executions that had waited in the copy never start."""
    lost: int = 0
    """How many had been running when the copy was made."""


def copied() -> Q:
    """Executions that came with the copy: all but those that were started by hand after it was noticed."""
    found = state.standing()
    if found.installation is None or found.installation.copy_after is None:
        return Q()
    return Q(pk__lte=found.installation.copy_after) | Q(trigger=Trigger.SCHEDULE)


def is_ambiguous(found: state.Standing) -> bool:
    """Whether nothing but a name is new, and the system is not known: it may be a copy, or the same installation."""
    row, here = found.installation, found.here
    if found.cause != Cause.ENVIRONMENT or row is None or here is None or row.environment:
        return False
    same = same_system(row.system_identifier, here.system) is not False and row.address == here.address
    return same and is_signed(row.uuid, row.signature)


def waiting_here() -> int:
    """Return how many executions wait that would be skipped by :func:`adopt`."""
    return Execution.objects.using(write_alias()).filter(copied(), status=Status.PENDING).count()


def adopt(*, environment: str, user: User | None = None, is_same: bool = False) -> Adopted:
    """Let this be the home of the database: from now on its tasks run here by schedule.

    1. Of a copy, what waited when it was made never starts, and what ran ended with its worker, in silence: nobody is
       told of it. Its schedules count from now: nothing before now becomes due. It is another installation from now on.
    2. Of the same installation, which has only moved or got another key or name, all goes on as after a downtime; so
       does one that is not held at all.

    Args:
        environment: The name of the environment, which has to be that of the setting ``ENVIRONMENT`` if that is set.
        user: Who says so; recorded.
        is_same: Whether it is no copy.
    Raises:
        InvalidInput: The setting says another name.
    """
    setting, alias = get_settings().ENVIRONMENT, write_alias()
    if environment != setting:
        name = _('"%(name)s"') % {"name": setting} if setting else _("no name")
        text = _("the setting ENVIRONMENT says %(name)s, in this process.") % {"name": name}
        raise InvalidInput([FieldError("environment", text, "other")])
    state.settle_in()
    is_same = is_same or not state.look().is_held
    done = Adopted(environment)
    with write_transaction():
        row, now, here = for_update(Installation.objects.all()).get(), read_now(), read_signs()
        if not is_same:
            row.uuid = uuid7()
            done = Adopted(environment, skipped=_skip_waiting(now), lost=_end_running(now))
            _begin_from(now)
            _forget_alerts(now)
        row.environment, row.signature = environment, sign(row.uuid)
        row.address, row.system_identifier = here.address, here.system
        row.adopted_at, row.adopted_by = now, user
        row.held_at, row.copy_key, row.copy_after = None, "", None
        row.moved_from, row.moved_at, row.said_copy_at = "", None, None
        row.save(using=alias)
        wake_schedulers()
    state.look()
    logger.warning(
        "The database was adopted as %s; %s copied executions were skipped, %s had been running",
        repr(environment),
        done.skipped,
        done.lost,
        extra={"event": "adopted"},
    )
    return done


def say_same() -> None:
    """Say that a database that has moved is the same installation: nobody is told of the move any more."""
    Installation.objects.using(write_alias()).update(moved_from="", moved_at=None)
    state.look()


def say_copy() -> None:
    """Say that a database that was taken as the same installation at another place is a copy: it is held from now on.

    What ran and what was planned in it since counts as copied.
    """
    rows = Installation.objects.using(write_alias()).filter(moved_at__isnull=False)
    if rows.update(said_copy_at=database_now(), copy_key="", copy_after=None):
        wake_schedulers()
        logger.warning("Somebody has said that the database is a copy", extra={"event": "said_copy"})
    state.look()


def _skip_waiting(now: datetime) -> int:
    waiting = Execution.objects.using(write_alias()).filter(copied(), status=Status.PENDING)
    return waiting.update(**_end(Outcome.SKIPPED, messages.COPIED, now))


def _end_running(now: datetime) -> int:
    running = Execution.objects.using(write_alias()).filter(copied(), status=Status.PROCESSING)
    return running.update(**_end(Outcome.WORKER_LOST, messages.RAN_ELSEWHERE, now))


def _end(outcome: Outcome, message: str, now: datetime) -> dict[str, object]:
    """Return the columns of an end, for one statement: there may be many, and no other process touches them."""
    return {
        "status": Status.ERRORS,
        "outcome": outcome,
        "error_code": str(outcome),
        "error_message": message,
        "completed_at": now,
        "lease_until": None,
        "exclusive_key": None,
        "lock_key": None,
    }


def _forget_alerts(now: datetime) -> None:
    """Let nobody be told here of what was wrong where the database was copied."""
    Notice.objects.using(write_alias()).filter(next_try_at__isnull=False).update(next_try_at=None)
    Alert.objects.using(write_alias()).open().update(open_key=None, closed_at=now)


def _begin_from(now: datetime) -> None:
    """Let the schedules of all tasks that are due already count from *now*."""
    rows = ScheduledTask.objects.using(write_alias()).filter(next_run_at__lte=database_now()).order_by("pk")
    due = list(for_update(rows))
    for task in due:
        try:
            task.next_run_at = first_run_at(task.policy, now=now, run_count=task.run_count)
        except InvalidSchedule:
            task.next_run_at = None
    update_next_runs(due)
    rows.model.objects.using(write_alias()).exclude(calendars=[]).update(calendars_since=now)
