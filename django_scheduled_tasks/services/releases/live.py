"""Which releases run, and what those know that this process does not."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Presence, PresenceKind, Release, database_now, with_now, write_alias
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.services.releases.own import RENAMED, own, own_key

REMEMBERED_FOR = 5.0
"""Seconds for which pages of the admin count on what they asked last."""
MOST_SEEN = 1_000
"""The most processes that are read; of more, those that were seen last."""
_releases: dict[tuple[str, str], Release] = {}
"""By database and key. A row never changes, so it is read once."""
_remembered: dict[str, tuple[float, list[Presence]]] = {}


@dataclass(frozen=True, slots=True)
class Seen:
    """The releases that have been seen within some time, but not that of this process."""

    others: tuple[Release, ...] = ()
    has_silent: bool = False
    """Whether there is a process that does not say what it knows: an older version of this package."""

    def knows_function(self, name: str) -> bool:
        """Whether another release knows the function called *name*."""
        return self.has_silent or any(name in release.functions for release in self.others)

    def functions(self) -> frozenset[str]:
        """Return the functions that the others know."""
        return frozenset(name for release in self.others for name in release.functions)

    def declares(self, name: str) -> bool:
        """Whether another release declares a task called *name*."""
        key = name_key(name)
        found = (release.declared.get(key) for release in self.others)
        return self.has_silent or any(one is not None and not one.startswith(RENAMED) for one in found)

    def may_read(self, schedule_kind: str, *, zone_is_absent: bool = False) -> bool:
        """Whether another release may be able to read a schedule that this process cannot.

        Args:
            schedule_kind: Its kind.
            zone_is_absent: Whether only its time zone is not known here; then other data for time zones are needed.
        """
        here = own().versions["tzdata"]
        return self.has_silent or any(
            schedule_kind in release.schedule_kinds and not (zone_is_absent and release.versions.get("tzdata") == here)
            for release in self.others
        )

    def takes(self, function: str, given: Collection[str]) -> bool:
        """Whether another release has another signature of *function*, into which parameters of these names fit."""
        here = own().functions.get(function, {}).get("digest")
        return any(_takes(release.functions.get(function), here, given) for release in self.others)


def _takes(signature: dict[str, object] | None, here: object, given: Collection[str]) -> bool:
    if signature is None or signature["digest"] == here:
        return False
    required, optional = set(_texts(signature["required"])), set(_texts(signature["optional"]))
    return required <= set(given) and bool(signature["more"] or set(given) <= required | optional)


def _texts(value: object) -> Iterator[str]:
    return (str(one) for one in value) if isinstance(value, list) else iter(())


def seen_within(interval: timedelta) -> Seen:
    """Return the other releases of which a process has been seen within *interval*, or that are not known for longer.

    The latter, since a deploy runs ``migrate`` before it starts a scheduler or a worker. Two statements.
    """
    alias, since = write_alias(), database_now() - interval
    seen = Presence.objects.using(alias).filter(last_seen_at__gte=since).order_by()
    found = set(seen.values_list("release", "kind").distinct())
    new = Release.objects.using(alias).filter(first_seen_at__gte=since).values_list("key", flat=True)
    keys = sorted({*(release for release, _kind in found), *new} - {"", own_key()})
    has_silent = any(not release and kind != PresenceKind.WEB for release, kind in found)
    return Seen(tuple(releases(keys).values()), has_silent=has_silent)


def alive() -> Seen:
    """Return the other releases of which a process runs; two statements."""
    return seen_within(get_settings().PRESENCE_TIMEOUT)


def alive_lately() -> Seen:
    """Return the other releases of which a process runs, as :func:`processes_lately` has them."""
    rows = processes_lately()
    keys = sorted({row.release for row in rows} - {"", own_key()})
    return Seen(
        tuple(releases(keys).values()), has_silent=any(not row.release for row in rows if row.kind != PresenceKind.WEB)
    )


def processes_lately() -> list[Presence]:
    """Return all processes that run, as :func:`processes_seen` has them."""
    timeout = get_settings().PRESENCE_TIMEOUT
    return [row for row in processes_seen() if row.last_seen_at >= row.database_now - timeout]


def processes_seen() -> list[Presence]:
    """Return schedulers and workers, also those that are gone, and web processes that run; seen last first.

    For pages, which are asked for often: with ``database_now``; one statement, and none within :data:`REMEMBERED_FOR`.
    """
    alias, moment = write_alias(), time.monotonic()
    if alias not in _remembered or moment - _remembered[alias][0] > REMEMBERED_FOR:
        is_shown = ~Q(kind=PresenceKind.WEB) | Q(last_seen_at__gte=database_now() - get_settings().PRESENCE_TIMEOUT)
        rows = with_now(Presence.objects.using(alias).filter(is_shown)).order_by("-last_seen_at", "pk")
        _remembered[alias] = moment, list(rows[:MOST_SEEN])
    return _remembered[alias][1]


def releases(keys: Collection[str]) -> dict[str, Release]:
    """Return the releases that have these keys, by key; no statement for those that this process has read before."""
    alias = write_alias()
    unread = [key for key in keys if key and (alias, key) not in _releases]
    if unread:
        for release in Release.objects.using(alias).filter(key__in=unread):
            _releases[alias, release.key] = release
    return {key: _releases[alias, key] for key in keys if (alias, key) in _releases}


def first_seen_at(key: str) -> datetime | None:
    """Return when the release with this key was seen first; None if it is not known."""
    found = releases([key]).get(key)
    return found.first_seen_at if found else None


def forget() -> None:
    """Forget what this process has read, for tests."""
    _releases.clear()
    _remembered.clear()
