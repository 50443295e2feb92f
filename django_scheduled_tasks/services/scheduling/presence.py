"""Which schedulers, workers and web processes are alive, and which releases they are."""

from __future__ import annotations

import logging
import os
import time
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, InterfaceError
from django.db.models import Case, F, Q, When

from django_scheduled_tasks import __version__
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.models import Presence, PresenceKind, database_now, write_alias, write_transaction
from django_scheduled_tasks.services.releases.own import ensure_written, own_key

logger = logging.getLogger(__name__)
KEPT_FOR = timedelta(days=1)
"""Who is gone is shown for so long."""
_MORE = timedelta(seconds=1)
_NEARLY = 0.9
"""Which part of a ``PRESENCE_INTERVAL`` has to be over until it is said again: no process is exact."""
_web_seen_at: dict[int, float] = {}
"""When this process, by its id, said last that it serves pages; monotonic seconds."""


def seen(kind: PresenceKind, *, queue: str = "") -> bool:
    """Record that this scheduler process, or such processes of this host and release, are alive.

    One statement; a few the first time. The workers of one host, queue and release share a row, which is written at
    most once in a ``PRESENCE_INTERVAL``; so do its web processes. To find that another one has written it takes two.

    Returns:
        Whether this process has written the row; else another one of its host did, a moment ago.
    """
    pid = os.getpid() if kind == PresenceKind.SCHEDULER else None
    release = own_key()
    identity = ":".join([kind, release, HOST, str(pid) if pid else queue])[:191]
    rows = Presence.objects.using(write_alias())
    found = late = rows.filter(identity=identity)
    if kind != PresenceKind.SCHEDULER:
        # A host has many such processes: one of them writes, the others see that it did.
        # An instant in the future is from before the database's clock was set back.
        interval = get_settings().PRESENCE_INTERVAL * _NEARLY
        is_late = Q(last_seen_at__lte=database_now() - interval) | Q(last_seen_at__gt=database_now() + interval)
        late = found.filter(is_late)
    # First when it has come (back), which asks when it was seen before: MariaDB sets one column after the other.
    was_away = When(last_seen_at__lt=database_now() - get_settings().PRESENCE_TIMEOUT, then=database_now())
    came_at = Case(was_away, default=F("started_at"))
    changes = {"started_at": came_at, "last_seen_at": database_now(), "version": __version__}
    if late.update(**changes):
        return True
    if kind != PresenceKind.SCHEDULER and found.exists():
        return False
    ensure_written()
    try:
        with write_transaction():
            rows.create(
                kind=kind,
                identity=identity,
                host=HOST,
                pid=pid,
                queue=queue,
                version=__version__,
                release=release,
                started_at=database_now(),
                last_seen_at=database_now(),
            )
    except IntegrityError as exc:
        if violated_constraint(exc, Presence) != "identity":
            raise
        return False  # another worker process of this host was first
    return True


def look_again_after() -> timedelta:
    """Return when a worker that found its host seen looks again whether it still is.

    It is one of several then, of which one goes on to write each ``PRESENCE_INTERVAL``. If that one ends as soon as
    the others have looked, one of them still writes well within the ``PRESENCE_TIMEOUT``.
    """
    settings = get_settings()
    return max((settings.PRESENCE_TIMEOUT - settings.PRESENCE_INTERVAL) / 2, settings.PRESENCE_INTERVAL)


def seen_as_web() -> None:
    """Record that this process serves pages or REST; at most once in half a ``PRESENCE_TIMEOUT``, and if that works."""
    moment, pid = time.monotonic(), os.getpid()
    if moment - _web_seen_at.get(pid, float("-inf")) < get_settings().PRESENCE_TIMEOUT.total_seconds() / 2:
        return
    _web_seen_at[pid] = moment
    try:
        with write_transaction():
            seen(PresenceKind.WEB)
    except (DatabaseError, InterfaceError) as exc:  # a page must not fail for it
        logger.info("This process could not say that it serves pages: %s", exc)


def gone(kind: PresenceKind) -> None:
    """Record that this scheduler process has ended: its row stays, as of one that has not been seen for too long."""
    long_ago = database_now() - get_settings().PRESENCE_TIMEOUT - _MORE
    Presence.objects.using(write_alias()).filter(kind=kind, host=HOST, pid=os.getpid()).update(last_seen_at=long_ago)


def last_seen(kind: PresenceKind) -> datetime | None:
    """Return when one of *kind* was last seen, or None."""
    rows = Presence.objects.using(write_alias())
    return rows.filter(kind=kind).order_by("-last_seen_at").values_list("last_seen_at", flat=True).first()


def is_alive(kind: PresenceKind) -> bool:
    """Whether one of *kind* has been seen lately."""
    return Presence.objects.using(write_alias()).filter(kind=kind).alive().exists()


def was_seen() -> bool:
    """Whether any scheduler or worker has ever been seen, as far as that is still known."""
    return Presence.objects.using(write_alias()).exclude(kind=PresenceKind.WEB).exists()


def forget_old() -> int:
    """Delete what has not been seen for a hundred times the time-out, and for a day; return how many."""
    limit = database_now() - max(get_settings().PRESENCE_TIMEOUT * 100, KEPT_FOR)
    return Presence.objects.using(write_alias()).filter(last_seen_at__lt=limit).delete()[0]
