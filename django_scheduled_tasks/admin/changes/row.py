"""What a row of the changes shows: when, who and through what, which task, and each field old → new."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.admin import AdminSite
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from django_scheduled_tasks.admin.changes.filters import WAYS
from django_scheduled_tasks.admin.ui.html import instant_text, link, page_url, task_url, with_query
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.values import IN_CODE, empty_text, field_label, recorded_text
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import Change, Deed, ScheduledTask, Way
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.tasks.changes.undo import can_be_put_back

SHOWN = 200
"""So many characters of a value are shown; all of them are in its title."""
_IN_SENTENCES = {"paused_until", "pause_reason", "starts_at"}
"""Fields of pauses and holds that are told in words."""

_DEEDS: dict[str, Any] = {
    Deed.CREATED: gettext_lazy("Created"),
    Deed.DELETED: gettext_lazy("Deleted"),
    Deed.HELD: gettext_lazy("Held"),
    Deed.RELEASED: gettext_lazy("Released"),
    Deed.CANCELLED: pgettext_lazy("stopped", "Cancelled"),
    Deed.BACKFILLED: gettext_lazy("Backfilled"),
}


@dataclass(frozen=True)
class RowContext:
    """What all rows of a page share."""

    site: AdminSite
    now: datetime
    tasks: Mapping[UUID, ScheduledTask]
    """Those that are still there and that the reader may see."""
    changeable: Collection[UUID]
    """Those of which the reader may put fields back."""
    resumable: Collection[UUID]
    """Those that are paused and that the reader may resume."""
    put_back: Mapping[tuple[int, str, str], Change]
    """By change, field and parameter what put it back."""


class ChangeRow:
    """One row."""

    def __init__(self, change: Change, context: RowContext) -> None:
        self.change, self.context = change, context
        self.task = context.tasks.get(change.task) if change.task is not None else None

    def when(self) -> SafeString:
        """Return day and time, in the zone that the footer names."""
        moment = localtime(self.change.at)
        today = localtime(self.context.now).date()
        if moment.date() == today:
            day = _("today")
        else:
            is_near = moment.year == today.year
            written = pgettext("date format", "D j M") if is_near else pgettext("date format", "D j M Y")
            day = date_format(moment, written)
        return format_html(
            '<time datetime="{}">{} <span class="dst-sub">{}</span></time>',
            iso_milliseconds(self.change.at),
            day,
            f"{moment:%H:%M:%S}",
        )

    def who(self) -> SafeString:
        """Return who did it and through what; the address on hover."""
        name, through = who_and_through(self.change)
        return format_html(
            '<b class="dst-name">{}</b> <span class="dst-sub" title="{}">{}</span>', name, self.change.address, through
        )

    def about(self) -> SafeString:
        """Return the task, which is a link if it is still there; else what it is about."""
        if self.change.task is not None:
            url = task_url(self.context.site, "change", self.task.pk) if self.task is not None else ""
            return format_html('<span class="dst-name">{}</span>', link(url, self.change.task_name))
        kind, _colon, name = self.change.task_name.partition(":")
        said = _kinds_of_things().get(kind)
        if said is None:
            return format_html("{}", self.change.task_name or _("Everything"))
        return format_html("{} <b>{}</b>", said, name or _("default"))

    def what(self) -> SafeString:
        """Return what was done, a line each field, and why."""
        lines = [*self._deed(), *map(self._line, self._fields())]
        if (reason := self.change.reason) and self.change.deed != Deed.PAUSED:
            text = _("Reason: %(reason)s") % {"reason": reason}
            lines.append(format_html('<div class="dst-sub">{}</div>', text))
        return format_html_join("", "{}", ((line,) for line in lines))

    def _fields(self) -> Iterator[dict[str, Any]]:
        """Yield the fields that are not in the sentence about the deed."""
        told = _IN_SENTENCES if self.change.deed in {Deed.PAUSED, Deed.RESUMED, Deed.RELEASED} else ()
        yield from (item for item in self.change.fields if item["field"] not in told)

    def _deed(self) -> Iterator[SafeString]:
        """Yield the deed as a line, if it is another one than a change of fields."""
        change = self.change
        values = {item["field"]: item for item in change.fields}
        if change.deed == Deed.PAUSED:
            until = _instant(values.get("paused_until", {}).get("new"))
            reason = change.reason if change.user_name else in_words(change.reason)
            said = [_("yes"), f"“{reason}”" if reason else ""]
            said.append(_("until %(instant)s") % {"instant": instant_text(until)} if until else "")
            yield self._pair(_("Paused"), _("no"), ", ".join(filter(None, said)), self._resume_button())
        elif change.deed == Deed.RESUMED:
            yield self._pair(_("Paused"), _("yes"), _("no"))
        elif change.deed in _DEEDS:
            since = _instant(values.get("starts_at", {}).get("old"))
            after = _("after %(duration)s") % {"duration": duration_text(change.at - since)} if since else ""
            yield format_html('<div class="dst-change"><span><b>{}</b> {}</span></div>', _DEEDS[change.deed], after)

    def _resume_button(self) -> SafeString:
        if self.task is None or self.task.pk not in self.context.resumable:
            return SafeString("")
        url = task_url(self.context.site, "resume", self.task.pk)
        return format_html('<a class="dst-button" href="{}">{}</a>', url, _("Resume…")) if url else SafeString("")

    def _line(self, item: dict[str, Any]) -> SafeString:
        name, parameter = item["field"], item.get("name", "")
        label = parameter or field_label(name, self.task.schedule_kind if self.task is not None else "")
        old, new = (recorded_text(name, item[side]) for side in ("old", "new"))
        return self._pair(label, old, new, self._button(item, label), is_code=name in IN_CODE)

    def _pair(
        self, label: str, old: str, new: str, button: SafeString | str = "", *, is_code: bool = False
    ) -> SafeString:
        mono = " dst-mono" if is_code else ""
        return format_html(
            '<div class="dst-change"><span><span class="dst-quiet">{}</span> <del class="dst-old{}" title="{}">{}</del>'
            ' <span class="dst-arrow" aria-hidden="true">→</span><span class="dst-hidden">{}</span>'
            ' <b class="{}" title="{}">{}</b></span>{}</div>',
            label,
            mono,
            old if len(old) > SHOWN else "",
            _cut(old) or empty_text(),
            _("now:"),
            mono.strip(),
            new if len(new) > SHOWN else "",
            _cut(new) or empty_text(),
            button,
        )

    def _button(self, item: dict[str, Any], label: str) -> SafeString:
        """Return what puts the field back, or who has done it; nothing where neither is to be said."""
        change, name = self.change, item.get("name", "")
        if (done := self.context.put_back.get((change.pk, item["field"], name))) is not None:
            url = change_url(self.context.site, done)
            said = _("Already put back by %(user)s,") % {"user": who_and_through(done)[0]}
            return format_html('<span class="dst-sub">{} {}</span>', said, link(url, instant_text(done.at)))
        is_offered = change.deed == Deed.CHANGED and self.task is not None and self.task.pk in self.context.changeable
        if not is_offered or not can_be_put_back(item):
            return SafeString("")
        query = {"field": item["field"]} | ({"name": name} if name else {})
        return format_html(
            '<a class="dst-button" href="{}" aria-label="{}">{}</a>',
            with_query(page_url(self.context.site, "change_put_back", change.pk), **query),
            _("Put back: %(label)s") % {"label": label},
            _("Put back"),
        )


def change_url(site: AdminSite, change: Change) -> str:
    """Return where the list shows this one change."""
    return with_query(page_url(site, "change_changelist"), q=f"#{change.pk}")


def who_and_through(change: Change) -> tuple[str, str]:
    """Return who did it, and through what."""
    name, way = change.user_name, str(WAYS.get(change.way, ""))  # type: ignore[call-overload]  # any text
    if change.way == Way.CODE:
        release = _("Release %(name)s") % {"name": change.door} if change.door else _("The code")
        return name or release, way
    if change.way == Way.API and change.door:
        way = _("API, token “%(name)s”") % {"name": change.door}
    if change.way == Way.COMMAND:
        user, _at, host = change.address.partition("@")
        return name or user, _("%(command)s on %(host)s") % {"command": change.door, "host": host}
    if change.way == Way.SYSTEM:
        return name or _("The system"), way
    return name or "—", way


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _instant(text: str | None) -> datetime | None:
    with suppress(ValueError, TypeError):
        return datetime.fromisoformat(text or "")
    return None


def _kinds_of_things() -> dict[str, str]:
    """Return what changes are about that are about no single task."""
    first = {"tag": _("Tag"), "queue": _("Queue"), "rule": _("Alert rule"), "channel": _("Channel")}
    return first | {"calendar": _("Calendar")}
