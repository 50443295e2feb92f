"""The page that Prometheus scrapes."""

from __future__ import annotations

import hmac
import os
from http import HTTPStatus

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.metrics.collector import ScheduledTasksCollector
from django_scheduled_tasks.services.permissions import VIEW_ALERT, VIEW_EXECUTION, VIEW_HOLD, VIEW_TASK, may
from django_scheduled_tasks.services.visibility import has_hook

NEEDED = (VIEW_TASK, VIEW_EXECUTION, VIEW_ALERT, VIEW_HOLD)
"""What a user needs who has no token: they tell of all of these."""


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics to who has the token or the permissions, in the form that is asked for.

    A plain view: the project's defaults for REST calls are not made for a scraper. The token, if one is sent, decides
    alone: it asks for no session.
    """
    scheme, _space, given = request.headers.get("Authorization", "").partition(" ")
    is_token = scheme.lower() == "bearer"
    if is_token and not _is_token(given.strip()):
        answer = _plain(_("This is not the token that METRICS_TOKEN names."), HTTPStatus.UNAUTHORIZED)
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    if not is_token and (refusal := _refusal(request)) is not None:
        return refusal
    registry = CollectorRegistry()
    registry.register(ScheduledTasksCollector(raises=True))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    try:
        return HttpResponse(encode(registry), content_type=content_type)
    except (DatabaseError, InterfaceError):
        return _plain(_("The database does not answer."), HTTPStatus.SERVICE_UNAVAILABLE)


def _is_token(given: str) -> bool:
    name = get_settings().METRICS_TOKEN
    token = str(getattr(settings, name, "") or os.environ.get(name, "")) if name else ""
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Return what is said to who may not see the metrics; None: who asks is a user who may."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        text = _("Send the token that METRICS_TOKEN names, as in Authorization: Bearer …, or sign in.")
        answer = _plain(text, HTTPStatus.UNAUTHORIZED)
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    if has_hook():
        text = _(
            "Metrics tell of all tasks, and VISIBLE_TASKS says that not everybody sees all: only the token opens them."
        )
        return _plain(text, HTTPStatus.FORBIDDEN)
    if not all(may(user, permission) for permission in NEEDED):
        return _plain(_("You may not see tasks, executions, alerts and holds."), HTTPStatus.FORBIDDEN)
    return None


def _plain(text: str, status: HTTPStatus) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
