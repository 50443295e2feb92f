"""The form of a calendar: its parts as lines of text, which the services read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.widgets import ZoneSelect, style_widgets, zone_choices
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.models import Calendar
from django_scheduled_tasks.schedules.calendars.definition import WEEKDAYS as DAY_NAMES
from django_scheduled_tasks.services.tasks.calendars.edit import checked

_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s*(?:–|-|to|/)\s*(\d{4}-\d{2}-\d{2}))?(?:[\s,;]+(.*))?")
_SHOWN = 60


class CalendarForm(forms.ModelForm):
    """What a calendar consists of."""

    zone = forms.ChoiceField(label=gettext_lazy("Time zone"), help_text=gettext_lazy("Whose days and clock."))
    weekdays = forms.MultipleChoiceField(
        label=gettext_lazy("Runs on"), required=False, widget=forms.CheckboxSelectMultiple
    )
    holidays = forms.CharField(
        label=gettext_lazy("Public holidays"),
        required=False,
        max_length=16,
        help_text=gettext_lazy("Of a country or a part of it, such as DE or DE-BE. Empty: of none."),
    )
    dates = forms.CharField(
        label=gettext_lazy("Closed on"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "cols": 50, "class": "dst-mono"}),
        help_text=gettext_lazy("One a line, such as 2027-12-24 or 2027-07-12 – 2027-07-16 stock-taking."),
    )
    windows = forms.CharField(
        label=gettext_lazy("Closed each week"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 50, "class": "dst-mono"}),
        help_text=gettext_lazy("One a line, such as Fri 18:00 – Mon 06:00."),
    )
    shown_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    """The version that was shown: of another one somebody else has made meanwhile nothing is overwritten."""

    class Meta:
        model = Calendar
        fields = ("name", "zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "zone" not in self.fields:
            return
        row = self.instance
        is_new = row._state.adding
        zone: Any = self.fields["zone"]
        zone.choices, zone.widget = zone_choices("" if is_new else row.zone), ZoneSelect()
        zone.widget.choices = zone.choices
        days: Any = self.fields["weekdays"]
        days.choices = [(name, str(WEEKDAYS[number])) for number, name in enumerate(DAY_NAMES)]
        self.initial.setdefault("zone", get_settings().time_zone)
        if is_new:
            self.initial["zone"] = get_settings().time_zone
        definition = row.definition or {}
        self.initial.update(
            {
                "weekdays": definition.get("weekdays", DAY_NAMES),
                "holidays": definition.get("holidays", ""),
                "dates": "\n".join(map(date_line, definition.get("dates", ()))),
                "windows": "\n".join(definition.get("windows", ())),
                "shown_version": None if is_new else row.version,
            }
        )
        if not is_new and "name" in self.fields:
            self.fields["name"].disabled = True
            self.fields["name"].help_text = _("Tasks name it so.")
        style_widgets(self)

    def clean(self) -> dict[str, Any]:
        """Read the parts; each error stands at its field."""
        found: dict[str, Any] = super().clean() or {}
        if "zone" not in self.fields or self.errors:
            return found
        version = found.get("shown_version")
        if not self.instance._state.adding and version is not None and version != self.instance.version:
            raise ValidationError(
                _("Not saved: this calendar was changed while the form was open. Open it again, then change it.")
            )
        lines = {name: _lines(found[name]) for name in ("dates", "windows")}
        try:
            dates = [_read_line(line) for line in lines["dates"]]
        except ValidationError as exc:
            self.add_error("dates", exc)
            return found
        given = {"weekdays": found["weekdays"], "holidays": found["holidays"]}
        given |= {"dates": dates, "windows": lines["windows"]}
        try:
            found["definition"] = checked(found["name"], found["zone"], given)
        except InvalidInput as exc:
            for error in exc.errors:
                self.add_error(error.field if error.field in self.fields else None, error.message)
        return found

    def _post_clean(self) -> None:
        """Check nothing more: the services do."""


def date_line(given: Mapping[str, str]) -> str:
    """Return one date or range as a line of the form."""
    span = given["from"] if given["from"] == given["to"] else f"{given['from']} – {given['to']}"
    return f"{span} {given.get('label', '')}".strip()


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_line(line: str) -> dict[str, str]:
    """Return what a line says; a date that there is not is refused by the services."""
    match = _DATES.fullmatch(line)
    if match is None:
        text = _('"%(line)s" is no date. Write it like 2027-12-24 or 2027-07-12 – 2027-07-16 stock-taking.')
        raise ValidationError(text % {"line": line[:_SHOWN]})
    return {"from": match[1], "to": match[2] or match[1], "label": match[3] or ""}
