"""Deciding on alerts: what a scheduler does every few seconds beside its work.

While nothing is wrong a look is one statement, whatever the number of tasks and rules, and no execution costs anything.

How executions ended is found by *when* they ended, in an index of failures and missed occurrences alone. A cursor over
ids would not do: what starts first may end last, so that such a cursor could not pass what is still open, and ids are
given out before they can be seen. Of each look the last minutes are read again, since an instant is taken before it is
committed; what was followed already is remembered, and if it is not, nothing is written twice: the alerts themselves
say up to where the history of a task was followed.

Nothing else is remembered that matters. A scheduler that starts looks from where the last one was seen, and
``open_key`` decides where several open the same alert.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError, ProgrammingError

from django_scheduled_tasks.alerting import MARGINS, OF_ENDS, OF_TASK, Event, Kind, changes
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.errors import lacks_tables
from django_scheduled_tasks.models import (
    Alert,
    Installation,
    PresenceKind,
    ScheduledTask,
    for_update,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.services.alerts import conditions
from django_scheduled_tasks.services.alerts.ends import close_orphans, follow_task
from django_scheduled_tasks.services.alerts.record import close_alert, key_of, open_alert
from django_scheduled_tasks.services.alerts.rules import Rules, read_rules, tell
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.store.alerts import BadEnd, Signs, last_successes, read_signs

logger = logging.getLogger(__name__)

READ_AGAIN = timedelta(minutes=2)
"""So much of what was looked at is looked at again: nobody takes longer to commit how an execution ended."""
MOST_ENDS = 2_000
"""So many bad ends are read with one look, beside those that are read again."""
SLOW_INTERVAL = 60.0
"""Seconds between two looks at what changes slowly, and between two reminders at least."""
WAITS_FOR = timedelta(seconds=60)
"""If something waits for longer, it is found out why."""
MOST_TASKS = 200
"""So many tasks are asked about in one statement."""


class Watch:
    """What one process looks at; it can be lost at any moment.

    Args:
        is_scheduler: Whether this process is one, so that there is a scheduler.
    """

    def __init__(self, *, is_scheduler: bool = True) -> None:
        self._is_scheduler = is_scheduler
        self._since: datetime | None = None
        """Up to where bad ends were followed."""
        self._followed: dict[int, datetime] = {}
        """Those that were, of the last minutes."""
        self._slow_at = float("-inf")
        self._usual = conditions.Usual()

    def look(self) -> bool:
        """Look once, and open, count and close what follows; where our tables are older than the code do nothing.

        1. One statement says whether anything may be wrong, and which executions ended badly since.
        2. Follow the histories of their tasks, and of those of which an alert is open.
        3. If something may be wrong, or an alert is open, see what holds now.
        4. Once a minute see also what changes slowly, and remind.

        Returns:
            Whether there may be notices to send.
        """
        try:
            if self._since is None:
                self._since = self._begin()
            # More than were followed already, so that the next ones are among them.
            limit = MOST_ENDS + len(self._followed)
            signs = read_signs(self._since - READ_AGAIN, limit=limit)
            has_new = self._follow(signs, is_all=len(signs.bad_ends) < limit)
            has_steps = self._see_what_holds(signs)
        except (OperationalError, InterfaceError, ProgrammingError) as exc:
            if lacks_tables(exc):  # a deploy that migrates last
                return False
            raise
        except Exception:  # no fault of ours in here may keep tasks from starting
            logger.exception("Alerts were not looked at")
            return False
        return has_new or has_steps or (signs.notice_at is not None and signs.notice_at <= signs.now)

    def _begin(self) -> datetime:
        """Return when a scheduler was seen last; if that was long ago, tell that none was there."""
        last, now = presence.last_seen(PresenceKind.SCHEDULER), read_now()
        if last is None or last > now:
            return now
        if self._is_scheduler and now - last >= MARGINS[Kind.NO_SCHEDULER]:
            _tell_gap(last, now)
        return last

    # --- how executions ended

    def _follow(self, signs: Signs, *, is_all: bool) -> bool:
        assert self._since is not None  # noqa: S101  (for the type checker)
        new = [end for end in signs.bad_ends if end.number not in self._followed]
        tasks = {end.task_id for end in new if end.task_id is not None}
        if signs.open_alerts:
            tasks |= _succeeded_since()
            close_orphans(signs.now)
        if tasks:
            rules = read_rules()
            for task_id in sorted(tasks):
                follow_task(task_id, since=self._since - READ_AGAIN, now=signs.now, rules=rules)
        self._remember(signs, new, is_all=is_all)
        return bool(tasks)

    def _remember(self, signs: Signs, new: list[BadEnd], *, is_all: bool) -> None:
        self._followed |= {end.number: end.at for end in new}
        is_all = is_all or not new
        # Of more than fit, the next look goes on behind the last one: what it read again would be the same.
        self._since = signs.now if is_all else signs.bad_ends[-1].at + READ_AGAIN
        oldest = self._since - READ_AGAIN
        self._followed = {number: at for number, at in self._followed.items() if at >= oldest}

    # --- what holds now

    def _see_what_holds(self, signs: Signs) -> bool:
        is_slow = time.monotonic() - self._slow_at >= SLOW_INTERVAL
        runs_long = signs.runs_since is not None and signs.now - signs.runs_since >= conditions.RUNS_FOR
        is_suspicious = signs.open_alerts > 0 or is_slow or self._is_anything_late(signs)
        if not is_suspicious and not runs_long:
            return False
        found = conditions.Found()
        if runs_long or is_suspicious:
            conditions.add_running(found, signs.now, self._usual)
        if is_suspicious:
            conditions.add_installation(found, is_scheduler=self._is_scheduler)
        if is_slow:
            self._slow_at = time.monotonic()
            conditions.add_paused(found)
        return bool(found.conditions or signs.open_alerts) and _decide(found, signs.now, remind=is_slow)

    def _is_anything_late(self, signs: Signs) -> bool:
        is_due = signs.due_at is not None and signs.now - signs.due_at >= MARGINS[Kind.LATE]
        waits = signs.ready_since is not None and signs.now - signs.ready_since >= WAITS_FOR
        seen_at, timeout = signs.worker_seen_at, get_settings().PRESENCE_TIMEOUT
        return is_due or waits or (seen_at is not None and signs.now - seen_at > timeout)


def _succeeded_since() -> set[UUID]:
    """Return the tasks with an open alert that have succeeded since its last bad end; a statement for each 200."""
    rows = Alert.objects.using(write_alias()).open().filter(kind__in=sorted(OF_ENDS), task__isnull=False)
    latest: dict[UUID, datetime] = {}
    for task_id, at in rows.values_list("task_id", "latest_at"):
        if at is not None:
            latest[task_id] = min(at, latest.get(task_id, at))
    found: set[UUID] = set()
    tasks = sorted(latest)
    for first in range(0, len(tasks), MOST_TASKS):
        successes = last_successes(tasks[first : first + MOST_TASKS])
        found |= {task_id for task_id, at in successes.items() if at > latest[task_id]}
    return found


def _decide(found: conditions.Found, now: datetime, *, remind: bool) -> bool:
    """Open and close what follows from *found*, and remind of what stays open; whether anything was written."""
    alerts = list(Alert.objects.using(write_alias()).open().select_related("task"))
    by_key = {(Kind(alert.kind), _where(alert)): alert for alert in alerts}
    steps = changes(now, found.conditions, opened=by_key, examined=found.examined)
    opening = [key for event, key in steps if event == Event.OPENED]
    if not steps and not (remind and alerts):
        return False
    rules = read_rules()
    _open(opening, found, now, rules)
    closing = {key for event, key in steps if event == Event.CLOSED and key[0] not in found.partial}
    for key in closing:
        close_alert(by_key[key], at=now, now=now)
    if remind:
        for key, alert in by_key.items():
            if key not in closing:
                tell(alert, rules.about(alert.task), now)
    return True


def _open(keys: list[tuple[Kind, str]], found: conditions.Found, now: datetime, rules: Rules) -> None:
    since = {one.key: one.since for one in found.conditions}
    ids = [where for kind, where in keys if kind in OF_TASK]
    rows = ScheduledTask.objects.using(write_alias()).filter(pk__in=ids) if ids else ()
    tasks = {str(task.pk): task for task in rows}
    for kind, where in keys:
        task = tasks.get(where)
        if kind in OF_TASK and task is None:
            continue  # it was deleted a moment ago
        number, limit = found.running[UUID(where)] if kind == Kind.TOO_LONG else (None, None)
        open_alert(
            kind,
            task=task,
            queue=where if task is None else "",
            at=since[kind, where],
            now=now,
            rules=rules.about(task),
            execution=number,
            limit=limit,
        )


def _where(alert: Alert) -> str:
    return str(alert.open_key).removeprefix(key_of(alert.kind, ""))


def _tell_gap(last: datetime, now: datetime) -> None:
    """Tell that no scheduler was there from *last* on: once, whoever of several that start is first."""
    with write_transaction():
        for_update(Installation.objects.all()).first()
        past = Alert.objects.using(write_alias()).filter(kind=str(Kind.NO_SCHEDULER))
        if past.filter(closed_at__gt=last).exists() or past.open().exists():
            return
        alert = open_alert(Kind.NO_SCHEDULER, at=last, now=now, rules=read_rules().about(None))
        if alert is not None:
            close_alert(alert, at=now, now=now)
