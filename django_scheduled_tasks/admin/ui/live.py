"""Responses that update an open page: only the changed parts, which htmx swaps into place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.labels import label_of
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.visibility import for_viewer

STOP_POLLING = 286
"""htmx stops polling when it receives this status."""
WATCHED = 20
"""The most executions whose messages one page keeps up to date."""


def digest(value: Any) -> str:
    """Return a short hash of *value*, to see whether it has changed."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:7]


def swap_into(element: str, content: Any, how: str = "innerHTML") -> SafeString:
    """Return *content* as an out-of-band swap into the element with this id."""
    return format_html('<div hx-swap-oob="{}:#{}">{}</div>', how, element, content)


def poller(url: str, version: str, *, is_open: bool) -> SafeString:
    """Return the element that polls at each ``dst:tick`` of the script; each response replaces it."""
    return format_html(
        '<div id="dst-live" hx-get="{}" hx-trigger="dst:tick" hx-swap="outerHTML" data-version="{}"{}></div>',
        url,
        version,
        SafeString(" data-open") if is_open else "",
    )


def parts_response(
    parts: Iterable[SafeString], *, status: int = 200, events: Mapping[str, Any] | None = None
) -> HttpResponse:
    """Return a response of several out-of-band swaps."""
    response = HttpResponse("\n".join(parts), status=status)
    if events:
        response["HX-Trigger"] = json.dumps(events)
    return response


def no_change() -> HttpResponse:
    """Return the response (204) that changes nothing on the page."""
    return HttpResponse(status=204)


def redirect(url: str) -> HttpResponse:
    """Return the response after which htmx opens another page."""
    return HttpResponse(status=204, headers={"HX-Redirect": url})


def is_htmx(request: HttpRequest) -> bool:
    """Whether the request was made by htmx."""
    return request.headers.get("HX-Request") == "true"


def outcome_text(execution: Execution) -> str:
    """Return how an execution went on, to end a message with: Completed in 8.0 s."""
    word = label_of(execution.status, execution.outcome, execution.attempt)
    if execution.status == Status.PROCESSING:
        return _("Running…")
    if execution.is_open:
        return ""
    if execution.started_at is None or execution.completed_at is None:
        return f"{word.label}."
    took = duration_text(execution.completed_at - execution.started_at)
    return _("%(status)s in %(duration)s.") % {"status": word.label, "duration": took}


def tail(execution: Execution) -> SafeString:
    """Return the end of a message as an element that the live view updates."""
    return format_html(
        '<span class="dst-tail" id="dst-tail-{}" data-dst-watch="{}">{}</span>',
        execution.pk,
        execution.pk,
        outcome_text(execution),
    )


def watched(request: HttpRequest) -> list[Execution]:
    """Return the executions whose messages the page shows (``?watch=``); at most one query."""
    parts = map(read_number, request.GET.get("watch", "").split(","))
    numbers = [number for number in parts if number is not None][:WATCHED]
    if not numbers:
        return []
    columns = ("status", "outcome", "attempt", "started_at", "completed_at")
    return list(for_viewer(Execution.objects.filter(pk__in=numbers)).only(*columns).order_by("pk"))


def status_texts(site: AdminSite) -> dict[str, str]:
    """Return the texts that the script shows when the connection is lost or the user has signed out."""
    return {
        "lost": _("Connection lost. Trying again in %s s."),
        "now": _("Now"),
        "out": _("You have been signed out. What you see is no longer up to date."),
        "login": _("Sign in"),
        "denied": _("You may not do this."),
        "newer": _("Newer data – show"),
        "url": reverse("admin:login", current_app=site.name),
    }
