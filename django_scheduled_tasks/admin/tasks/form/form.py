"""The form of a task. The services validate; the form shows what they say."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.tasks.form.limits import LimitsWidget, describe_fields
from django_scheduled_tasks.admin.tasks.form.parameters import ParametersForm, ParametersWidget
from django_scheduled_tasks.admin.tasks.page.compare import BACK, KEEP
from django_scheduled_tasks.admin.tasks.page.conflict import Conflict, conflicts_in
from django_scheduled_tasks.admin.tasks.page.preview import PreviewWidget
from django_scheduled_tasks.admin.ui.errors import column_label
from django_scheduled_tasks.admin.ui.html import task_url
from django_scheduled_tasks.admin.ui.text.values import CATCH_UPS, KINDS, LOG_LEVELS, ON_EXCLUDED, OVERLAPS, WORKER_LOST
from django_scheduled_tasks.admin.ui.text.words import WordsField
from django_scheduled_tasks.admin.ui.widgets import (
    DurationField,
    FunctionSelect,
    ZoneSelect,
    function_choices,
    style_widgets,
    zone_choices,
)
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidSchedule, InvalidTask
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Calendar, Execution, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import Dates, format_duration, parse_duration, parse_timezone, schedule_kinds
from django_scheduled_tasks.services.tasks.edit import is_same
from django_scheduled_tasks.services.tasks.validation import validate

EXAMPLES = ("*/15 * * * *", "0 3 * * *", "0 3 * * 1-5", "0 8 * * 1", "30 2 1 * *", "0 18 L * *", "@daily")
"""Cron expressions that the form offers."""
MOST_CALENDARS_NAMED = 20
LOOKED_AT = 50
"""Of so many of the newest executions the form names the exceptions."""
INPUTS = {"cron": "cron", "interval": "every", "dates": "dates"}
"""The field for the expression of each kind of schedule; for all other kinds it is ``other``."""
DURATIONS = (
    *("spread", "grace", "timeout", "max_runtime", "must_succeed_every", "expires_after"),
    *("min_backoff", "max_backoff", "max_age", "keep_for"),
)


class ScheduledTaskForm(forms.ModelForm):
    """The form of a task. It asks the services whether the task is valid, and shows all errors at their fields."""

    site: AdminSite = admin.site
    """The admin site whose URLs the preview and the parameters are loaded from."""
    conflicts: Sequence[Conflict] = ()
    """The fields that were changed while the form was open."""
    schedule_kind = forms.ChoiceField(label=gettext_lazy("Repeat"), widget=forms.RadioSelect)
    cron = forms.CharField(
        label=gettext_lazy("Cron"),
        required=False,
        widget=forms.TextInput(
            attrs={"class": "dst-mono vTextField", "list": "dst-examples", "spellcheck": "false", "autocomplete": "off"}
        ),
        help_text=gettext_lazy("Minute, hour, day, month, weekday."),
    )
    every = DurationField(label=gettext_lazy("Every"), required=False)
    dates = forms.CharField(
        label=gettext_lazy("Dates"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "class": "dst-mono"}),
        help_text=gettext_lazy("One a line, such as 2026-12-24 18:00, in the time zone of the task."),
    )
    other = forms.CharField(
        label=gettext_lazy("Expression"),
        required=False,
        help_text=gettext_lazy(
            "Weeks on a weekday: 2w mon 09:00. Working day of the month: last 17:00, 3 09:00, -2 17:00 holidays=DE-BE."
        ),
    )
    preview = forms.CharField(label=gettext_lazy("Preview"), required=False)
    limits = forms.CharField(label=gettext_lazy("In words"), required=False)

    class Meta:
        model = ScheduledTask
        exclude = ("expression",)  # noqa: DJ006  (the model says once which fields are editable)
        widgets = {
            name: forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}) for name in ("description", "runbook")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "function" not in self.fields:  # a user with view permission only
            return
        task = self.instance
        self.stored: ScheduledTask = copy.copy(task)
        """The task as it is stored, whatever the form says."""
        for name in DURATIONS:
            field = self.fields[name]
            self.fields[name] = DurationField(**_kept_options(field))
        self.fields["environments"] = WordsField(**_kept_options(self.fields["environments"]))
        self.fields["tags"] = WordsField(
            **_kept_options(self.fields["tags"])
            | {"help_text": _("Words with commas between them, such as mail, night.")}
        )
        if "calendars" in self.fields:
            self._make_calendars()
        self.fields["retry_on"] = WordsField(**_kept_options(self.fields["retry_on"]) | {"help_text": retry_help(task)})
        self._make_choice("function", function_choices(task.function), FunctionSelect())
        self._make_choice("timezone", zone_choices(task.timezone), ZoneSelect())
        self.fields["timezone"].help_text = format_html(
            '<span id="dst-own-zone" data-text="{}" hidden></span>', _("Your own time zone is %s.")
        )
        kinds = {name: KINDS.get(name, name) for name in (*KINDS, *schedule_kinds()) if name in schedule_kinds()}
        self._make_choice("schedule_kind", list(kinds.items()), forms.RadioSelect())
        self._make_choice("overlap", list(OVERLAPS.items()))
        self._make_choice("catch_up", list(CATCH_UPS.items()))
        self._make_choice("on_worker_lost", list(WORKER_LOST.items()))
        self._make_choice("log_level", list(LOG_LEVELS.items()))
        describe_fields(self)
        self.fields["limits"].widget = LimitsWidget(self)
        if task._state.adding:
            given = kwargs.get("initial") or {}
            self.initial["timezone"] = given.get("timezone") or get_settings().time_zone
            self.initial["schedule_kind"] = given.get("schedule_kind") or "cron"
            self._fill_expression(self.initial["schedule_kind"], given.get("expression", ""), self.initial["timezone"])
        else:
            self._fill_expression(task.schedule_kind, task.expression, task.timezone)
        function = self._given("function")
        data = self.data if self.is_bound else None
        is_same = function == task.function  # another function does not get the values of this one
        known = task.secret_params if is_same else None
        params = task.params if is_same else {}
        if task._state.adding and isinstance(cloned := self.initial.get("params"), dict):
            params = cloned
        self.parameters = ParametersForm(function, params, known=known, data=data)
        self.fields["params"] = forms.Field(
            label=gettext_lazy("Values"),
            required=False,
            widget=ParametersWidget(self.parameters, self._url("parameters")),
        )
        self.fields["preview"].widget = PreviewWidget(self, self._url("preview"))
        self.fields["enabled"].help_text = _('Clear this to stop the schedule. "Run once" still works.')
        self.fields["function"].help_text = function_text(function)
        style_widgets(self)

    def _url(self, part: str) -> str:
        """Return the URL of a part of this form; for a task that exists it names the task, for object permissions."""
        task = self.instance
        return task_url(self.site, part) if task._state.adding else task_url(self.site, f"{part}_of", task.pk)

    def _given(self, name: str) -> str:
        bound = self.data.get(self.add_prefix(name)) if self.is_bound else None
        return str(bound if bound is not None else self.initial.get(name) or "")

    def _make_choice(self, name: str, choices: list[Any], widget: forms.Widget | None = None) -> None:
        """Replace a text field by a select."""
        kept = _kept_options(self.fields[name])
        self.fields[name] = forms.ChoiceField(choices=choices, widget=widget or forms.Select(), **kept)

    def _make_calendars(self) -> None:
        kept = _kept_options(self.fields["calendars"])
        self.fields["calendars"] = WordsField(**kept | {"help_text": calendars_help()})
        self._make_choice("on_excluded", list(ON_EXCLUDED.items()))
        self.fields["on_excluded"].required = False

    def _fill_expression(self, kind: str, expression: str, zone: str) -> None:
        name = INPUTS.get(kind, "other")
        if not expression:
            return
        self.initial[name] = expression
        if name == "dates":
            with suppress(InvalidSchedule):
                self.initial[name] = "\n".join(_dates(expression, zone).wall_texts())
        if name == "every":
            try:
                self.initial[name] = parse_duration(expression)
            except InvalidSchedule:
                self.initial[name] = None

    @property
    def expression_input(self) -> str:
        """The name of the field for the expression of the chosen kind."""
        return INPUTS.get(self._given("schedule_kind"), "other")

    def expression(self) -> str:
        """Return the entered expression."""
        kind = self.cleaned_data.get("schedule_kind")
        if kind == "manual":
            return ""
        value = self.cleaned_data.get(self.expression_input)
        if kind == "interval":
            return format_duration(value) if value else ""
        text = str(value or "").strip()
        if kind == "dates":
            with suppress(InvalidSchedule):  # else what validates it says what is wrong
                return _dates(text, self.cleaned_data.get("timezone", "")).expression
        return text

    def clean(self) -> dict[str, Any]:
        """Add the expression and the parameters to the cleaned data."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "function" in self.fields:
            cleaned["expression"] = self.expression()
            if "on_excluded" in self.fields:
                cleaned["on_excluded"] = cleaned.get("on_excluded") or self.instance.on_excluded
            if self.instance._state.adding and not self.parameters.is_bound:
                cleaned["params"] = {}  # the page was drawn before a function was chosen
            elif self.parameters.is_valid():
                cleaned["params"] = self.parameters.values()
            else:
                self.add_error("params", _("Please correct the values below."))
            self.conflicts = conflicts_in(self, cleaned)
            if not {BACK, KEEP}.isdisjoint(self.data):
                self.conflicts = ()
                self.add_error(None, _("Not saved yet."))
            if self.conflicts:
                self.add_error(
                    None, _("Not saved: this task was changed while the form was open. See what differs below.")
                )
        return cleaned

    def values(self) -> dict[str, Any]:
        """Return the cleaned values of the task's columns."""
        names = {field.name for field in ScheduledTask._meta.concrete_fields}
        return {name: value for name, value in self.cleaned_data.items() if name in names}

    @property
    def changed_data(self) -> list[str]:
        """The inputs whose columns would get another value: Django's log of the admin names them.

        Django compares inputs with what they first showed, which durations and parameters do not tell.
        """
        if self.instance._state.adding or not hasattr(self, "cleaned_data"):
            return list(super().changed_data)
        inputs = {"expression": self.expression_input}
        return [
            inputs.get(name, name)
            for name in self.values()
            if not is_same(name, getattr(self.stored, name), getattr(self.instance, name))
        ]

    def _post_clean(self) -> None:
        """Validate with the services instead of the model; also after other errors, so that all are shown at once."""
        task = self.instance
        kept = {field.attname: getattr(task, field.attname) for field in ScheduledTask._meta.concrete_fields}
        given = self.values()
        if "function" in self.fields and "params" not in given:  # some cannot be read: what is wrong with the others?
            self.parameters.unreadable = frozenset(self.parameters.errors)
            given["params"] = self.parameters.values()
        candidate = ScheduledTask(**kept | given)
        candidate.created_at = candidate.created_at or read_now()
        candidate.updated_at = candidate.updated_at or candidate.created_at
        try:
            validate(candidate)
        except InvalidTask as exc:
            for wrong in exc.errors:
                self._show(wrong.field, wrong.message, wrong.code)
        for name in self.values():
            setattr(task, name, getattr(candidate, name))

    def _show(self, field: str, message: str, code: str) -> None:
        first, _dot, rest = field.partition(".")
        text = f"{rest}: {message}" if rest else message
        if first == "params" and rest and self.parameters.is_bound:
            self.parameters.add_parameter_error(rest, message)
            text = _("Please correct the values below.")
        name = {"expression": self.expression_input}.get(first, first)
        if name == "function" and code == FunctionNotRegistered.code:
            text = _("%(function)s is no longer in the code. This task is not running.") % {
                "function": self._given("function")
            }
        if name in self.fields and name in self.errors:
            return  # the form already shows an error at this field
        if name in self.fields:
            self.add_error(name, ValidationError(text, code=code))
        else:
            self.add_error(None, ValidationError(f"{column_label(first)}: {text}", code=code))


