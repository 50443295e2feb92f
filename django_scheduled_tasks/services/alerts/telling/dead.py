"""Channels that do not answer: written with each try, and read for the admin's list and over REST."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import F, Min, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Channel, Notice, database_now, write_alias


@dataclass(frozen=True, slots=True)
class DeadChannel:
    """A channel that is switched on and has taken nothing since it first did not answer."""

    id: int
    name: str
    since: datetime
    """When it first did not take a notice."""
    tries: int
    """How often it has not, since then."""
    answer: str
    """What it said last, such as ``HTTP 503``."""
    next_try_at: datetime | None
    """When it is tried again; None: nothing waits for it any more."""
    now: datetime
    """The database's present instant."""

    @property
    def sentence(self) -> str:
        """The line that people read, with instants in the project's zone."""
        values = {
            "name": self.name,
            "since": self._time(self.since),
            "count": self.tries,
            "answer": self.answer.rstrip("."),
        }
        said = ngettext(
            "Channel %(name)s does not answer since %(since)s (%(count)s try, %(answer)s)",
            "Channel %(name)s does not answer since %(since)s (%(count)s tries, %(answer)s)",
            self.tries,
        )
        if self.next_try_at is None:
            return _("%(sentence)s.") % {"sentence": said % values}
        return _("%(sentence)s; next try at %(instant)s.") % {
            "sentence": said % values,
            "instant": self._time(self.next_try_at),
        }

    def _time(self, instant: datetime) -> str:
        zone = ZoneInfo(get_settings().time_zone)
        local, today = instant.astimezone(zone), self.now.astimezone(zone).date()
        return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def dead_channels() -> list[DeadChannel]:
    """Return the channels that do not answer, the longest dead first; one statement."""
    rows = with_next_try(Channel.objects.using(write_alias()).filter(enabled=True, failing_since__isnull=False))
    found = rows.annotate(database_now=database_now()).order_by("failing_since", "pk")
    names = ("id", "name", "failing_since", "failed_tries", "last_answer", "next_try_at", "database_now")
    return [DeadChannel(*values) for values in found.values_list(*names)]


def with_next_try(rows: QuerySet[Channel]) -> QuerySet[Channel]:
    """Add ``next_try_at``: when the next notice for the channel is sent; None if none waits."""
    waiting = Notice.objects.filter(channel=OuterRef("pk"), next_try_at__isnull=False).order_by()
    earliest = waiting.values("channel").annotate(at=Min("next_try_at")).values("at")
    found: QuerySet[Channel] = rows.annotate(next_try_at=Subquery(earliest))
    return found


def answers(channel: int) -> None:
    """Record that *channel* has taken a message; one statement."""
    dead = Channel.objects.using(write_alias()).filter(pk=channel, failing_since__isnull=False)
    dead.update(failing_since=None, failed_tries=0, last_answer="")


def does_not_answer(channel: int, answer: str, now: datetime) -> None:
    """Record that *channel* has not taken a message at *now*, and what it said; one statement."""
    field = Channel._meta.get_field("failing_since")
    Channel.objects.using(write_alias()).filter(pk=channel).update(
        failing_since=Coalesce("failing_since", Value(now, output_field=field)),
        failed_tries=F("failed_tries") + 1,
        last_answer=answer,
    )
