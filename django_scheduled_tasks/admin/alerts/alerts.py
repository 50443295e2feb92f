"""Register alerts with the admin: the page *Alerts*, the page of one, and what people do with them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.alerts import words
from django_scheduled_tasks.admin.alerts.acts import AlertActsMixin
from django_scheduled_tasks.admin.alerts.context import read_context
from django_scheduled_tasks.admin.alerts.list import AlertListMixin
from django_scheduled_tasks.admin.alerts.row import AlertRow
from django_scheduled_tasks.admin.alerts.told import notice_line
from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.ui.html import execution_name, instant, link, page_url
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Alert, Notice, read_now, write_alias
from django_scheduled_tasks.services.alerts.telling import wording
from django_scheduled_tasks.services.alerts.visible import may_see

MOST_NOTICES = 100
"""The page of an alert shows so many of who was told."""


@admin.register(Alert)
class AlertAdmin(AlertListMixin, AlertActsMixin):
    """Alerts are opened and closed by schedulers; people acknowledge and silence them."""

    change_form_template = "admin/django_scheduled_tasks/alert/change_form.html"
    fields = readonly_fields = ("kind_pill", "about", "since", "closed", "said", "executions", "known", "told")

    def get_urls(self) -> list[URLPattern]:
        """Add what people do, and the part that keeps the list up to date."""
        return [
            self.page_path("acknowledge/", self.acknowledge_all_view, "acknowledge_all"),
            self.page_path("undo/", self.undo_view, "undo"),
            self.page_path("<int:number>/acknowledge/", self.acknowledge_view, "acknowledge"),
            self.page_path("<int:number>/silence/", self.silence_view, "silence"),
            self.page_path("<int:number>/comment/", self.comment_view, "comment"),
            self.page_path("<int:number>/close/", self.close_view, "close"),
            self.page_path("<int:number>/end-silence/", self.end_silence_view, "end_silence"),
            self.part_path("live/", self.live_view, "live"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Alert | None = None) -> bool:
        """Whether the user may see alerts, or this one: that of a task only who may see the task."""
        return super().has_view_permission(request, obj) and (obj is None or may_see(request.user, obj))

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Return False: alerts are opened by schedulers."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Alert | None = None) -> bool:
        """Return False: their columns are never edited."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Alert | None = None) -> bool:
        """Return False: they are forgotten by themselves."""
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one alert, with what can be done about it."""
        health_of(request, self.admin_site)
        number = read_number(object_id)
        row = self.get_queryset(request).filter(pk=number).first() if number is not None else None
        shown: dict[str, Any] = {"title": capfirst(self.opts.verbose_name)}
        if row is not None:
            context = read_context([row], site=self.admin_site, user=request.user, now=read_now())
            pages = ("acknowledge", "silence", "end_silence", "comment", "close")
            urls = {name: page_url(self.admin_site, f"alert_{name}", row.pk) for name in pages}
            shown["dst"] = {"row": AlertRow(row, context), "back": f"?alert={row.pk}", **urls}
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))

    # --- the page of one

    @admin.display(description=gettext_lazy("kind"))
    def kind_pill(self, row: Alert) -> SafeString:
        """Return the kind."""
        return words.kind_pill(row)

    @admin.display(description=gettext_lazy("task or place"))
    def about(self, row: Alert) -> SafeString:
        """Return what it is about."""
        return words.place(row, self.admin_site)

    @admin.display(description=gettext_lazy("since"))
    def since(self, row: Alert) -> SafeString | str:
        """Return when it was opened."""
        return instant(row.opened_at)

    @admin.display(description=gettext_lazy("closed"))
    def closed(self, row: Alert) -> SafeString | str:
        """Return when it was over."""
        return instant(row.closed_at)

    @admin.display(description=gettext_lazy("what is wrong"))
    def said(self, row: Alert) -> str:
        """Return what is wrong, or how it ended."""
        return wording.sentence(row)

    @admin.display(description=gettext_lazy("executions"))
    def executions(self, row: Alert) -> SafeString | str:
        """Return links to the executions that it is about."""
        about = (row.first_execution, row.latest_execution, row.closing_execution)
        numbers = sorted({number for number in about if number is not None})
        site = self.admin_site
        found = [link(page_url(site, "execution_change", number), execution_name(number)) for number in numbers]
        return format_html_join(", ", "{}", ((link,) for link in found)) if found else "—"

    @admin.display(description=gettext_lazy("known"))
    def known(self, row: Alert) -> SafeString | str:
        """Return who has acknowledged it, and until when it is silent."""
        parts = []
        if row.acknowledged_at is not None:
            by = str(row.acknowledged_by) if row.acknowledged_by is not None else ""
            parts.append(_("acknowledged by %(user)s") % {"user": by} if by else _("acknowledged"))
        if row.is_open and row.silenced_until is not None:
            parts.append(_("silent until %(instant)s") % {"instant": wording.at(row.silenced_until)})
        parts += [f"“{text}”" for text in (row.comment, row.silence_reason) if text]
        return ", ".join(parts) or "—"

    @admin.display(description=gettext_lazy("told"))
    def told(self, row: Alert) -> SafeString | str:
        """Return who was told what, when, and what the channel answered last."""
        notices = Notice.objects.using(write_alias()).filter(alert=row).select_related("channel").order_by("pk")
        lines = [notice_line(notice) for notice in notices[:MOST_NOTICES]]
        return format_html_join(SafeString("<br>"), "{}", ((line,) for line in lines)) if lines else _("Nobody")
