"""Which schedulers, workers and web processes are alive, and which releases they are."""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from django.db import DatabaseError, IntegrityError, InterfaceError
from django.db.models import Case, F, Q, When

from django_scheduled_tasks import __version__
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.engines import Cluster
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.models import Presence, PresenceKind, database_now, write_alias, write_transaction
from django_scheduled_tasks.services.releases.own import ensure_written, own_key

logger = logging.getLogger(__name__)
KEPT_FOR, KEPT = timedelta(days=1), 10
"""Who is gone is shown for so long; of one host, kind and queue the last so many."""
_AT_ONCE = 100
_LONGEST = 191
_MORE = timedelta(seconds=1)
_NEARLY = 0.9
"""Which part of a ``PRESENCE_INTERVAL`` has to be over until it is said again: no process is exact."""
_web_seen_at: dict[int, float] = {}
"""When this process, by its id, said last that it serves pages; monotonic seconds."""


def seen(kind: PresenceKind, *, queue: str = "", cluster: Cluster | None = None, look_first: bool = False) -> bool:
    """Record that this scheduler process, or such processes of this host and release, are alive.

    One statement; a few the first time. The workers of one cluster, queue and release share a row, which is written at
    most once in a ``PRESENCE_INTERVAL``; so do the web processes of a host. To find that another one has written it
    takes two, or one of a process that looks first.

    Args:
        kind: What this process is.
        queue: Of a worker: for which queue it works.
        cluster: Of a worker: to which it belongs; None if the engine does not say so.
        look_first: Whether another process has probably written it: look before writing.
    Returns:
        Whether this process has written the row; else another one that shares it did, a moment ago.
    """
    own_pid = os.getpid() if kind == PresenceKind.SCHEDULER else None
    pid, processes = (cluster.pid, cluster.processes) if cluster is not None else (own_pid, None)
    release = own_key()
    identity = _identity(kind, release, HOST, str(own_pid) if own_pid else queue, cluster.key if cluster else "")
    rows = Presence.objects.using(write_alias())
    found = late = rows.filter(identity=identity)
    if kind != PresenceKind.SCHEDULER:
        # A host has many such processes: one of them writes, the others see that it did.
        # An instant in the future is from before the database's clock was set back.
        interval = get_settings().PRESENCE_INTERVAL * _NEARLY
        is_late = Q(last_seen_at__lte=database_now() - interval) | Q(last_seen_at__gt=database_now() + interval)
        late = found.filter(is_late)
        if look_first and found.exclude(is_late).exists():
            return False
    # First when it has come (back), which asks when it was seen before: MariaDB sets one column after the other.
    was_away = When(last_seen_at__lt=database_now() - get_settings().PRESENCE_TIMEOUT, then=database_now())
    came_at = Case(was_away, default=F("started_at"))
    times = {"last_seen_at": database_now(), "host_time": datetime.now(UTC)}
    changes = {"started_at": came_at, **times, "version": __version__}
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
                processes=processes,
                started_at=database_now(),
                **times,
            )
    except IntegrityError as exc:
        if violated_constraint(exc, Presence) != "identity":
            raise
        return False  # another one that shares it was first
    _forget_many(kind, queue)
    return True


def _identity(*parts: str) -> str:
    """Return what makes a process one and not another, as long as the column at most."""
    text = ":".join(filter(None, parts))
    if len(text) <= _LONGEST:
        return text
    digest = sha256(text.encode()).hexdigest()
    return f"{text[: _LONGEST - len(digest)]}{digest}"


def _forget_many(kind: PresenceKind, queue: str) -> None:
    """Delete all but the last few of this host that are gone: one that cannot stay up comes again and again."""
    rows = Presence.objects.using(write_alias()).filter(kind=kind, host=HOST, queue=queue)
    gone = rows.filter(last_seen_at__lt=database_now() - get_settings().PRESENCE_TIMEOUT).order_by("-last_seen_at")
    old = list(gone.values_list("pk", flat=True)[KEPT : KEPT + _AT_ONCE])
    if old:
        Presence.objects.using(write_alias()).filter(pk__in=old).delete()


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


def ends(kind: PresenceKind, *, pid: int, has_ended: bool = True) -> None:
    """Record that the scheduler or cluster with this process id on this host was asked to end, or has ended.

    Its row stays: who has ended counts at once as one that has not been seen for too long. One statement.
    """
    timeout = get_settings().PRESENCE_TIMEOUT
    rows = Presence.objects.using(write_alias()).filter(kind=kind, host=HOST, pid=pid).alive()
    if has_ended:
        rows.update(ended_at=database_now(), last_seen_at=database_now() - timeout - _MORE)
    else:
        rows.update(ending_at=database_now())


def last_seen(kind: PresenceKind) -> datetime | None:
    """Return when one of *kind* was last seen, or None."""
    rows = Presence.objects.using(write_alias())
    return rows.filter(kind=kind).order_by("-last_seen_at").values_list("last_seen_at", flat=True).first()


def is_alive(kind: PresenceKind) -> bool:
    """Whether one of *kind* has been seen lately."""
    return Presence.objects.using(write_alias()).filter(kind=kind).alive().exists()


def is_here(kind: PresenceKind, *, queue: str | None = None) -> bool:
    """Whether one of *kind* has been seen lately on this host, and works for *queue* if that is given."""
    rows = Presence.objects.using(write_alias()).filter(kind=kind, host=HOST).alive()
    return (rows if queue is None else rows.filter(queue=queue)).exists()


def was_seen() -> bool:
    """Whether any scheduler or worker has ever been seen, as far as that is still known."""
    return Presence.objects.using(write_alias()).exclude(kind=PresenceKind.WEB).exists()


def forget_old() -> int:
    """Delete what has not been seen for a hundred times the time-out, and for a day; return how many."""
    limit = database_now() - max(get_settings().PRESENCE_TIMEOUT * 100, KEPT_FOR)
    return Presence.objects.using(write_alias()).filter(last_seen_at__lt=limit).delete()[0]
