"""Before and after: the question between a form and its saving, wherever a change of a task is asked about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, timedelta, tzinfo
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from django_scheduled_tasks.admin.ui.base import ScreenAdmin
from django_scheduled_tasks.admin.ui.html import execution_link, execution_pill
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.values import IN_CODE, empty_text, field_label, recorded_text
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.planner import INSTANT, Coming, Day, Difference
from django_scheduled_tasks.schedules import describe, parse_timezone
from django_scheduled_tasks.services.tasks.changes.before_after import BeforeAfter
from django_scheduled_tasks.translation import say_number

ASKED, BACK, KEEP, REASON = "dst_asked", "_back", "dst_keep", "dst_reason"
"""Names of inputs: the question was answered; show the form again; take over what somebody else has saved; why."""
_NOT_KEPT = frozenset({"csrfmiddlewaretoken", ASKED, BACK, KEEP, REASON})


class AskFirst(Exception):
    """Somebody has to be asked before a change is saved."""

    def __init__(self, comparison: BeforeAfter) -> None:
        super().__init__(comparison)
        self.comparison = comparison


class TaskCompareMixin(ScreenAdmin):
    """The page *Before and after*."""

    def ask(
        self,
        request: HttpRequest,
        comparison: BeforeAfter,
        *,
        sent: Iterable[tuple[str, str]],
        back_url: str = "",
        title: str = "",
    ) -> HttpResponse:
        """Show what would change, with all that was sent to be sent once more.

        Args:
            request: The present one; its address is where the answer goes.
            comparison: What would change.
            sent: Names and values.
            back_url: Where *Back* leads; empty: to the form, with what was typed.
            title: Of the page.
        """
        task = comparison.before
        found = comparison.ahead
        return self.page(
            request,
            "scheduledtask/before_after.html",
            title=title or _("Before and after: %(task)s") % {"task": task.name},
            original=task if self.model is ScheduledTask else None,
            sent=[(name, value) for name, value in sent if name not in _NOT_KEPT],
            action=request.get_full_path(),
            changes=list(_changes(comparison)),
            days=list(_days(comparison, found)) if found is not None else [],
            total=_total(found, comparison.after) if found is not None else "",
            never=_never(comparison),
            under_way=list(_under_way(comparison, self.admin_site)),
            back_url=back_url,
        )


def sent_again(data: Any) -> Iterator[tuple[str, str]]:
    """Yield names and values of a request's body."""
    for name, values in data.lists():
        for value in values:
            yield name, value


def _changes(comparison: BeforeAfter) -> Iterator[dict[str, Any]]:
    before, after = comparison.before, comparison.after
    for item in comparison.fields:
        name = item["field"]
        row: dict[str, Any] = {
            "label": item.get("name") or field_label(name, after.schedule_kind),
            "was": recorded_text(name, item["old"]) or empty_text(),
            "will": recorded_text(name, item["new"]) or empty_text(),
            "mono": name in IN_CODE,
        }
        if name == "expression":
            row |= {"was_sentence": _sentence(before), "will_sentence": _sentence(after)}
        if name == "timeout" and comparison.longer:
            text = ngettext(
                "%(count)s of the last %(all)s runs took longer.",
                "%(count)s of the last %(all)s runs took longer.",
                comparison.longer,
            )
            row["will_sentence"] = text % {"count": comparison.longer, "all": comparison.looked_at}
        yield row


def task_zone(task: ScheduledTask) -> tzinfo:
    """Return the zone of *task*; UTC if it has none that this process knows."""
    try:
        return parse_timezone(task.timezone)
    except InvalidSchedule:
        return UTC


def _sentence(task: ScheduledTask) -> str:
    try:
        return describe(task.schedule)
    except InvalidSchedule:
        return ""


