"""The live preview of a schedule: a sentence, the next five instants, and warnings."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from django_scheduled_tasks.admin.ui.html import zone_name
from django_scheduled_tasks.admin.ui.text.humanize import distance_text, duration_text
from django_scheduled_tasks.admin.ui.text.instants import InstantField
from django_scheduled_tasks.admin.ui.text.words import WordsField
from django_scheduled_tasks.admin.ui.widgets import DurationField
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.planner import Coming
from django_scheduled_tasks.schedules import describe, warnings_for
from django_scheduled_tasks.schedules.calendars import ON_EXCLUDED, Excluded
from django_scheduled_tasks.services.queries.upcoming import excluded_among, occurrences_ahead
from django_scheduled_tasks.translation import say_number

COUNT = 5
_UNIT = "every_1"
_ASKED = (
    *("schedule_kind", "cron", "every", "dates", "other", "timezone"),
    *("name", "starts_at", "ends_at", "max_runs", "spread", "enabled", "calendars", "on_excluded"),
)
_READERS: dict[str, forms.Field] = {
    "starts_at": InstantField(required=False, widget=AdminSplitDateTime),
    "ends_at": InstantField(required=False, widget=AdminSplitDateTime),
    "max_runs": forms.IntegerField(required=False, min_value=1),
    "spread": DurationField(required=False),
    "calendars": WordsField(required=False),
}


class PreviewWidget(forms.Widget):
    """A widget that shows the preview, and reloads it when the schedule in the form changes."""

    use_fieldset = True

    def __init__(self, form: forms.BaseForm, url: str) -> None:
        super().__init__()
        self.form, self.url = form, url

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the first preview, in an element that htmx updates."""
        del name, value, attrs, renderer
        context = {"url": self.url, "preview": render_preview(inputs_of(self.form), stored_of(self.form))}
        return render_to_string("admin/django_scheduled_tasks/preview_field.html", context)


def inputs_of(form: Any) -> dict[str, str]:
    """Return what the inputs of *form* say about when the task is due."""
    given: dict[str, str] = {}
    for name in (item for item in _ASKED if item in form.fields):
        found, widget = form[name].value(), form.fields[name].widget
        if isinstance(widget, forms.MultiWidget):
            parts: Any = found if isinstance(found, (list, tuple)) else widget.decompress(found)
            given |= {f"{name}_{number}": str(part or "") for number, part in enumerate(parts)}
        else:
            given[name] = ", ".join(found) if isinstance(found, list) else str(found or "")
    return given


def stored_of(form: Any) -> ScheduledTask | None:
    """Return the task that *form* changes; None if it is a new one."""
    found: ScheduledTask = form.instance
    return None if found._state.adding else found


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


def render_preview(given: Mapping[str, str], stored: ScheduledTask | None = None) -> SafeString:
    """Return the preview of the form's inputs.

    Args:
        given: The inputs.
        stored: The task that is changed, of which its pause, its runs so far and what holds it count.
    """
    now, zone, is_manual = read_now(), given.get("timezone") or "UTC", given.get("schedule_kind") == "manual"
    context: dict[str, Any] = {"zone": zone}
    if is_manual or expression_from(given):
        try:
            task = candidate(given, stored, now)
            schedule = task.schedule
            ahead = occurrences_ahead(task, count=COUNT, now=now)
        except InvalidSchedule as exc:
            context["wrong"] = exc.message
        else:
            sentence = describe(schedule)
            context |= {
                "sentence": f"{sentence}." if sentence else "",
                "next": instant_texts([one.at for one in ahead], ZoneInfo(zone), now),
                "excluded": _excluded_texts(excluded_among(task, ahead, now=now), ZoneInfo(zone), now),
                "nothing": _why_nothing(task, now),
                "warnings": [*warnings_for(schedule, now=now), *_warnings(ahead)],
                "is_manual": is_manual,
            }
    return render_to_string("admin/django_scheduled_tasks/preview.html", context)


def candidate(given: Mapping[str, str], stored: ScheduledTask | None, now: datetime) -> ScheduledTask:
    """Return the task that the inputs make, not saved; what cannot be read (yet) counts as empty."""
    values: dict[str, Any] = {
        "schedule_kind": given.get("schedule_kind", ""),
        "expression": expression_from(given),
        "timezone": given.get("timezone") or "UTC",
    }
    task = copy.copy(stored) if stored is not None else ScheduledTask(created_at=now.replace(microsecond=0))
    for name, field in _READERS.items():
        with suppress(ValidationError):
            values[name] = field.clean(field.widget.value_from_datadict(given, {}, name))
    if (on_excluded := given.get("on_excluded", "")) in ON_EXCLUDED:
        values["on_excluded"] = on_excluded
    for name, value in values.items():
        setattr(task, name, value)
    task.enabled = bool(given.get("enabled")) or "name" not in given  # a tick box that is not ticked is not sent
    return task


def _excluded_texts(excluded: list[Excluded], zone: tzinfo, now: datetime) -> list[dict[str, str]]:
    """Return what calendars exclude: when, what is then, and where it moves to."""
    if not excluded:
        return []
    nominals = instant_texts([one.nominal for one in excluded], zone, now)
    found = []
    for one, text in zip(excluded, nominals, strict=True):
        moved = instant_texts([one.moved_to], zone, now)[0]["text"] if one.moved_to is not None else ""
        found.append({**text, "label": one.exclusion.label, "moved": moved})
    return found


def _why_nothing(task: ScheduledTask, now: datetime) -> str:
    """Return why nothing of *task* is due."""
    if not task.enabled:
        return _("It is switched off: nothing starts by schedule.")
    if task.is_paused(now):
        return _("It is paused: nothing starts by schedule until somebody resumes it.")
    if not task.runs_here:
        return _("Its schedule does not count in this environment.")
    if task.max_runs is not None and task.run_count >= task.max_runs:
        return _("It has had all its runs.")
    if task.calendars:
        return _("None of its dates ahead is allowed by its calendars.")
    return _("All its dates have passed.")


def _warnings(ahead: Sequence[Coming]) -> list[str]:
    held = sum(one.held for one in ahead)
    return [_("What is held starts at the end of the hold, if it is not too late then.")] if held else []


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
