"""What Sentry is told of an execution, where sentry-sdk is in use: whatever is reported meanwhile says whose it is.

Source: "Scopes and Clients", https://docs.sentry.io/platforms/python/enriching-events/scopes/
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.urls import NoReverseMatch, reverse

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Execution


@contextmanager
def reported(execution: Execution) -> Iterator[None]:
    """Let what is reported to Sentry within the block name *execution*: its task, tracking id, and page.

    A project that uses Sentry has imported it; in others this imports nothing.
    """
    sdk: Any = sys.modules.get("sentry_sdk")
    if sdk is None or not sdk.is_initialized():
        yield
        return
    with sdk.isolation_scope() as scope:
        scope.set_transaction_name(execution.task_name, source="task")
        scope.set_tag("task", execution.task_name)
        scope.set_tag("tracking_id", str(execution.tracking_id))
        about: dict[str, Any] = {"number": execution.pk, "attempt": execution.attempt}
        if page := _page_of(execution):
            about["page"] = page
        scope.set_context("execution", about)
        yield


def _page_of(execution: Execution) -> str:
    """Return the address of the page of *execution* in the admin; empty without ``SITE_URL`` or an admin."""
    site = get_settings().SITE_URL.rstrip("/")
    if not site:
        return ""
    try:
        return site + reverse("admin:django_scheduled_tasks_execution_change", args=[execution.pk])
    except NoReverseMatch:
        return ""
