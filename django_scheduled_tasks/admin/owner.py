"""Tasks on the page of the object that they belong to, and that object on theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.html import task_url, with_query
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.owner import model_of
from django_scheduled_tasks.services.permissions import VIEW_TASK, may
from django_scheduled_tasks.services.queries.condition import conditions_of
from django_scheduled_tasks.services.tasks.owner import owner_columns
from django_scheduled_tasks.services.visibility import visible

MOST_SHOWN = 20


class ShowsTasks(admin.ModelAdmin):
    """A base class for the admin of a model that owns tasks: its page lists them, with links.

    ``class CustomerAdmin(ShowsTasks): …``, alone or before other base classes. Nothing of the tasks is edited there;
    no generic foreign key is needed. It is shown to who may view tasks.
    """

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields that are shown as text, the tasks among them."""
        found = tuple(super().get_readonly_fields(request, obj))
        return (*found, self._tasks_for(request)) if obj is not None and may(request.user, VIEW_TASK) else found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the parts of the page, with the tasks as the last one."""
        shown: Any = self._tasks_for(request)
        found = [
            (title, {**options, "fields": [name for name in options["fields"] if name != shown]})
            for title, options in super().get_fieldsets(request, obj)
        ]
        return [*found, (None, {"fields": (shown,)})] if obj is not None and may(request.user, VIEW_TASK) else found

    def _tasks_for(self, request: Any) -> Callable[[Any], SafeString | str]:
        """Return what shows the tasks of an object to the user of *request*: one function for each request."""
        if not hasattr(request, "_dst_tasks_of_owner"):
            site, user = self.admin_site, request.user

            @admin.display(description=gettext_lazy("scheduled tasks"))
            def scheduled_tasks(obj: Any) -> SafeString | str:
                return tasks_cell(site, user, obj)

            request._dst_tasks_of_owner = scheduled_tasks
        found: Callable[[Any], SafeString | str] = request._dst_tasks_of_owner
        return found


def tasks_cell(site: AdminSite, user: Any, obj: Any) -> SafeString | str:
    """Return the first tasks of *obj* as links, each with how it is; five statements, whatever their number."""
    columns = owner_columns(obj)
    rows = visible(user, ScheduledTask.objects.filter(**columns).order_by("name_key"))
    found = list(rows[: MOST_SHOWN + 1])
    if not found:
        return _("None.")
    words = conditions_of(found[:MOST_SHOWN])
    lines = ((task_url(site, "change", row.pk), row.name, words[row.pk].word) for row in found[:MOST_SHOWN])
    shown = format_html_join("", '<li><a href="{}">{}</a> ({})</li>', lines)
    url = with_query(task_url(site, "changelist"), owner=f"{columns['owner_type']}:{columns['owner_id']}")
    return format_html('<ul>{}</ul><a href="{}">{}</a>', shown, url, _("All in the list of tasks"))


def owner_link(site: AdminSite, task: ScheduledTask) -> SafeString | str:
    """Return the owner of *task*, as a link where the site has a page for it; empty if there is none."""
    if not task.owner_type:
        return ""
    owner = task.owner
    text = str(owner) if owner is not None else f"{task.owner_type} {task.owner_id}"
    model = model_of(task.owner_type)
    if owner is None or model is None or model not in site._registry:
        return text
    try:
        name = f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(name, args=[owner.pk]), text)
    except NoReverseMatch:
        return text
