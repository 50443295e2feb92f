"""Who is told: the forms of rules and channels."""

from __future__ import annotations

from functools import cache
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.alerts.card import card_from, card_of
from django_scheduled_tasks.admin.alerts.recorded import RecordedMixin
from django_scheduled_tasks.admin.alerts.rules.form import AlertRuleForm, channels_help, unknown_tag
from django_scheduled_tasks.admin.alerts.rules.trying import ChannelTestMixin
from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.ui.base import THEME, ScreenAdmin
from django_scheduled_tasks.admin.ui.html import instant_text, page_url
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import AlertRule, Channel, RuleScope, ScheduledTask, write_alias
from django_scheduled_tasks.services.alerts.edit_rules import channel_choices, channel_errors
from django_scheduled_tasks.services.alerts.telling.dead import dead_channels
from django_scheduled_tasks.services.alerts.telling.wording import KIND_NAMES
from django_scheduled_tasks.services.queries.holds import has_tag


@admin.register(AlertRule)
class AlertRuleAdmin(RecordedMixin):
    """Who is told of which alerts."""

    form = AlertRuleForm
    change_list_template = "admin/django_scheduled_tasks/alerting_list.html"
    change_form_template = "admin/django_scheduled_tasks/alert/rule_form.html"
    list_display = ("name", "enabled", "about", "told_kinds", "told_channels")
    list_per_page = 100
    autocomplete_fields = ("task",)
    fieldsets = (
        (
            gettext_lazy("What"),
            {"fields": ("name", "enabled", "scope", "tag", "task", "kinds", ("after", "closes_after"), "margin")},
        ),
        (
            gettext_lazy("Who and when"),
            {"fields": ("channels", "remind_every", ("quiet_from", "quiet_until"), "tell_at_once")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRule]:
        """Read task and channels of all rows at once."""
        rows: QuerySet[AlertRule] = super().get_queryset(request)
        return rows.select_related("task").prefetch_related("channels")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return a form class that says which channels do not answer, and where one is added."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if "channels" in form.base_fields:
            other = self.admin_site._registry.get(Channel)
            may_add = other is not None and other.has_add_permission(request)
            url = page_url(self.admin_site, "channel_add") if may_add else ""
            dead = [channel.sentence for channel in dead_channels()]
            form.base_fields["channels"].help_text = channels_help(dead, url)
        return form

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list under its own name."""
        return super().changelist_view(request, list_context(self, request) | (extra_context or {}))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Add where a test is sent from."""
        health_of(request, self.admin_site)
        url = page_url(self.admin_site, "channel_test")
        other = self.admin_site._registry.get(Channel)
        if not url or other is None or not other.has_change_permission(request):
            url = ""
        number = read_number(object_id) if object_id else None
        rule = self.get_object(request, object_id) if object_id else AlertRule()
        context = {**THEME, "dst_test_url": f"{url}?rule={number}" if url and number is not None else ""}
        card_url = page_url(self.admin_site, "alertrule_card")
        if rule is not None and card_url and self._may_ask(request, rule if object_id else None):
            # Asked when the form is drawn: a form that is saved has no card.
            card = cache(lambda: _first_card(request, rule if object_id else None))
            context |= {"dst_card": card, "dst_card_url": card_url, "dst_declared": rule.declared}
        return super().changeform_view(request, object_id, form_url, context | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        """Add the card that htmx loads."""
        return [self.part_path("card/", self.card_view, "card"), *super().get_urls()]

    def card_view(self, request: HttpRequest) -> HttpResponse:
        """Return what the rule in the form would have told."""
        if not self._may_ask(request, None):
            raise PermissionDenied
        return HttpResponse(card_from(request.GET, request.user))

    def _may_ask(self, request: HttpRequest, rule: AlertRule | None) -> bool:
        """Whether the user may look at rules, or at this one: the card says no more than the ledger does."""
        return self.has_view_permission(request, rule) or self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        """Save, and warn of a tag that no task has."""
        super().save_model(request, obj, form, change)
        tagged = ScheduledTask.objects.using(write_alias()).filter(has_tag(obj.tag))
        if warning := unknown_tag(obj, tagged):
            messages.warning(request, warning)

    @admin.display(description=gettext_lazy("tasks"))
    def about(self, row: AlertRule) -> str:
        """Return about which tasks it is."""
        if row.scope == RuleScope.TAG:
            return _("With tag %(tag)s") % {"tag": row.tag}
        return str(row.task) if row.scope == RuleScope.TASK else _("All")

    @admin.display(description=gettext_lazy("kinds"))
    def told_kinds(self, row: AlertRule) -> str:
        """Return the kinds in words."""
        return ", ".join(str(KIND_NAMES[Kind(kind)]) for kind in row.kinds if kind in set(Kind))

    @admin.display(description=gettext_lazy("channels"))
    def told_channels(self, row: AlertRule) -> str:
        """Return the names of the channels."""
        return ", ".join(channel.name for channel in row.channels.all()) or _("Nobody")


def _first_card(request: HttpRequest, rule: AlertRule | None) -> SafeString:
    """Return the card as the form is first drawn; *rule*: that which is changed."""
    if request.method == "POST":
        return card_from(request.POST, request.user)
    if rule is not None:
        return card_of(rule, request.user)
    given = request.GET.dict() | {"kinds": request.GET.getlist("kinds")}  # what the address of an empty form fills in
    return card_from({"scope": "all", "after": "1", "closes_after": "1"} | given, request.user)


class ChannelForm(forms.ModelForm):
    """Checks what the kind needs."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=channel_choices)

    class Meta:
        model = Channel
        fields = ("name", "kind", "address", "secret_name", "report", "enabled")

    def clean(self) -> dict[str, Any]:
        """Refuse what the kind cannot be with."""
        found: dict[str, Any] = super().clean() or {}
        for error in channel_errors(found):
            if error.field in self.fields and not self.has_error(error.field):
                self.add_error(error.field, error.message)
        return found


@admin.register(Channel)
class ChannelAdmin(RecordedMixin, ChannelTestMixin):
    """Where notices go."""

    form = ChannelForm
    change_list_template = "admin/django_scheduled_tasks/alerting_list.html"
    change_form_template = "admin/django_scheduled_tasks/alerting_form.html"
    list_display = ("name", "kind_name", "enabled", "answers")
    actions = ("send_a_test",)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that sends tests."""
        return [self.page_path("test/", self.test_view, "test"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list under its own name."""
        return super().changelist_view(request, list_context(self, request) | (extra_context or {}))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Have the health of the installation at hand."""
        health_of(request, self.admin_site)
        return super().changeform_view(request, object_id, form_url, THEME | (extra_context or {}))

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def kind_name(self, row: Channel) -> str:
        """Return what people call its kind."""
        return dict(channel_choices()).get(row.kind, row.kind)

    @admin.display(description=gettext_lazy("answers"))
    def answers(self, row: Channel) -> SafeString | str:
        """Return since when it does not answer, and what it said last."""
        if not row.enabled:
            return "—"
        if row.failing_since is None:
            return _("Yes")
        said = _("Not since %(instant)s") % {"instant": instant_text(row.failing_since)}
        return format_html('<span class="dst-warning">{}</span> {}', said, row.last_answer)


def list_context(model_admin: ScreenAdmin, request: HttpRequest) -> dict[str, Any]:
    """Return the context of a plain list of ours: its title; the health of the installation is then at hand."""
    health_of(request, model_admin.admin_site)
    return {"title": capfirst(model_admin.opts.verbose_name_plural), **THEME}
