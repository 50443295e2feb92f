"""Which releases run at present, and since when there is more than one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from django_scheduled_tasks.models import Presence
from django_scheduled_tasks.services.releases import live

SHOWN_OF_KEY = 8


@dataclass(frozen=True, slots=True)
class RunningRelease:
    """One release of which a process runs."""

    key: str
    name: str
    """As people call it; its key where another one that runs is called the same, or nothing is known."""
    hosts: tuple[str, ...]
    """Where its schedulers, workers and web processes are."""
    since: datetime
    """When the first of those processes was seen."""


@dataclass(frozen=True, slots=True)
class RunningReleases:
    """The releases of which processes run, in the order in which they were first seen."""

    all: tuple[RunningRelease, ...] = ()
    mixed_for: timedelta = timedelta(0)
    """For how long more than one runs."""

    @property
    def are_mixed(self) -> bool:
        """Whether more than one runs."""
        return len(self.all) > 1

    @property
    def sentence(self) -> str:
        """What people are told while more than one runs; empty otherwise."""
        if not self.are_mixed:
            return ""
        named = ", ".join(f"{one.name} ({', '.join(one.hosts)})" for one in self.all)
        values = {"count": len(self.all), "minutes": int(self.mixed_for.total_seconds() // 60), "releases": named}
        if len(self.all) == 2:  # noqa: PLR2004  (as the sentence says)
            return _("Two releases run since %(minutes)s min: %(releases)s.") % values
        return _("%(count)s releases run since %(minutes)s min: %(releases)s.") % values


def releases_of(alive: Iterable[Presence]) -> RunningReleases:
    """Return the releases of these rows, all of processes that run, with ``database_now``."""
    rows = [row for row in alive if row.release]
    found = live.releases(sorted({row.release for row in rows}))
    names = [release.name for release in found.values()]
    running = []
    for release in sorted(found.values(), key=lambda one: (one.first_seen_at, one.key)):
        own = [row for row in rows if row.release == release.key]
        is_clear = release.name and names.count(release.name) == 1
        name = release.name if is_clear else f"{release.name} {release.key[:SHOWN_OF_KEY]}".strip()
        hosts = tuple(sorted({row.host for row in own}))
        running.append(RunningRelease(release.key, name, hosts, min(row.started_at for row in own)))
    if len(running) < 2:  # noqa: PLR2004  (more than one)
        return RunningReleases(tuple(running))
    return RunningReleases(tuple(running), rows[0].database_now - max(one.since for one in running))
