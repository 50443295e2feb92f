"""Which release has its way with the rows of declared tasks, while several run or one is rolled back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import Any

from django_scheduled_tasks.models import Release, ScheduledTask, read_now
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.releases.own import RENAMED, ensure_written

NEWER_WRITES = timedelta(minutes=2)
"""A newer release that was seen, or wrote, within this time keeps its values."""
NEWER_KEEPS = timedelta(hours=1)
"""A newer release that was seen, or wrote, within this time keeps the tasks that only it declares: its own processes
may not have come up yet after its ``migrate``. Then it counts as rolled back."""


class Precedence:
    """What the release of this process may do to the rows of declared tasks, at this moment.

    The newer release is that which was seen first later. It has its way as long as it runs; when it was rolled back,
    the older one has.

    Args:
        rows: The rows that may have to change.
    """

    def __init__(self, rows: Iterable[ScheduledTask]) -> None:
        self._own: Release = ensure_written()
        self._now = read_now()
        self._writers = live.releases({row.declared_release for row in rows if row.declared_release})

    def written_by(self) -> dict[str, Any]:
        """Return the columns that say which release has written a row, and when."""
        return {"declared_release": self._own.key, "declared_at": self._now}

    def may_write(self, row: ScheduledTask) -> bool:
        """Whether this release may put its values over those of *row*."""
        return not self._is_newer(self._writer(row)) or not self._is_there(row, NEWER_WRITES)

    def may_create(self, key: str) -> bool:
        """Whether this release may create a task whose name has this *key*: no newer one that runs has renamed it."""
        renamed = (one.declared.get(key, "").startswith(RENAMED) for one in self._lately.others if self._is_newer(one))
        return not any(renamed)

    def may_retire(self, row: ScheduledTask) -> bool:
        """Whether this release, which does not declare *row*, may switch it off."""
        if self._alive.declares(row.name):
            return False
        return not self._is_newer(self._writer(row)) or not self._is_there(row, NEWER_KEEPS)

    def was_renamed(self, row: ScheduledTask, key: str) -> bool:
        """Whether the release that wrote *row* last has given it another name than that with this *key*."""
        writer = self._writer(row)
        return writer is not None and writer.declared.get(key) == f"{RENAMED}{row.name_key}"

    def _writer(self, row: ScheduledTask) -> Release | None:
        return self._writers.get(row.declared_release)

    def _is_newer(self, release: Release | None) -> bool:
        return release is not None and release.first_seen_at > self._own.first_seen_at

    def _is_there(self, row: ScheduledTask, within: timedelta) -> bool:
        """Whether the release that wrote *row* last was seen, or wrote it, *within* this time."""
        if row.declared_at is not None and row.declared_at > self._now - within:
            return True
        seen = self._lately if within == NEWER_WRITES else self._within_the_hour
        return any(one.key == row.declared_release for one in seen.others)

    @cached_property
    def _alive(self) -> live.Seen:
        return live.alive()

    @cached_property
    def _lately(self) -> live.Seen:
        return live.seen_within(NEWER_WRITES)

    @cached_property
    def _within_the_hour(self) -> live.Seen:
        return live.seen_within(NEWER_KEEPS)
