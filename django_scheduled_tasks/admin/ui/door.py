"""The admin as a door: whatever is done behind its addresses is recorded as done through it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from django_scheduled_tasks.models import Way
from django_scheduled_tasks.services.door import through
from django_scheduled_tasks.services.visibility import seen_by


def through_admin(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return *view* such that what it does is recorded as done through the admin, from the client's address."""

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        address = request.META.get("REMOTE_ADDR") or ""
        with through(Way.ADMIN, address=address), seen_by(getattr(request, "user", None)):
            return view(request, *args, **kwargs)

    return entered