def _dates(text: str, timezone: str) -> Dates:
    return Dates.parse(text, timezone=parse_timezone(timezone), anchor=None)


def _kept_options(field: forms.Field) -> dict[str, Any]:
    """Return the options that a replacement of *field* keeps; ``initial`` is the model's default."""
    return {name: getattr(field, name) for name in ("label", "help_text", "required", "initial")}


def calendars_help() -> str:
    """Return what can be entered as calendars; one statement."""
    names = list(Calendar.objects.using(write_alias()).values_list("name", flat=True)[:MOST_CALENDARS_NAMED])
    text = _("It does not run on the days and at the hours that they exclude.")
    known = _("Known: %(names)s.") % {"names": ", ".join(names)} if names else _("There is no calendar yet.")
    return f"{text} {known}"


def retry_help(task: ScheduledTask) -> str:
    """Return what can be entered as exceptions that are retried, and those that the task raised lately."""
    text = _(
        "Exceptions, such as ConnectionError, requests.exceptions.Timeout; those derived from them too. Empty: all."
    )
    if task._state.adding:
        return text
    rows = Execution.objects.of_task(task.pk).values_list("outcome", "error_type")[:LOOKED_AT]
    found = dict.fromkeys(kind for outcome, kind in rows if outcome == Outcome.FAILED and kind)
    lately = _("Lately: %(names)s.") % {"names": ", ".join(found)}
    return f"{text} {lately}" if found else text


def function_text(function: str, *, attributes: str = "") -> SafeString:
    """Return the first line of a function's docstring, in an element that is replaced when the function changes."""
    text = registry.get(function).description if function in registry.functions() else ""
    return format_html('<span id="dst-function-text"{}>{}</span>', SafeString(attributes), text)  # nosec  (a constant)
