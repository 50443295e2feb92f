"""A scheduler that starts long after the last one was seen, as after a restored backup, may ask before it goes on."""

from __future__ import annotations

import logging

from django.db.models import Max

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Installation, Presence, PresenceKind, database_now, read_now, write_alias

logger = logging.getLogger(__name__)


def hold_after_gap() -> bool:
    """Hold the installation if no scheduler was seen for longer than ``HOLD_AFTER_GAP``; return whether it did.

    Called at a scheduler's start, before it says that it is there. Whoever adopts the database begins anew: from then
    on there is no gap.
    """
    limit = get_settings().HOLD_AFTER_GAP
    if limit is None:
        return False
    alias = write_alias()
    rows = Installation.objects.using(alias).filter(held_at=None)
    row = rows.first()
    seen = Presence.objects.using(alias).filter(kind=PresenceKind.SCHEDULER).aggregate(at=Max("last_seen_at"))["at"]
    if row is None or seen is None:
        return False
    gap = read_now() - max(seen, row.adopted_at)
    if gap <= limit or not rows.update(held_at=database_now()):
        return False
    logger.warning(
        "No scheduler has been seen for %s, which is longer than HOLD_AFTER_GAP", gap, extra={"event": "gap"}
    )
    return True
