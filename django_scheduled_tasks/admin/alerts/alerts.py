"""The page *Alerts*: what is open, since when, and who knows of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import execution_link, execution_name, instant, pill
from django_scheduled_tasks.admin.ui.labels import StatusLabel, Tone
from django_scheduled_tasks.alerting import RED, Event, Kind
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.models import Alert, Notice, database_now, read_now, write_alias
from django_scheduled_tasks.services.alerts import edit, wording
from django_scheduled_tasks.services.permissions import CHANGE_ALERT, may

SILENT_FOR = timedelta(hours=1), timedelta(hours=24)
"""For so long alerts can be silenced from the list."""


class OpenFilter(SimpleListFilter):
    """Open, new, silent, closed."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return [("open", _("Open")), ("new", _("New")), ("silent", _("Silent")), ("closed", _("Closed"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        """Return the alerts in the chosen state."""
        is_silent = {"silenced_until__gt": database_now()}
        opened = queryset.filter(open_key__isnull=False)
        chosen: dict[str | None, QuerySet[Alert]] = {
            "open": opened,
            "new": opened.filter(acknowledged_at=None).exclude(**is_silent),
            "silent": opened.filter(**is_silent),
            "closed": queryset.filter(open_key=None),
        }
        return chosen.get(self.value(), queryset)


class KindFilter(SimpleListFilter):
    """What is wrong."""

    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return all kinds."""
        return [(str(kind), wording.kind_name(kind)) for kind in Kind]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        """Return the alerts of the chosen kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Alert)
class AlertAdmin(ScreenAdmin):
    """Alerts are opened and closed by schedulers; people acknowledge and silence them."""

    list_display = ("kind_pill", "about", "since", "said", "known")
    list_display_links = ("about",)
    list_filter = (OpenFilter, KindFilter)
    search_fields = ("task_name", "queue")
    actions = ("acknowledge_selected", "silence_for_an_hour", "silence_for_a_day", "end_silence")
    fields = readonly_fields = ("kind_pill", "about", "since", "closed", "said", "executions", "known", "told")

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Return False: alerts are opened by schedulers."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Alert | None = None) -> bool:
        """Return False: their columns are never edited."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Alert | None = None) -> bool:
        """Return False: they are forgotten by themselves."""
        return False

    def has_know_permission(self, request: HttpRequest, row: Alert | None = None) -> bool:
        """Whether the user may acknowledge and silence alerts, or this one."""
        return may(request.user, CHANGE_ALERT, row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Return the alerts, with whether each is closed."""
        rows = Alert.objects.using(write_alias()).select_related("acknowledged_by")
        is_closed = Case(When(open_key=None, then=Value(1)), default=Value(0))
        return rows.alias(is_closed=is_closed).order_by(*self.get_ordering(request))

    def get_ordering(self, _request: HttpRequest) -> tuple[str, ...]:
        """Return the order: open ones first, newest first."""
        return "is_closed", "-id"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list under its own name, with how the installation is above it."""
        health_of(request, self.admin_site)
        return super().changelist_view(
            request, {"title": capfirst(self.opts.verbose_name_plural), **(extra_context or {})}
        )

    # --- what is shown

    @admin.display(description=gettext_lazy("kind"))
    def kind_pill(self, row: Alert) -> SafeString:
        """Return the kind: red or amber while it is open, else grey."""
        shape = "failed" if row.kind in RED else "missed"
        tone = Tone.BAD if row.kind in RED else Tone.WARN
        return pill(StatusLabel(row.kind, wording.kind_name(row.kind), tone if row.is_open else Tone.WAIT, shape))

    @admin.display(description=gettext_lazy("task or place"))
    def about(self, row: Alert) -> str:
        """Return what it is about."""
        return wording.where(row)

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
        found = [execution_link(self.admin_site, number, execution_name(number)) for number in numbers]
        return format_html(", ".join(["{}"] * len(found)), *found) if found else "—"

    @admin.display(description=gettext_lazy("known"))
    def known(self, row: Alert) -> SafeString | str:
        """Return who has acknowledged it, and until when it is silent."""
        parts = []
        if row.acknowledged_at is not None:
            by = str(row.acknowledged_by) if row.acknowledged_by is not None else ""
            parts.append(_("acknowledged by %(user)s") % {"user": by} if by else _("acknowledged"))
        if row.is_open and row.silenced_until is not None:
            parts.append(_("silent until %(instant)s") % {"instant": wording.at(row.silenced_until)})
        return ", ".join(parts) or "—"

    @admin.display(description=gettext_lazy("told"))
    def told(self, row: Alert) -> SafeString | str:
        """Return who was told what, when, and what the channel answered last."""
        notices = Notice.objects.using(write_alias()).filter(alert=row).select_related("channel").order_by("pk")
        lines = [_told(notice) for notice in notices[:100]]
        return format_html("<br>".join(["{}"] * len(lines)), *lines) if lines else _("Nobody")

    # --- what people do

    @admin.action(description=gettext_lazy("Acknowledge"), permissions=["know"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Let nobody be reminded of them any more."""
        user = signed_in(request)
        self._each(request, queryset, lambda row: edit.acknowledge(row, user=user))

    @admin.action(description=gettext_lazy("Silence for an hour"), permissions=["know"])
    def silence_for_an_hour(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Let nobody be told anything of them for an hour."""
        until = read_now() + SILENT_FOR[0]
        self._each(request, queryset, lambda row: edit.silence(row, until=until))

    @admin.action(description=gettext_lazy("Silence for 24 hours"), permissions=["know"])
    def silence_for_a_day(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Let nobody be told anything of them for 24 hours."""
        until = read_now() + SILENT_FOR[1]
        self._each(request, queryset, lambda row: edit.silence(row, until=until))

    @admin.action(description=gettext_lazy("End silence"), permissions=["know"])
    def end_silence(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Let them be told again."""
        self._each(request, queryset, lambda row: edit.silence(row, until=None))

    def _each(self, request: HttpRequest, queryset: QuerySet[Alert], act: Callable[[Alert], object]) -> None:
        done = 0
        for row in queryset:
            if not self.has_know_permission(request, row):
                continue
            try:
                act(row)
            except ScheduledTasksError as exc:
                messages.warning(request, error_text(exc))
            else:
                done += 1
        if done:
            text = ngettext("Done for %(count)s alert.", "Done for %(count)s alerts.", done)
            messages.success(request, text % {"count": done})


def _told(notice: Notice) -> str:
    words = {Event.OPENED: _("opened"), Event.REMINDER: _("reminder"), Event.CLOSED: _("closed")}
    values = {"channel": notice.channel.name, "event": words[Event(notice.event)], "answer": notice.answer}
    if notice.sent_at is not None:
        return _("%(channel)s, %(event)s, %(instant)s") % {**values, "instant": wording.at(notice.sent_at)}
    if notice.next_try_at is None:
        return _("%(channel)s, %(event)s: given up. %(answer)s") % values
    return _("%(channel)s, %(event)s: not yet. %(answer)s") % values
