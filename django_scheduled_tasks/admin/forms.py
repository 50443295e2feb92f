"""The form of a task; its rules are the services'."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidTask
from django_scheduled_tasks.lifecycle import CatchUp, OnWorkerLost, Overlap
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import schedule_kinds
from django_scheduled_tasks.services.validation import validate

KINDS = {
    "cron": _("Cron expression"),
    "interval": _("Every …"),
    "dates": _("At dates"),
    "manual": _("Only when someone runs it"),
}
OVERLAPS = {
    Overlap.SKIP: _("Skip the new one"),
    Overlap.QUEUE_ONE: _("Keep one waiting"),
    Overlap.QUEUE_ALL: _("Let all wait, one at a time"),
    Overlap.CANCEL_RUNNING: _("Stop the one that runs"),
    Overlap.ALLOW: _("Run side by side"),
}
CATCH_UPS = {
    CatchUp.LATEST: _("Start the newest"),
    CatchUp.ALL: _("Start all, oldest first"),
    CatchUp.NONE: _("Start none"),
}
WORKER_LOST = {OnWorkerLost.FAIL: _("It ends"), OnWorkerLost.RETRY: _("Try again")}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class ScheduledTaskForm(forms.ModelForm):
    """Asks the services whether a task is valid, and shows what they say at the fields, all at once."""

    class Meta:
        model = ScheduledTask
        exclude = ("retry_on",)  # noqa: DJ006  (what may be edited is said once, by the model)
        widgets = {"expression": forms.TextInput(attrs={"size": 40}), "description": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choices("function", {name: name for name in registry.functions()})
        self._choices("schedule_kind", {name: KINDS.get(name, name) for name in schedule_kinds()})
        self._choices("overlap", {str(key): label for key, label in OVERLAPS.items()})
        self._choices("catch_up", {str(key): label for key, label in CATCH_UPS.items()})
        self._choices("on_worker_lost", {str(key): label for key, label in WORKER_LOST.items()})
        self._choices("log_level", {level: level for level in LEVELS})
        if self.instance._state.adding and "timezone" in self.fields:
            self.initial.setdefault("timezone", get_settings().time_zone)

    def _choices(self, name: str, choices: dict[str, Any]) -> None:
        """Make a select of a text field; what is stored but not offered any more stays selected."""
        if name not in self.fields:
            return
        field = self.fields[name]
        present = getattr(self.instance, name, "")
        if present and present not in choices:
            choices = {present: _("%(value)s (no longer in the code)") % {"value": present}} | choices
        self.fields[name] = forms.ChoiceField(
            label=field.label, help_text=field.help_text, required=field.required, choices=list(choices.items())
        )

    def _post_clean(self) -> None:
        """Fill the instance as usual, then ask the services instead of the model."""
        self.instance = forms.models.construct_instance(self, self.instance, self._meta.fields, self._meta.exclude)
        if self.errors:
            return
        task = ScheduledTask(
            **{f.attname: getattr(self.instance, f.attname) for f in ScheduledTask._meta.concrete_fields}
        )
        task.created_at = task.created_at or read_now()
        try:
            validate(task)
        except InvalidTask as exc:
            for wrong in exc.errors:
                name, _dot, rest = wrong.field.partition(".")
                message = f"{rest}: {wrong.message}" if rest else wrong.message
                self.add_error(name if name in self.fields else None, ValidationError(message, code=wrong.code))
