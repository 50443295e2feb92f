"""The live preview of a schedule: a sentence, the next five instants, and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from django_scheduled_tasks.admin.ui.html import zone_name
from django_scheduled_tasks.admin.ui.humanize import distance_text, duration_text
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.schedules import describe, parse_schedule, upcoming, warnings_for
from django_scheduled_tasks.translation import say_number

COUNT = 5
_UNIT = "every_1"


class PreviewWidget(forms.Widget):
    """A widget that shows the preview, and reloads it when the schedule in the form changes."""

    use_fieldset = True

    def __init__(self, form: forms.BaseForm, url: str) -> None:
        super().__init__()
        self.form, self.url = form, url

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the first preview, in an element that htmx updates."""
        del name, value, attrs, renderer
        form = self.form
        names = ("schedule_kind", "cron", "dates", "other", "timezone")
        given: dict[str, str] = {name: str(form[name].value() or "") for name in names if name in form.fields}
        every = form["every"].value()
        if isinstance(every, timedelta):
            every = form.fields["every"].widget.decompress(every)
        given["every_0"], given[_UNIT] = (str(part or "") for part in every) if every else ("", "")
        context = {"url": self.url, "preview": render_preview(given)}
        return render_to_string("admin/django_scheduled_tasks/preview_field.html", context)


def expression_from(given: Mapping[str, str]) -> str:
    """Return the expression that the form's inputs make."""
    kind = given.get("schedule_kind", "")
    if kind == "interval":
        number, size = given.get("every_0", ""), given.get(_UNIT, "")
        unit = {"1": "s", "60": "m", "3600": "h", "86400": "d", "604800": "w"}.get(size, "s")
        if number and "." in number:
            try:
                return f"{round(float(number) * int(size))}s"
            except (ValueError, OverflowError):
                return number
        return f"{number}{unit}" if number else ""
    name = {"cron": "cron", "dates": "dates", "manual": ""}.get(kind, "other")
    return given.get(name, "") if name else ""


def render_preview(given: Mapping[str, str]) -> SafeString:
    """Return the preview of the form's inputs."""
    kind, expression, now = given.get("schedule_kind", ""), expression_from(given), read_now()
    zone = given.get("timezone") or "UTC"
    context: dict[str, Any] = {"zone": zone}
    if kind == "manual" or expression:
        try:
            schedule = parse_schedule(kind, expression, timezone=zone, anchor=now.replace(microsecond=0))
        except InvalidSchedule as exc:
            context["wrong"] = exc.message
        else:
            sentence = describe(schedule)
            context |= {
                "sentence": f"{sentence}." if sentence else "",
                "next": instant_texts(upcoming(schedule, after=now, count=COUNT), ZoneInfo(zone), now),
                "warnings": warnings_for(schedule, now=now),
                "is_manual": kind == "manual",
            }
    return render_to_string("admin/django_scheduled_tasks/preview.html", context)


def instant_texts(instants: list[datetime], zone: tzinfo, now: datetime) -> list[dict[str, str]]:
    """Return instants as texts: the month only where it changes, the distance only at the first."""
    found = []
    month = None
    for place, moment in enumerate(instants):
        local = moment.astimezone(zone)
        # Translators: format of a day with and without its month, as in Django's date filter.
        day = pgettext("date format", "D j M") if month != local.month else pgettext("date format", "D j")
        if month is None and local.year != now.year:
            day = pgettext("date format", "D j M Y")
        month = local.month
        clock = "H:i:s" if local.second else "H:i"
        text = f"{date_format(local, day)} {date_format(local, clock)}"
        found.append(
            {"iso": iso_milliseconds(moment), "text": text, "distance": distance_text(moment, now) if not place else ""}
        )
    return found


def shown(value: Any) -> str:
    """Return the value of a column as text."""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, datetime):
        return f"{localtime(value):%Y-%m-%d %H:%M:%S} {zone_name()}"
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    if isinstance(value, int):
        return say_number(value)
    return "—" if value in (None, "") else str(value)