def _days(comparison: BeforeAfter, found: Difference) -> Iterator[tuple[str, SafeString | str, SafeString | str]]:
    """Yield the name of each day, and its cells: each occurrence, or how many there are, and which are skipped."""
    zone = task_zone(comparison.after)
    single = [skip for skip in comparison.before.asked_skips if skip.start == skip.end]
    for day in found.days:
        label, before, after = _day_cells(day, found, zone)
        for skip in (skip for skip in single if skip.start.astimezone(zone).date() == day.day):
            by = _("skipped by %(user)s") % {"user": skip.by} if skip.by else _("skipped")
            before = _marked(before, f"{skip.start.astimezone(zone):%H:%M}", by)
            if comparison.after.schedule.next_after(skip.start - INSTANT) != skip.start:
                after = _marked(after, "", _("the skip falls away"))
        yield label, before, after


def _marked(cell: SafeString | str, clock: str, mark: str) -> SafeString:
    """Return *cell* with a remark, and the time that it is about."""
    said = format_html('{}<span class="dst-mark">{}</span>', clock, mark)
    return said if cell == "—" and clock else format_html("{} {}", cell, said)


def _day_cells(day: Day, found: Difference, zone: tzinfo) -> tuple[str, SafeString | str, SafeString | str]:
    # Translators: format of a day, as in Django's date filter.
    label = date_format(day.day, pgettext("date format", "D j M"))
    if not day.before and not day.after and (day.count_before or day.count_after):
        texts = [say_number(count) if count else "—" for count in (day.count_before, day.count_after)]
        if day.count_before == day.count_after:
            return label, texts[0], texts[1]
        return label, texts[0], format_html('<b class="dst-new">{} → {}</b>', *texts)
    cells = []
    for items, is_new in ((day.before, False), (day.after, True)):
        shown = [_occurrence(one, zone, is_same=one.at in found.kept, is_new=is_new) for one in items]
        cells.append(format_html_join(" ", "{}", ((one,) for one in shown)) or "—")
    return label, cells[0], cells[1]


def _occurrence(one: Coming, zone: tzinfo, *, is_same: bool, is_new: bool) -> SafeString:
    local = one.at.astimezone(zone)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    held = format_html('<span class="dst-mark">{}</span>', _("held")) if one.held else SafeString("")
    if is_same:
        return format_html('<span class="dst-nowrap">{}{}</span>', clock, held)
    if is_new:
        mark = pgettext("occurrence", "new")
        return format_html(
            '<span class="dst-nowrap"><ins class="dst-new">+ {}</ins> <span class="dst-mark">{}</span>{}</span>',
            clock,
            mark,
            held,
        )
    mark = pgettext("occurrence", "lost")
    return format_html(
        '<span class="dst-nowrap"><del class="dst-lost">{}</del> <span class="dst-mark">{}</span></span>', clock, mark
    )


def _total(found: Difference, after: ScheduledTask) -> str:
    """Return how many are lost, new, and as before, and the zone."""

    def said(count: int, text: str) -> str:
        return text % {"count": say_number(count) if count else _("none")}

    parts = [said(found.lost, _("%(count)s lost")), said(found.new, _("%(count)s new"))]
    parts.append(said(found.same, _("%(count)s as before")))
    return " · ".join([*parts, after.timezone])


def _never(comparison: BeforeAfter) -> str:
    found, after = comparison.ahead, comparison.after
    if found is None or not found.ends:
        return ""
    return _("It never runs again.") if after.enabled else _("Its schedule is switched off: it does not run by itself.")


def _under_way(comparison: BeforeAfter, site: AdminSite) -> Iterator[tuple[SafeString, SafeString]]:
    changed = {item["field"] for item in comparison.fields}
    for row in comparison.under_way:
        yield (
            execution_pill(row),
            format_html("{} {}", execution_link(site, row.pk), _what_becomes(row, comparison, changed)),
        )


def _what_becomes(row: Any, comparison: BeforeAfter, changed: set[str]) -> str:
    if row.status == Status.PENDING:
        if changed & {"params", "function"}:
            return _("still starts, with the parameters that it has.")
        return _("still starts.")
    if "timeout" in changed:
        limit: timedelta | None = comparison.before.timeout
        if limit is None:
            return _("goes on, without a time limit as before.")
        return _("goes on, under its old time limit of %(duration)s.") % {"duration": duration_text(limit)}
    return _("goes on.")
