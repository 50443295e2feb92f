"""Following all executions at once: where each is, without lines of logs."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Max, Q

from django_scheduled_tasks.exceptions import PermissionDenied
from django_scheduled_tasks.lifecycle import OPEN
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.services.envelope import ExecutionInfo
from django_scheduled_tasks.services.following.follow import (
    CHECK_EVERY,
    STATUS_COLUMNS,
    Event,
    EventKind,
    state_of,
)
from django_scheduled_tasks.services.following.rights import Rights

MOST_ROWS = 500
"""The most open executions, and the most others, that one look reads: the newest."""
_PLACE = re.compile(r"\d{1,18}", re.ASCII)


class FollowerOfAll:
    """Who follows all executions that they may see.

    Args:
        user: Who.
    """

    def __init__(self, user: Any) -> None:
        self.user = user
        self.since: int | None = None
        """The lowest primary key of those that are new. None, if it is not known yet."""
        self.open: dict[int, tuple[Any, ...]] = {}
        """Where those are that had not ended at the last look."""
        self.is_over = False
        self.checked_at = 0.0

    @property
    def place(self) -> str:
        """The lowest primary key of which there may be something to say later."""
        return str(min(self.open, default=self.since or 0))

    def go_on_after(self, place: str) -> None:
        """Say again what may have changed since *place*, the text of an event; what is none means from now on."""
        if _PLACE.fullmatch(place):
            self.since = int(place)


def look_at_all(followers: Collection[FollowerOfAll]) -> dict[FollowerOfAll, list[Event]]:
    """Return what is new for each of *followers*, and move them on; two statements, and those for permissions.

    What starts and ends between two looks is told once. An execution whose transaction commits long after its number
    was given, and that has ended by then, is not told.
    """
    if not followers:
        return {}
    if any(one.since is None for one in followers):
        last = Execution.objects.using(write_alias()).aggregate(last=Max("pk"))["last"] or 0
        for one in followers:
            one.since = last + 1 if one.since is None else one.since
    rows, rights = _rows(followers), Rights()
    return {one: _news(one, rows, rights) for one in followers}


def _rows(followers: Iterable[FollowerOfAll]) -> list[Execution]:
    """Return those that are open, and those that have ended since some of *followers* looked, in order."""
    every = Execution.objects.using(write_alias()).defer("params", "secret_params").order_by("-pk")
    found = {row.pk: row for row in every.filter(status__in=OPEN)[:MOST_ROWS]}
    followed = {key for one in followers for key in one.open} - set(found)
    since = min(one.since or 0 for one in followers)
    others = every.filter(Q(pk__in=followed) | Q(pk__gte=since)).exclude(pk__in=list(found))
    found |= {row.pk: row for row in others[:MOST_ROWS]}
    return [found[key] for key in sorted(found)]


def _news(one: FollowerOfAll, rows: Iterable[Execution], rights: Rights) -> list[Event]:
    since, place = one.since or 0, one.place
    new = [
        row
        for row in rows
        if (row.is_open or row.pk in one.open or row.pk >= since) and one.open.get(row.pk) != state_of(row)
    ]
    if new or time.monotonic() - one.checked_at >= CHECK_EVERY:
        one.checked_at = time.monotonic()
        if not rights.of(one.user)[0]:
            one.is_over = True
            return [Event(kind=EventKind.ERROR, place=one.place, error=PermissionDenied())]
    events = []
    for row in new:
        before = one.open.pop(row.pk, ())
        one.since = max(one.since or 0, row.pk + 1)
        if row.is_open:
            one.open[row.pk] = state_of(row)
        may_see, logs = rights.of(one.user, row)
        if may_see:
            info = ExecutionInfo.of(row, with_message=logs, with_traceback=logs, with_result=logs)
            is_same = before and before[:STATUS_COLUMNS] == state_of(row)[:STATUS_COLUMNS]
            events.append((EventKind.PROGRESS if is_same else EventKind.STATUS, info))
    gone = set(one.open) - {row.pk for row in rows}
    for key in gone:
        del one.open[key]
    # Only the last one has the place after this look: who has got a part of them gets all of them again.
    places = [place] * (len(events) - 1) + [one.place]
    return [Event(kind=kind, place=after, info=info) for (kind, info), after in zip(events, places, strict=False)]
