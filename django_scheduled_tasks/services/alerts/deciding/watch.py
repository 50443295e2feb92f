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

from django_scheduled_tasks.alerting import MARGINS, OF_ENDS, Kind
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.errors import lacks_tables
from django_scheduled_tasks.models import (
    Alert,
    Installation,
    PresenceKind,
    for_update,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.services.alerts.deciding import conditions, promises
from django_scheduled_tasks.services.alerts.deciding.decide import decide
from django_scheduled_tasks.services.alerts.deciding.ends import close_orphans, follow_task
from django_scheduled_tasks.services.alerts.deciding.record import close_alert, open_alert
from django_scheduled_tasks.services.alerts.rules import read_rules
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
        self._slow_since: datetime | None = None
        """Up to where deadlines were looked at."""
        self._late_after = MARGINS[Kind.LATE]
        """The least margin of ``late`` that a rule asks for."""
        self.signs: Signs | None = None
        """What the last look said."""
        self._usual, self._stale = conditions.Usual(), promises.Stale()

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
                self._since = self._slow_since = self._begin()
            # More than were followed already, so that the next ones are among them.
            limit = MOST_ENDS + len(self._followed)
            signs = self.signs = read_signs(self._since - READ_AGAIN, limit=limit)
            has_new = self._follow(signs, is_all=len(signs.bad_ends) < limit)
            has_steps = self._see_what_holds(signs)
        except (OperationalError, InterfaceError, ProgrammingError) as exc:
            if lacks_tables(exc):  # a deploy that migrates last
                return False
            raise
        except Exception:  # no fault of ours in here may keep tasks from starting
            logger.exception("Alerts were not looked at", extra={"event": "alerts_not_looked_at"})
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
        rules = read_rules() if is_slow else None
        if rules is not None:
            self._late_after = rules.least_late_margin
        if runs_long or is_suspicious:
            conditions.add_running(found, signs.now, self._usual)
        if is_suspicious:
            conditions.add_installation(found, is_scheduler=self._is_scheduler, late_after=self._late_after)
        if is_slow:
            self._look_slowly(found, signs.now)
        return bool(found.conditions or signs.open_alerts) and decide(found, signs.now, rules=rules)

    def _look_slowly(self, found: conditions.Found, now: datetime) -> None:
        conditions.add_paused(found)
        self._stale.add(found, now)
        promises.add_deadlines(found, now, since=(self._slow_since or now) - READ_AGAIN)
        self._slow_at, self._slow_since = time.monotonic(), now

    def _is_anything_late(self, signs: Signs) -> bool:
        is_due = signs.due_at is not None and signs.now - signs.due_at >= self._late_after
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
    return {task_id for task_id, at in last_successes(sorted(latest)).items() if at > latest[task_id]}


def _tell_gap(last: datetime, now: datetime) -> None:
    """Tell that no scheduler was there from *last* on: once, whoever of several that start is first."""
    with write_transaction():
        for_update(Installation.objects.all()).first()
        past = Alert.objects.using(write_alias()).filter(kind=str(Kind.NO_SCHEDULER))
        if past.filter(closed_at__gt=last).exists() or past.open().exists():
            return
        rules = read_rules().about(None)
        alert = open_alert(Kind.NO_SCHEDULER, at=last, now=now, rules=rules)
        if alert is not None:
            close_alert(alert, at=now, now=now, rules=rules)
