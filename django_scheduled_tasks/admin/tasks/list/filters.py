"""The filters of the list of tasks."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.task import CONTACT_MAX_LENGTH, NUL
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.holds import has_tag
from django_scheduled_tasks.services.tasks.tags import TAG_MAX_LENGTH

STATES = {
    "needs_attention": (_("Needs attention"), overview.needs_attention, _("Nothing needs attention.")),
    "failing": (_("Failing"), overview.is_failing, _("Nothing is failing.")),
    "running": (_("Running"), overview.is_running, _("Nothing is running.")),
    "paused": (_("Paused"), overview.is_paused, _("Nothing is paused.")),
    "late": (_("Late"), overview.is_late, _("Nothing is late.")),
    "elsewhere": (_("Elsewhere"), overview.is_elsewhere, _("Nothing runs in other environments only.")),
    "held": (_("Held"), overview.is_held, _("Nothing is held.")),
    "broken": (_("Broken"), overview.is_broken, _("Nothing is broken.")),
    "done": (_("Done"), overview.is_done, _("Nothing is done.")),
}
"""The chips above the list: label, condition, and the text when no task matches."""
ALWAYS = frozenset({"", "needs_attention", "running", "paused"})
"""The chips that are there always; the others only while there is such a task, or while they are chosen."""
SELDOM = frozenset({"failing"})
"""Those that are there only while they are chosen: addresses that people have kept."""


class TagFilter(SimpleListFilter):
    """Filters tasks by a tag in the address, as the tags on a task's page link to it."""

    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the tag that is asked for: there is no list of all of them."""
        asked = request.GET.get(self.parameter_name, "")[:TAG_MAX_LENGTH]
        return [(asked, asked)] if asked else []

    def queryset(self, _request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
        """Return the tasks with the tag."""
        return queryset.filter(has_tag(str(self.value()))) if self.value() else queryset


class ContactFilter(SimpleListFilter):
    """Filters tasks by who is responsible, as a task's page links to it."""

    title = _("contact")
    parameter_name = "contact"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the contact that is asked for: there is no list of all of them."""
        asked = request.GET.get(self.parameter_name, "")[:CONTACT_MAX_LENGTH]
        return [(asked, asked)] if asked else []

    def queryset(self, _request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
        """Return the tasks of the contact."""
        asked = str(self.value() or "")
        return queryset.filter(contact__iexact=asked) if asked and NUL not in asked else queryset


class FunctionFilter(SimpleListFilter):
    """Filters tasks by their function, as the row that stands for many of them links to it."""

    title = _("function")
    parameter_name = "function"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the function that is asked for."""
        asked = request.GET.get(self.parameter_name, "")[:200]
        return [(asked, asked)] if asked else []

    def queryset(self, _request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
        """Return the tasks of the function."""
        asked = str(self.value() or "")
        return queryset.filter(function=asked) if asked and NUL not in asked else queryset


class OwnerFilter(SimpleListFilter):
    """Filters tasks by their owner, ``shop.customer:17``, as a task's page and that of the owner link to it."""

    title = _("owner")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the owner that is asked for."""
        asked = request.GET.get(self.parameter_name, "")[:500]
        return [(asked, asked)] if asked else []

    def queryset(self, _request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
        """Return the tasks of the owner."""
        label, _colon, key = str(self.value() or "").partition(":")
        return queryset.filter(owner_type=label, owner_id=key) if key and NUL not in key + label else queryset


class StateFilter(SimpleListFilter):
    """Filters tasks by state. It is shown as chips above the list, not in a sidebar."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return all states."""
        return [(name, label) for name, (label, _condition, _empty) in STATES.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
        """Return the tasks in the chosen state."""
        if self.value() not in STATES:
            return queryset
        condition: Q = STATES[str(self.value())][1]()
        return queryset.filter(condition)
