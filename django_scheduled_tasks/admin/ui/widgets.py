"""Form fields and widgets: durations, functions, time zones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.base import IS_UNFOLD
from django_scheduled_tasks.models.limits import check_duration
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import timezone_names

UNITS = {
    1: gettext_lazy("seconds"),
    60: gettext_lazy("minutes"),
    3_600: gettext_lazy("hours"),
    86_400: gettext_lazy("days"),
    604_800: gettext_lazy("weeks"),
}
SEARCHABLE_ABOVE = 20
"""With more functions than this, the select can be searched."""

SELECTED = SafeString(" selected")


class DurationInput(forms.MultiWidget):
    """Two inputs for a duration: a number and its unit."""

    use_fieldset = True

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        number = forms.NumberInput(
            attrs={"min": 0, "step": "any", "class": "dst-number", "aria-label": gettext_lazy("Number")}
        )
        unit = forms.Select(choices=list(UNITS.items()), attrs={"aria-label": gettext_lazy("Unit")})
        super().__init__([number, unit], None if attrs is None else dict(attrs))

    def decompress(self, value: timedelta | None) -> list[Any]:
        """Return (number, unit), with the largest unit that divides the duration."""
        if value is None:
            return [None, 60]
        seconds = value.total_seconds()
        size = next((size for size in sorted(UNITS, reverse=True) if seconds and seconds % size == 0), 1)
        return [f"{seconds / size:g}", size]


class DurationField(forms.MultiValueField):
    """A ``timedelta``, entered as a number and a unit."""

    widget = DurationInput

    def __init__(self, **options: Any) -> None:
        options.pop("encoder", None)
        number = forms.FloatField(required=False, min_value=0)
        unit = forms.TypedChoiceField(choices=list(UNITS.items()), coerce=int, required=False)
        super().__init__([number, unit], require_all_fields=False, **options)

    def compress(self, values: list[Any]) -> timedelta | None:
        """Return the duration; None if no number was entered."""
        if not values or values[0] is None:
            return None
        try:
            found = timedelta(seconds=values[0] * (values[1] or 1))
        except OverflowError:
            raise ValidationError(_("This is too long.")) from None
        check_duration(found)
        return found


def style_widgets(form: forms.BaseForm) -> None:
    """Label date and time inputs for screen readers, and give all widgets unfold's CSS classes if it is installed."""
    for field in form.fields.values():
        if isinstance(field.widget, forms.SplitDateTimeWidget):
            for input_, name in zip(field.widget.widgets, (_("Date"), _("Time")), strict=True):
                input_.attrs["aria-label"] = f"{field.label}: {name}"
    if not IS_UNFOLD:
        return
    for field in form.fields.values():
        widget = field.widget
        for part in widget.widgets if isinstance(widget, forms.MultiWidget) else [widget]:
            classes = _unfold_classes(part)
            if classes and "unfold" not in type(part).__module__:
                part.attrs["class"] = f"{part.attrs.get('class', '')} {classes}".strip()


def _unfold_classes(widget: forms.Widget) -> str:
    from unfold import widgets as unfold_widgets  # noqa: PLC0415  (only where it is installed)

    found: Any = ()
    if isinstance(widget, forms.Textarea):
        found = unfold_widgets.TEXTAREA_CLASSES
    elif isinstance(widget, forms.RadioSelect):
        found = ()
    elif isinstance(widget, forms.Select):
        found = unfold_widgets.SELECT_CLASSES
    elif isinstance(widget, forms.CheckboxInput):
        found = unfold_widgets.CHECKBOX_CLASSES
    elif isinstance(widget, forms.widgets.Input):
        found = unfold_widgets.INPUT_CLASSES
    return " ".join(found)


def function_choices(present: str = "") -> list[tuple[str, Any]]:
    """Return the registered functions, grouped by app; *present* is added if it is no longer registered."""
    functions = registry.functions()
    choices: list[tuple[str, Any]] = [("", "—")]
    if present and present not in functions:
        choices.append((present, _("%(function)s (no longer in the code)") % {"function": present}))
    for app, members in groupby(functions.values(), key=lambda function: function.app_label):
        choices.append((app, [(member.name, member.name) for member in members]))
    return choices


class FunctionSelect(forms.Select):
    """A select of functions; a script adds a search field if there are many."""

    def __init__(self) -> None:
        label = gettext_lazy("Search the functions")
        super().__init__(attrs={"data-dst-filter": label} if len(registry.functions()) > SEARCHABLE_ABOVE else {})


class ZoneSelect(forms.Select):
    """A select of time zones. It writes its options at once: a template for each took half the time of the page."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """Return the element; *renderer* is not asked."""
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            ((key, SELECTED if key == value else "", text) for key, text in self.choices),
        )
        return format_html(
            "<select{}>\n{}\n</select>", flatatt({"name": name} | self.build_attrs(self.attrs, attrs)), options
        )


def zone_choices(present: str = "") -> list[tuple[str, str]]:
    """Return the names of all time zones."""
    names = {name for name in timezone_names() if not name.startswith(("Etc/", "SystemV/"))} | {"UTC"}
    return [(name, name) for name in sorted(names | ({present} if present else set()))]
