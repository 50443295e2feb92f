"""What a note is, and the small words in notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin import AdminSite
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.ui.html import instant_text, page_url
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.installation.condition import Note
from django_scheduled_tasks.services.installation.state import Standing
from django_scheduled_tasks.services.installation.verdict import Cause
from django_scheduled_tasks.translation import say_number

SAID_BY: Mapping[Note, frozenset[Kind]] = {
    Note.COPY: frozenset({Kind.HELD_COPY}),
    Note.SCHEDULER: frozenset({Kind.NO_SCHEDULER}),
    Note.BROKER: frozenset({Kind.STUCK}),
    Note.WORKER: frozenset({Kind.NO_WORKER}),
    Note.QUEUE: frozenset({Kind.NO_WORKER, Kind.STUCK}),
    Note.RELEASES: frozenset({Kind.TWO_RELEASES}),
}
"""The alerts that say the same as a note."""


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done about it: a link, or a button that acts at once."""

    label: str
    url: str
    is_post: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One thing, and what can be done about it."""

    text: SafeString
    actions: Sequence[Action] = ()

    @property
    def offered(self) -> list[Action]:
        """Those actions of which the site has the page."""
        return [action for action in self.actions if action.url]


@dataclass(frozen=True, slots=True)
class ShownNote:
    """A note as it is drawn."""

    kind: Note
    paragraphs: Sequence[Paragraph]

    @property
    def tone(self) -> str:
        """Its colour: red for a copy, grey for what is no trouble, else amber."""
        return {Note.COPY: "bad", Note.MOVED: "", Note.RELEASES: ""}.get(self.kind, "warn")

    @property
    def icon(self) -> str:
        """Its icon."""
        return {Note.COPY: "missed", Note.HELD: "paused"}.get(self.kind, "warning")


def headline(found: Standing) -> str:
    """Return the first sentence of a copy's note."""
    name = found.installation.environment if found.installation else ""
    if found.cause == Cause.GAP:
        return _("This database may be an older one. Nothing runs by schedule.")
    if name:
        return _("This database is a copy of “%(environment)s”. Nothing runs by schedule.") % {"environment": name}
    return _("This database is a copy. Nothing runs by schedule.")


def others(kind: Note, alerts: Iterable[Alert]) -> list[Alert]:
    """Return those of *alerts* of which a note of this kind does not speak."""
    found = list(alerts)
    if kind == Note.ALERTS:
        return [] if found and found[0].task_name else found[1:]
    return [alert for alert in found if alert.kind not in SAID_BY.get(kind, frozenset())]


def queue_name(name: str) -> str:
    """Return what a queue is called."""
    return name or _("default")


def workers_url(site: AdminSite) -> str:
    """Return the address of the page *Workers*; empty on a site that does not have it."""
    return page_url(site, "presence_changelist")


def waiting_text(count: int, duration: str) -> str:
    """Return how many executions wait, and for how long the oldest."""
    text = ngettext(
        "%(count)s execution waits, for %(duration)s.",
        "%(count)s executions wait, the oldest for %(duration)s.",
        count,
    )
    return text % {"count": say_number(count), "duration": duration}


def adoption_text(found: Standing, now: datetime) -> str:
    """Return who adopted the database, when and where."""
    row = found.installation
    if row is None:
        return ""
    values = {"when": instant_text(row.adopted_at, now=now), "where": row.address, "user": row.adopted_by}
    if row.adopted_by is not None:
        return _("It was adopted by %(user)s, %(when)s, at %(where)s.") % values
    return _("It was adopted %(when)s, at %(where)s.") % values
