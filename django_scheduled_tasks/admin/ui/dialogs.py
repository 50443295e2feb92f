"""The forms of the pages that ask something: Run once, Hold and Pause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.text.instants import InstantField
from django_scheduled_tasks.admin.ui.widgets import style_widgets
from django_scheduled_tasks.exceptions import InvalidInput, ScheduledTasksError
from django_scheduled_tasks.lifecycle import Overlap, Replay
from django_scheduled_tasks.models import HoldScope, ScheduledTask, read_now


class StyledForm(forms.Form):
    """A form whose widgets match the installed admin theme."""

    called: Mapping[str, str] = {}
    """The fields of this form for those that services call otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        style_widgets(self)

    def show(self, error: ScheduledTasksError) -> None:
        """Show what the service says at the fields of this form, or above it."""
        if not isinstance(error, InvalidInput):
            self.add_error(None, error_text(error))
            return
        for wrong in error.errors:
            name = self.called.get(wrong.field, wrong.field)
            text = wrong.message if name in self.fields else f"{wrong.field}: {wrong.message}"
            self.add_error(name if name in self.fields else None, ValidationError(text, code=wrong.code))


class RunOnceForm(StyledForm):
    """The form of Run once, beside the parameters."""

    overlap = forms.ChoiceField(
        label=gettext_lazy("When"),
        required=False,
        widget=forms.RadioSelect,
        choices=[
            (str(Overlap.QUEUE_ONE), gettext_lazy("Start when it has finished")),
            (str(Overlap.ALLOW), gettext_lazy("Start now as well")),
        ],
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (optional)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    not_before = InstantField(
        label=gettext_lazy("Not before (optional)"),
        required=False,
        widget=AdminSplitDateTime,
        help_text=gettext_lazy("Empty: now. It waits until then, also if the task is paused."),
    )

    def offer_only(self, overlap: str) -> None:
        """Offer only the task's own overlap policy, to a user who may not override it."""
        field: Any = self.fields["overlap"]
        field.widget.choices = [choice for choice in field.choices if choice[0] == overlap]


class HoldForm(StyledForm):
    """The form of Hold: what, why, and until when.

    Args:
        task: What is held; None: the form asks.
        is_change: Whether it is about a hold that lasts, so that it does not ask what is held.
    """

    called = {"tag": "name", "queue": "name"}
    scope = forms.ChoiceField(
        label=gettext_lazy("What?"),
        widget=forms.RadioSelect,
        initial=str(HoldScope.ALL),
        choices=[
            (str(HoldScope.ALL), gettext_lazy("Everything")),
            (str(HoldScope.TAG), gettext_lazy("A tag")),
            (str(HoldScope.QUEUE), gettext_lazy("A queue")),
        ],
    )
    name = forms.CharField(
        label=gettext_lazy("Which tag or queue?"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why? (shown on every page)"),
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    until = InstantField(label=gettext_lazy("Until?"), required=False, widget=AdminSplitDateTime)

    def __init__(self, *args: Any, task: ScheduledTask | None = None, is_change: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task = task
        if task is not None or is_change:
            del self.fields["scope"], self.fields["name"]

    def what(self) -> dict[str, Any]:
        """Return what is held, as the service takes it."""
        if self.task is not None:
            return {"scope": HoldScope.TASK, "task": self.task}
        scope = HoldScope(self.cleaned_data["scope"])
        return {"scope": scope} | ({} if scope == HoldScope.ALL else {str(scope): self.cleaned_data["name"].strip()})

    def why(self) -> dict[str, Any]:
        """Return why and until when, as the service takes it."""
        return {"reason": self.cleaned_data["reason"], "until": self.cleaned_data["until"]}


class ResumeForm(StyledForm):
    """The form of Resume: what becomes of the runs that were due meanwhile, and why."""

    replay = forms.ChoiceField(
        choices=[(str(item), str(item)) for item in Replay], initial=str(Replay.FROM_NOW), required=False
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (optional)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class PauseForm(StyledForm):
    """The form of Pause: why and until when, both optional."""

    reason = forms.CharField(
        label=gettext_lazy("Why? (shown on the list)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    until = InstantField(label=gettext_lazy("Until?"), required=False, widget=AdminSplitDateTime)

    def clean_until(self) -> Any:
        """Refuse an instant in the past."""
        until = self.cleaned_data["until"]
        if until is not None and until <= read_now():
            raise ValidationError(_("This is in the past."))
        return until
