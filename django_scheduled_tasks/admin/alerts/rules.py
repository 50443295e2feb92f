"""Who is told: the forms of rules and channels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.base import ScreenAdmin
from django_scheduled_tasks.admin.ui.widgets import DurationField
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import AlertRule, Channel, ChannelKind, RuleScope
from django_scheduled_tasks.services.alerts.channels import NotDelivered
from django_scheduled_tasks.services.alerts.channels.webhook import check_address
from django_scheduled_tasks.services.alerts.outbox import send_test
from django_scheduled_tasks.services.alerts.wording import KIND_NAMES

LEAST_REMINDER = timedelta(minutes=1)


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
        scope = found.get("scope")
        if scope == RuleScope.TAG and not found.get("tag"):
            self.add_error("tag", _("Which tag?"))
        if scope == RuleScope.TASK and not found.get("task"):
            self.add_error("task", _("Which task?"))
        for name in ("after", "closes_after"):
            if found.get(name) == 0:
                self.add_error(name, _("At least 1."))
        every = found.get("remind_every")
        if every is not None and every < LEAST_REMINDER:
            self.add_error("remind_every", _("At least a minute."))
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
    """Checks the address."""

    class Meta:
        model = Channel
        fields = ("name", "kind", "address", "secret_name", "enabled")

    def clean(self) -> dict[str, Any]:
        """Refuse what is no address of the kind."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("kind") == ChannelKind.WEBHOOK:
            try:
                check_address(found.get("address", ""))
            except NotDelivered as exc:
                self.add_error("address", str(exc))
        elif found.get("kind") == ChannelKind.MAIL:
            for address in filter(None, map(str.strip, found.get("address", "").split(","))):
                try:
                    forms.EmailField().clean(address)
                except forms.ValidationError as exc:
                    self.add_error("address", exc)
        return found


@admin.register(Channel)
class ChannelAdmin(ScreenAdmin):
    """Where notices go."""

    form = ChannelForm
    list_display = ("name", "kind", "enabled")
    actions = ("send_a_test",)

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
