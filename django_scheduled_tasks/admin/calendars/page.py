"""What the page of a calendar shows above its form: the year, how far it is known, its rules, and who uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.charts.year import day_words, year_months
from django_scheduled_tasks.admin.ui.html import instant_text, task_url
from django_scheduled_tasks.admin.ui.text.values import value_text
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import Calendar
from django_scheduled_tasks.schedules import calendars
from django_scheduled_tasks.schedules.calendars import DayKind
from django_scheduled_tasks.schedules.calendars.holiday import version as library_version
from django_scheduled_tasks.schedules.calendars.year import FIRST_YEAR, LAST_YEAR, ExcludedDay, excluded_days
from django_scheduled_tasks.services.tasks.calendars.horizon import ending_of
from django_scheduled_tasks.services.tasks.calendars.usage import Use, uses
from django_scheduled_tasks.translation import say_number
from django_scheduled_tasks.users import User

_WEEKEND = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table of rules."""

    name: str
    what: str
    source: str
    extent: str


def page_context(row: Calendar, year: int, *, now: datetime, user: User, site: AdminSite) -> dict[str, Any]:
    """Return what the template of a calendar's page needs; two statements.

    Args:
        row: The calendar.
        year: That is shown.
        now: Aware.
        user: Who looks; only tasks that this user may see are named.
        site: The admin site, for links.
    """
    try:
        value = row.value
    except InvalidSchedule as exc:
        return {"dst_wrong": exc.message, "dst_note": version_text(row)}
    days = excluded_days(value, year)
    today = now.astimezone(value.zone).date()
    first = today if today.year == year else date(year, 1, 1)
    found, count = uses(row, year, user=user)
    ending = ending_of(row, now)
    return {
        "dst_year": year,
        "dst_years": [one for one in (year - 1, year, year + 1) if FIRST_YEAR <= one <= LAST_YEAR],
        "dst_months": year_months(year, {one.day: one for one in days}, first=first),
        "dst_days": [day_words(one.day, one) for one in days if one.kind != DayKind.WEEKDAY],
        "dst_kinds": {str(one.kind) for one in days},
        "dst_windows": [str(window) for window in value.windows],
        "dst_note": " ".join(filter(None, (_known_text(value), version_text(row)))),
        "dst_ending": ending.sentence if ending is not None else "",
        "dst_rules": list(_rules(value, days)),
        "dst_uses": [(one, task_url(site, "change", one.task.pk), _how(one), _touched(one)) for one in found],
        "dst_uses_title": ngettext("Used by %(count)s task", "Used by %(count)s tasks", count)
        % {"count": say_number(count)},
    }


def version_text(row: Calendar) -> str:
    """Return which version it is, since when, and by whom."""
    values = {"version": say_number(row.version), "instant": instant_text(row.updated_at), "user": row.updated_by}
    if row.updated_by_id is None:
        return _("Version %(version)s, saved on %(instant)s.") % values
    return _("Version %(version)s, saved by %(user)s on %(instant)s.") % values


def _known_text(value: calendars.Calendar) -> str:
    last = value.last_known_day
    if last is None or value.holidays is None:
        return ""
    return _("Holidays of %(region)s are known until %(year)s.") % {"region": value.holidays.code, "year": last.year}


def _rules(value: calendars.Calendar, days: list[ExcludedDay]) -> Iterator[Rule]:
    counts = Counter(one.kind for one in days)
    off = [str(WEEKDAYS[number]) for number in range(7) if number not in value.weekdays]
    if off:
        yield Rule(_("Days of the week"), ", ".join(off), "", _days(counts[DayKind.WEEKDAY]))
    if value.holidays is not None:
        own = sum(one.kind == DayKind.HOLIDAY and one.day.weekday() >= _WEEKEND for one in days)
        extent = _days(counts[DayKind.HOLIDAY])
        if own:
            extent = _("%(days)s, %(count)s at weekends") % {"days": extent, "count": own}
        source = _("library holidays %(version)s") % {"version": library_version()}
        yield Rule(_("Public holidays"), value.holidays.code, source, extent)
    if value.dates:
        shown = [_span(one) for one in value.dates[:10]]
        more = ["…"] if len(value.dates) > len(shown) else []
        yield Rule(_("Closed"), "; ".join([*shown, *more]), "", _days(counts[DayKind.DATE]))
    for window in value.windows:
        yield Rule(_("Window"), _("%(window)s, each week") % {"window": window}, "", value.zone.key)


def _span(span: calendars.DateSpan) -> str:
    text = date_format(span.first, "SHORT_DATE_FORMAT")
    if span.last != span.first:
        text = f"{text} – {date_format(span.last, 'SHORT_DATE_FORMAT')}"
    return f"{text}, “{span.label}”" if span.label else text


def _days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": say_number(count)}


def _how(one: Use) -> str:
    return value_text("on_excluded", one.task.on_excluded)


def _touched(one: Use) -> str:
    """Return how many runs of the year are excluded, in words."""
    if one.runs is None:
        return _("Its schedule cannot be read.")
    if one.excluded is None or one.left_out is None:
        return _("of %(runs)s: too many to count") % {"runs": say_number(one.runs)}
    moved = one.excluded - one.left_out
    values = {"moved": say_number(moved), "left": say_number(one.left_out), "runs": say_number(one.runs)}
    if moved and one.left_out:
        return _("%(moved)s of %(runs)s move, %(left)s fall away") % values
    if moved:
        return _("%(moved)s of %(runs)s move") % values
    return _("%(left)s of %(runs)s fall away") % values
