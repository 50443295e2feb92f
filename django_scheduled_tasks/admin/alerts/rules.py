"""Who is told: the forms of rules and channels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.base import ScreenAdmin
from django_scheduled_tasks.admin.ui.widgets import DurationField
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.models import AlertRule, Channel
from django_scheduled_tasks.services.alerts.edit_rules import channel_choices, channel_errors, rule_errors
from django_scheduled_tasks.services.alerts.outbox import send_test
from django_scheduled_tasks.services.alerts.wording import KIND_NAMES


class AlertRuleForm(forms.ModelForm):
    """Checks what a rule needs."""

    kinds = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Kinds"),
        choices=[(str(kind), KIND_NAMES[kind]) for kind in Kind],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one kind.")},
    )
    remind_every = DurationField(
        label=gettext_lazy("Remind every"),
        required=False,
        help_text=AlertRule._meta.get_field("remind_every").help_text,
    )

    class Meta:
        model = AlertRule
        fields = (
            "name",
            "enabled",
            "scope",
            "tag",
            "task",
            "kinds",
            "after",
            "closes_after",
            "remind_every",
            "channels",
        )

    def clean(self) -> dict[str, Any]:
        """Require what the scope is about."""
        found: dict[str, Any] = super().clean() or {}
        for error in rule_errors(found):
            if error.field in self.fields and not self.has_error(error.field):
                self.add_error(error.field, error.message)
        return found


@admin.register(AlertRule)
class AlertRuleAdmin(ScreenAdmin):
    """Who is told of which alerts."""

    form = AlertRuleForm
    list_display = ("name", "enabled", "scope", "told_kinds")
    autocomplete_fields = ("task",)
    filter_horizontal = ("channels",)

    @admin.display(description=gettext_lazy("kinds"))
    def told_kinds(self, row: AlertRule) -> str:
        """Return the kinds in words."""
        return ", ".join(str(KIND_NAMES[Kind(kind)]) for kind in row.kinds if kind in set(Kind))


class ChannelForm(forms.ModelForm):
    """Checks what the kind needs."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=channel_choices)

    class Meta:
        model = Channel
        fields = ("name", "kind", "address", "secret_name", "enabled")

    def clean(self) -> dict[str, Any]:
        """Refuse what the kind cannot be with."""
        found: dict[str, Any] = super().clean() or {}
        for error in channel_errors(found):
            if error.field in self.fields and not self.has_error(error.field):
                self.add_error(error.field, error.message)
        return found


@admin.register(Channel)
class ChannelAdmin(ScreenAdmin):
    """Where notices go."""

    form = ChannelForm
    list_display = ("name", "kind_name", "enabled")
    actions = ("send_a_test",)

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def kind_name(self, row: Channel) -> str:
        """Return what people call its kind."""
        return dict(channel_choices()).get(row.kind, row.kind)

    @admin.action(description=gettext_lazy("Send a test"), permissions=["change"])
    def send_a_test(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        """Send a test by each, and say what it answered."""
        for row in queryset[:10]:
            if not self.has_change_permission(request, row):
                continue
            try:
                messages.success(request, f"{row.name}: {send_test(row)}")
            except NotDelivered as exc:
                messages.error(request, f"{row.name}: {exc}")
