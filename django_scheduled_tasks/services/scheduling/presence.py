"""Which schedulers and workers are alive."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.db.models import Max

from django_scheduled_tasks import __version__
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.models import Presence, PresenceKind, database_now, write_alias, write_transaction

_MORE = timedelta(seconds=1)


def seen(kind: PresenceKind, *, queue: str = "") -> None:
    """Record that this scheduler process, or the workers of this host, are alive. One statement, two the first time.

    The workers of one host share a row, which is written at most once in a ``PRESENCE_INTERVAL``.
    """
    pid = os.getpid() if kind == PresenceKind.SCHEDULER else None
    identity = ":".join([kind, HOST, str(pid) if pid else queue])[:191]
    rows = Presence.objects.using(write_alias())
    if kind == PresenceKind.WORKER:
        # A host has many worker processes: one of them writes, the others see that it did.
        lately = database_now() - get_settings().PRESENCE_INTERVAL * 0.9
        if rows.filter(identity=identity, last_seen_at__gt=lately).exists():
            return
    if rows.filter(identity=identity).update(last_seen_at=database_now(), version=__version__):
        return
    try:
        with write_transaction():
            rows.create(
                kind=kind,
                identity=identity,
                host=HOST,
                pid=pid,
                queue=queue,
                version=__version__,
                started_at=database_now(),
                last_seen_at=database_now(),
            )
    except IntegrityError as exc:
        if violated_constraint(exc, Presence) != "identity":  # else another worker process of this host was first
            raise


def gone(kind: PresenceKind) -> None:
    """Record that this scheduler process has ended: its row stays, as of one that has not been seen for too long."""
    long_ago = database_now() - get_settings().PRESENCE_TIMEOUT - _MORE
    Presence.objects.using(write_alias()).filter(kind=kind, host=HOST, pid=os.getpid()).update(last_seen_at=long_ago)


def last_seen(kind: PresenceKind) -> datetime | None:
    """Return when one of *kind* was last seen, or None."""
    rows = Presence.objects.using(write_alias())
    return rows.filter(kind=kind).order_by("-last_seen_at").values_list("last_seen_at", flat=True).first()


def last_seen_by_kind() -> dict[str, datetime]:
    """Return when one of each kind was last seen; one statement."""
    rows = Presence.objects.using(write_alias()).order_by().values("kind").annotate(at=Max("last_seen_at"))
    return dict(rows.values_list("kind", "at"))


def is_alive(kind: PresenceKind) -> bool:
    """Whether one of *kind* has been seen lately."""
    return Presence.objects.using(write_alias()).filter(kind=kind).alive().exists()


def was_seen() -> bool:
    """Whether any scheduler or worker has ever been seen, as far as that is still known."""
    return Presence.objects.using(write_alias()).exists()


def forget_old() -> int:
    """Delete what has not been seen for a hundred times the time-out; return how many."""
    limit = database_now() - get_settings().PRESENCE_TIMEOUT * 100
    return Presence.objects.using(write_alias()).filter(last_seen_at__lt=limit).delete()[0]
