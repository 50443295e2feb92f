"""The form of an alert rule: about which tasks and kinds, who is told, and when."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_scheduled_tasks.admin.ui.widgets import DurationField, style_widgets
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import AlertRule, Channel, RuleScope, ScheduledTask, write_alias
from django_scheduled_tasks.services.alerts.edit_rules import rule_errors
from django_scheduled_tasks.services.alerts.telling.wording import KIND_NAMES
from django_scheduled_tasks.translation import say_number

MOST_READ = 10_000
"""The tags of so many tasks are offered."""
MOST_TAGS = 200
_KINDS = [(str(kind), KIND_NAMES[kind]) for kind in Kind]


class TagInput(forms.TextInput):
    """A text with suggestions: the tags that tasks have, each with the number of its tasks."""

    template_name = "admin/django_scheduled_tasks/alert/tag_input.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Add the suggestions, by a list of the page."""
        context: dict[str, Any] = super().get_context(name, value, {**(attrs or {}), "list": "dst-tags"})
        context["tags"] = [(tag, _tasks(count)) for tag, count in tags_in_use()]
        return context


class AlertRuleForm(forms.ModelForm):
    """Checks what a rule needs."""

    kinds = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Kinds"),
        choices=_KINDS,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one kind.")},
        help_text=gettext_lazy("Too long: over the task's longest run time, else 3 times its usual one."),
    )
    margin = DurationField(
        label=gettext_lazy("Late after"), required=False, help_text=AlertRule._meta.get_field("margin").help_text
    )
    remind_every = DurationField(
        label=gettext_lazy("Remind every"),
        required=False,
        help_text=AlertRule._meta.get_field("remind_every").help_text,
    )
    channels = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Channels"),
        queryset=Channel.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one channel, or nobody is told.")},
    )
    tell_at_once = forms.TypedMultipleChoiceField(
        label=gettext_lazy("But tell at once"),
        choices=_KINDS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=AlertRule._meta.get_field("tell_at_once").help_text,
    )

    class Meta:
        model = AlertRule
        fields = (
            *("name", "enabled", "scope", "tag", "task", "kinds", "after", "closes_after", "margin"),
            *("channels", "remind_every", "quiet_from", "quiet_until", "tell_at_once"),
        )
        widgets = {"tag": TagInput, "scope": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "scope" not in self.fields:  # a user with view permission only
            return
        count = ScheduledTask.objects.using(write_alias()).count()
        labels = {
            RuleScope.ALL: _("All %(count)s") % {"count": say_number(count)},
            RuleScope.TAG: _("With tag"),
            RuleScope.TASK: _("This one"),
        }
        scope: Any = self.fields["scope"]
        scope.choices = [(str(one), labels[one]) for one in RuleScope]
        channels: Any = self.fields["channels"]
        channels.queryset = Channel.objects.using(write_alias()).order_by("name")
        style_widgets(self)

    def clean(self) -> dict[str, Any]:
        """Require what the scope is about, and hours that are some."""
        found: dict[str, Any] = super().clean() or {}
        for error in rule_errors(found):
            if error.field in self.fields and not self.has_error(error.field):
                self.add_error(error.field, error.message)
        if self.is_asked_only:
            self.add_error(None, _("Not saved: below is what it would have told."))
        return found

    @property
    def is_asked_only(self) -> bool:
        """Whether the form was sent to see what it would have told, and not to be saved."""
        return "_count" in self.data


def tags_in_use() -> list[tuple[str, int]]:
    """Return the tags of tasks and how many have each, the most frequent first; one statement."""
    rows = ScheduledTask.objects.using(write_alias()).exclude(tags=[]).values_list("tags", flat=True)
    found = Counter(tag for tags in rows[:MOST_READ] for tag in tags)
    return found.most_common(MOST_TAGS)


def unknown_tag(rule: AlertRule, rows: QuerySet[ScheduledTask]) -> str:
    """Return a warning if no task has the tag of *rule*; *rows*: those that have."""
    if rule.scope != RuleScope.TAG or rows.exists():
        return ""
    return _("No task has the tag “%(tag)s”.") % {"tag": rule.tag}


def channels_help(lines: list[str], url: str) -> SafeString:
    """Return which channels do not answer, and where one is added."""
    link = format_html('<a href="{}">{}</a>', url, _("Add channel")) if url else ""
    return format_html_join(" ", "{}", ((part,) for part in (*lines, link) if part))


def _tasks(count: int) -> str:
    return ngettext("%(count)s task", "%(count)s tasks", count) % {"count": say_number(count)}
