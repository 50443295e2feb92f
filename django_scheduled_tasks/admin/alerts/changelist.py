"""The change list of alerts: its filters, which are shown as chips, and its rows in groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.alerts.context import read_context
from django_scheduled_tasks.admin.alerts.row import AlertRow
from django_scheduled_tasks.admin.ui.base import CappedChangeList
from django_scheduled_tasks.admin.ui.html import page_url
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import Alert, read_now
from django_scheduled_tasks.services.alerts import visible
from django_scheduled_tasks.services.alerts.telling import wording

CLOSED_WITHIN = timedelta(days=7)
CLOSED_SHOWN = 20
"""So many of those are shown below the open ones."""
STATES = {
    "open": gettext_lazy("Open"),
    "new": gettext_lazy("New"),
    "silent": gettext_lazy("Silent"),
    "closed": gettext_lazy("Closed"),
}


class StateFilter(SimpleListFilter):
    """Open, new, silent, closed; shown as chips."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return list(STATES.items())

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        """Return the alerts in the chosen state; open ones if none is chosen."""
        if self.value() == "new":
            return queryset.filter(visible.is_new())
        if self.value() == "silent":
            return queryset.filter(visible.is_silent(), open_key__isnull=False)
        return queryset.filter(open_key__isnull=self.value() == "closed")


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


@dataclass(frozen=True)
class Group:
    """A table of the page."""

    key: str
    title: str
    rows: Sequence[AlertRow]
    more: SafeString = SafeString("")  # noqa: RUF009  (a str)
    """What stands at the right of the title."""

    @property
    def is_closed(self) -> bool:
        """Whether its rows say how it ended."""
        return self.key == "closed"


class AlertChangeList(CappedChangeList):
    """The change list of alerts, in groups; its states are shown as chips."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Parse the filters as usual, but report none, so that no sidebar is drawn."""
        specs, _has_filters, *others = super().get_filters(request)
        return (specs, False, *others)

    @property
    def state(self) -> str:
        """The chosen state."""
        chosen = str(self.params.get(StateFilter.parameter_name, ""))
        found = next((str(spec.value()) for spec in self.filter_specs if isinstance(spec, StateFilter)), chosen)
        return found if found in STATES else "open"

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read what the rows show beside their own columns, and those that have closed lately."""
        self.now: datetime = rows[0].database_now if rows else read_now()
        lately: list[Alert] = []
        if self.state == "open" and self.page_num == 1 and not self.query:
            closed = self.model_admin.get_queryset(request).filter(closed_at__gte=self.now - CLOSED_WITHIN)
            lately = list(closed.order_by("-closed_at", "-id")[:CLOSED_SHOWN])
        back = f"?{urlencode({'back': request.GET.urlencode()})}" if request.GET else ""
        site = self.model_admin.admin_site
        self.context = read_context([*rows, *lately], site=site, user=request.user, now=self.now, back=back)
        self.rows = [AlertRow(alert, self.context) for alert in rows]
        self.lately = [AlertRow(alert, self.context) for alert in lately]

    def groups(self, closed: str) -> list[Group]:
        """Return the tables; *closed*: how many alerts are closed, as text."""
        opened = [row for row in self.rows if row.alert.is_open]
        wide = [row for row in opened if not row.alert.task_name]
        tasks = [row for row in opened if row.alert.task_name]
        found = [Group("wide", _("Installation"), wide), Group("tasks", _("Tasks"), tasks, self._all_of(tasks))]
        if self.state == "closed":
            found = [Group("closed", _("Closed"), self.rows)]
        elif self.lately:
            url = self.get_query_string({"state": "closed"}, ["state", "p"])
            link = format_html('<a href="{}">{}</a>', url, _("All %(count)s") % {"count": closed})
            found.append(Group("closed", _("Closed in the last 7 days"), self.lately, link))
        return [group for group in found if group.rows]

    def _all_of(self, rows: Iterable[AlertRow]) -> SafeString:
        """Return a button for each task with several alerts that nobody has acknowledged."""
        several: dict[Any, list[AlertRow]] = {}
        for row in rows:
            if row.alert.task_id is not None and row.may_acknowledge:
                several.setdefault(row.alert.task_id, []).append(row)
        url = page_url(self.model_admin.admin_site, "alert_acknowledge_all")
        return format_html_join(
            " ",
            '<button type="submit" class="dst-button" name="task" value="{}" formaction="{}{}">{}</button>',
            (
                (task, url, self.context.back, _("Acknowledge all of %(task)s") % {"task": own[0].alert.task_name})
                for task, own in several.items()
                if len(own) > 1 and url
            ),
        )
