"""What is missed says why nobody could start it: a hold, or that no scheduler ran."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from django.db.models import Max, Min
from django.db.models.functions import Coalesce, Greatest

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution, Presence, PresenceKind, ScheduledTask, write_alias
from django_scheduled_tasks.schedules import parse_timezone
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.queries.explain import standing
from django_scheduled_tasks.services.queries.holds import holding_at, holds_between


def say_why(executions: Iterable[Execution], now: datetime) -> None:
    """Let those of *executions* that were missed say what kept them; three statements, if anything was missed.

    A hold comes first, then that no scheduler ran when it was due.
    """
    missed = [(row, at) for row in executions if row.outcome == Outcome.MISSED and (at := row.scheduled_for)]
    if not missed:
        return
    instants = [at for _row, at in missed]
    holds = holds_between(min(instants), max(instants))
    since, until = _away(now)
    for row, at in missed:
        if row.task is None:
            continue
        if (hold := holding_at(row.task, at, holds)) is not None:
            row.error_code = standing.HELD
            row.error_message = standing.sentence(row.task, standing.why_held(hold, now))
        elif since is not None and since < at < until:
            values = {"since": _clock(row.task, since, at), "until": _clock(row.task, until, at)}
            row.error_message = messages.NOBODY_RAN % {**values, "reason": row.error_message}


def _away(now: datetime) -> tuple[datetime | None, datetime]:
    """Return from when to when no scheduler ran, as far as schedulers have left a trace; None: nobody knows.

    Those that are here count from when they came, the others until they were seen last.
    """
    rows = Presence.objects.using(write_alias()).filter(kind=PresenceKind.SCHEDULER)
    until = rows.alive().aggregate(at=Min("started_at"))["at"] or now
    # Who has ended in good order is written as not seen since long before.
    seen = Greatest("last_seen_at", Coalesce("ended_at", "last_seen_at"))
    gone = rows.exclude(pk__in=rows.alive().values("pk"))
    return gone.aggregate(at=Max(seen))["at"], until


def _clock(task: ScheduledTask, instant: datetime, due: datetime) -> str:
    """Return *instant* in the zone of *task*: 02:47, with the date if it is another day than *due*."""
    with suppress(InvalidSchedule):
        zone = parse_timezone(task.timezone)
        instant, due = instant.astimezone(zone), due.astimezone(zone)
    return f"{instant:%H:%M}" if instant.date() == due.date() else f"{instant:%Y-%m-%d %H:%M}"
