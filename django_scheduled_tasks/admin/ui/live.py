"""Answers that keep an open page up to date: only what has changed, put where it belongs by htmx."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.humanize import say_duration
from django_scheduled_tasks.admin.ui.labels import word_of
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution

STOP_POLLING = 286
"""htmx's status for: this was the last answer."""
WATCHED = 20
"""The most executions whose messages are kept up to date."""


def digest(value: Any) -> str:
    """Return a short text that is another one when *value* is."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:7]


def into(element: str, content: Any, how: str = "innerHTML") -> SafeString:
    """Return *content* as a part that htmx puts into the element with this id."""
    return format_html('<div hx-swap-oob="{}:#{}">{}</div>', how, element, content)


def poller(url: str, version: str, *, is_open: bool) -> SafeString:
    """Return the element that asks for news when the script says ``dst:tick``; each answer brings its successor."""
    return format_html(
        '<div id="dst-live" hx-get="{}" hx-trigger="dst:tick" hx-swap="outerHTML" data-version="{}"{}></div>',
        url,
        version,
        SafeString(" data-open") if is_open else "",
    )


def answer(parts: Iterable[SafeString], *, status: int = 200, events: Mapping[str, Any] | None = None) -> HttpResponse:
    """Return parts, each for a place of its own on the page."""
    response = HttpResponse("\n".join(parts), status=status)
    if events:
        response["HX-Trigger"] = json.dumps(events)
    return response


def nothing_new() -> HttpResponse:
    """Return the answer that leaves the page as it is."""
    return HttpResponse(status=204)


def wants_parts(request: HttpRequest) -> bool:
    """Whether htmx asks, and not the browser itself."""
    return request.headers.get("HX-Request") == "true"


def say_tail(execution: Execution) -> str:
    """Return how an execution goes on, as the end of a message: Completed in 8.0 s."""
    word = word_of(execution.status, execution.outcome, execution.attempt)
    if execution.status == Status.PROCESSING:
        return _("Running…")
    if execution.is_open:
        return ""
    if execution.started_at is None or execution.completed_at is None:
        return f"{word.label}."
    took = say_duration(execution.completed_at - execution.started_at)
    return _("%(status)s in %(duration)s.") % {"status": word.label, "duration": took}


def tail(execution: Execution) -> SafeString:
    """Return the element at the end of a message that is kept up to date."""
    return format_html(
        '<span class="dst-tail" id="dst-tail-{}" data-dst-watch="{}">{}</span>',
        execution.pk,
        execution.pk,
        say_tail(execution),
    )


def watched(request: HttpRequest) -> list[Execution]:
    """Return the executions whose messages are on the page; one statement if there are any."""
    parts = map(read_number, request.GET.get("watch", "").split(","))
    numbers = [number for number in parts if number is not None][:WATCHED]
    if not numbers:
        return []
    columns = ("status", "outcome", "attempt", "started_at", "completed_at")
    return list(Execution.objects.filter(pk__in=numbers).only(*columns).order_by("pk"))


def status_texts() -> dict[str, str]:
    """Return what the script says when the connection is lost, as attributes of an element."""
    return {
        "lost": _("Connection lost. Trying again in %s s."),
        "now": _("Now"),
        "out": _("You have been signed out. What you see is no longer up to date."),
        "login": _("Sign in"),
        "denied": _("You may not do this."),
        "url": reverse("admin:login"),
    }
