"""The page *Alerts*: what is open, since when, and who knows of it; and its live updates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.alerts.changelist import STATES, AlertChangeList, KindFilter, StateFilter
from django_scheduled_tasks.admin.alerts.context import read_context
from django_scheduled_tasks.admin.alerts.row import AlertRow
from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.ui import live
from django_scheduled_tasks.admin.ui.base import (
    COUNT_CAP,
    THEME,
    ScreenAdmin,
    drop_parameters,
)
from django_scheduled_tasks.admin.ui.html import link, near_text, page_url, zone_name
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Alert, with_now, write_alias
from django_scheduled_tasks.services.alerts import visible
from django_scheduled_tasks.services.alerts.telling import wording
from django_scheduled_tasks.services.alerts.telling.dead import dead_channels
from django_scheduled_tasks.services.alerts.telling.reach import reaches_nobody
from django_scheduled_tasks.translation import say_number

MOST_FOLLOWED = 100
"""So many rows of a page are kept up to date."""
_OURS = ("rows", "after", "v", "watch")


class AlertListMixin(ScreenAdmin):
    """The list of alerts."""

    list_display = ("kind_pill",)
    list_filter = (StateFilter, KindFilter)
    list_select_related = ("acknowledged_by", "closed_by", "task")
    list_per_page = 100
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("task_name", "queue")
    actions = None
    list_before_template = "admin/django_scheduled_tasks/alert/above_list.html"
    """The template that unfold draws above a list."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the class of the change list."""
        del request, kwargs
        return AlertChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Return the alerts that the user may see."""
        rows = Alert.objects.using(write_alias()).select_related(*self.list_select_related)
        is_closed = Case(When(open_key=None, then=Value(1)), default=Value(0), output_field=IntegerField())
        ordered = with_now(rows).alias(dst_closed=is_closed).order_by(*self.get_ordering(request))
        return visible.visible(request.user, ordered)

    def get_ordering(self, _request: HttpRequest) -> tuple[str, ...]:
        """Return the order: open ones first, newest first."""
        return "dst_closed", "-id"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with the context of what stands above it."""
        drop_parameters(request, *_OURS)
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        response = super().changelist_view(request, {**title, **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["dst"] = self.above(request, response.context_data["cl"])
            response.context_data |= THEME
        return response

    def above(self, request: HttpRequest, cl: AlertChangeList) -> dict[str, Any]:
        """Return the context of the templates of the list."""
        health = health_of(request, self.admin_site)
        counts = self._counts(request)
        newest = max((row.alert.pk for row in cl.rows), default=0)
        poller = ""
        if cl.state == "open" and cl.page_num == 1:
            numbers = [row.alert.pk for row in cl.rows[:MOST_FOLLOWED]]
            url = self._live_url(newest, numbers, str(request.GET.get("kind", "")))
            poller = live.poller(url, _version(cl.rows, counts, health.version()), is_open=False) if url else ""
        return {
            "chips": _chips(cl, counts),
            "state": cl.state,
            "groups": cl.groups(counts["closed"]),
            "note": health.note_beside_alerts(in_form=THEME["dst_grappelli"]),
            "zone": zone_name(),
            "poller": poller,
            "texts": live.status_texts(self.admin_site),
            "tools": self._tools(request),
            "nothing": _nothing(cl),
            "has_open": any(row.alert.is_open for row in cl.rows),
            "last_text": _last_text(cl),
            "dead": self._dead(request),
            "nobody": reaches_nobody(),
            "add_channel_url": self._url_if_may("channel", "add", request),
            "is_filtered": bool(cl.query or cl.params.keys() - {"state"}),
            "all_url": page_url(self.admin_site, "alert_changelist"),
        }

    def _counts(self, request: HttpRequest) -> dict[str, str]:
        """Return how many alerts the user may see of each state, as text; two statements."""
        rows = visible.visible(request.user, Alert.objects.using(write_alias()).all())
        closed = len(rows.order_by().filter(open_key=None).values_list("pk")[: COUNT_CAP + 1])
        texts = {name: say_number(count) for name, count in visible.counts(rows).items()}
        return texts | {"closed": say_number(closed) if closed <= COUNT_CAP else f"{say_number(COUNT_CAP)}+"}

    def _dead(self, request: HttpRequest) -> list[SafeString]:
        """Return a line for each channel that does not answer; a link for who may see channels."""
        url = self._url_if_may("channel", "changelist", request)
        return [link(url, channel.sentence) for channel in dead_channels()]

    def _url_if_may(self, model: str, page: str, request: HttpRequest) -> str:
        """Return the address of a page of another model of ours, if this site has it and the user may open it."""
        other = self.admin_site._registry.get(apps.get_model(self.opts.app_label, model))
        if other is None:
            return ""
        asked = {"add": other.has_add_permission, "test": other.has_change_permission}
        is_allowed = asked.get(page, other.has_view_permission)(request)
        return page_url(self.admin_site, f"{model}_{page}") if is_allowed else ""

    def _tools(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Return the labels and addresses of what stands beside the title."""
        found = [
            (_("Alert rules"), self._url_if_may("alertrule", "changelist", request)),
            (_("Channels"), self._url_if_may("channel", "changelist", request)),
            (_("Send a test…"), self._url_if_may("channel", "test", request)),
        ]
        return [(label, url) for label, url in found if url]

    # --- live

    def _live_url(self, newest: int, numbers: Sequence[int], kind: str) -> str:
        url = page_url(self.admin_site, "alert_live")
        query = {"after": newest, "rows": ".".join(map(str, numbers)), "kind": kind}
        return f"{url}?{urlencode(query)}" if url else ""

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Return the cells that have changed, and a bar that says how many alerts are new; no row moves or leaves."""
        known = request.GET.get("v", "").split(".")
        asked = map(read_number, request.GET.get("rows", "").split(".")[:MOST_FOLLOWED])
        numbers = [number for number in asked if number is not None]
        after = read_number(request.GET.get("after", "")) or 0
        kind = request.GET.get("kind", "")[:20]
        alerts = {row.pk: row for row in self.get_queryset(request).filter(pk__in=numbers)}
        rows = [alerts[number] for number in numbers if number in alerts]
        fresh = self.get_queryset(request).filter(open_key__isnull=False, pk__gt=after).order_by()
        if kind:
            fresh = fresh.filter(kind=kind)
        count = len(fresh.values_list("pk")[: self.list_per_page])
        health, counts = health_of(request, self.admin_site), self._counts(request)
        context = read_context(rows, site=self.admin_site, user=request.user, now=health.found.now)
        shown = [AlertRow(row, context) for row in rows]
        present = _version(shown, counts, health.version(), count)
        if present.split(".") == known:
            return live.no_change()
        poller = live.poller(self._live_url(after, numbers, kind), present, is_open=False)
        parts = [poller, live.swap_into("dst-presence", health.line())]
        marks = present.split(".")[1:]
        for row, mark in zip(shown, marks, strict=True):
            if mark not in known:
                parts += [live.swap_into(identifier, cell) for identifier, cell in row.cells()]
        parts.append(live.swap_into("dst-news", self._news(count) if count else ""))
        return live.parts_response(parts)

    def _news(self, count: int) -> SafeString:
        text = ngettext("%(count)s new – show", "%(count)s new – show", count)
        shown = f"{count}+" if count >= self.list_per_page else str(count)
        url = page_url(self.admin_site, "alert_changelist")
        return format_html('<a class="dst-chip dst-news" href="{}">{}</a>', url, text % {"count": shown})


def _version(rows: Sequence[AlertRow], counts: dict[str, str], health: object, new: int = 0) -> str:
    """Return hashes of what the page shows, joined by dots: one for the head, then one for each row."""
    followed = rows[:MOST_FOLLOWED]
    head = live.digest((sorted(counts.items()), health, new))
    return ".".join([head, *(live.digest((row.alert.pk, *row.signature())) for row in followed)])


def _chips(cl: AlertChangeList, counts: dict[str, str]) -> SafeString:
    return format_html_join(
        "",
        '<a class="dst-chip{}" href="{}"{}>{} <b>{}</b></a>',
        (
            (
                " dst-chip-bad" if name == "open" and counts["open"] != "0" else "",
                cl.get_query_string({"state": name} if name != "open" else {}, ["state", "p"]),
                SafeString(' aria-current="page"') if name == cl.state else "",
                label,
                counts[name],
            )
            for name, label in STATES.items()
        ),
    )


def _nothing(cl: AlertChangeList) -> str:
    texts = {
        "open": _("Nothing is open."),
        "new": _("Nothing is new."),
        "silent": _("Nothing is silent."),
        "closed": _("Nothing has closed yet."),
    }
    return texts[cl.state]


def _last_text(cl: AlertChangeList) -> str:
    """Return which alert was the last one, and when it closed."""
    if not cl.lately or cl.lately[0].alert.closed_at is None:
        return ""
    last = cl.lately[0].alert
    values = {
        "where": wording.where(last),
        "kind": wording.kind_name(last.kind),
        "instant": near_text(last.closed_at, cl.now),
    }
    return _("The last alert, %(where)s: %(kind)s, closed %(instant)s.") % values
