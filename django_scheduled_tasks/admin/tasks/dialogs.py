"""The forms of the pages that ask something: Run once and Pause."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.instants import InstantField
from django_scheduled_tasks.admin.ui.widgets import style_widgets
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import read_now


class StyledForm(forms.Form):
    """A form whose widgets match the installed admin theme."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        style_widgets(self)


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

    def offer_only(self, overlap: str) -> None:
        """Offer only the task's own overlap policy, to a user who may not override it."""
        field: Any = self.fields["overlap"]
        field.widget.choices = [choice for choice in field.choices if choice[0] == overlap]


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
