"""What Sentry's events of a running function say of its execution, and the event of a function that fails.

Source:
    "Scopes and Hubs" and "Unified Scope Model" of Sentry's developer documentation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.urls import NoReverseMatch, reverse

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import BAD_OUTCOMES
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.attempt import RunningAttempt


def watcher() -> Callable[[RunningAttempt], AbstractContextManager[None]] | None:
    """Return what gives an attempt a scope of its own; None if the project has not set up Sentry."""
    sdk: Any = sys.modules.get("sentry_sdk")  # only a project that imports it has set it up
    if sdk is None or not sdk.get_client().is_active():
        return None

    @contextmanager
    def around(attempt: RunningAttempt) -> Iterator[None]:
        execution = attempt.execution
        with sdk.isolation_scope() as scope:
            scope.set_transaction_name(execution.function, source="task")
            scope.set_tag("task", execution.task_name)
            scope.set_tag("tracking_id", str(execution.tracking_id))
            scope.set_context("execution", facts_of(execution))
            # Local variables and messages may have the secrets of the parameters in them.
            scope.add_event_processor(lambda event, _hint: attempt.masker.json(event))
            yield
            if attempt.error is not None and execution.outcome in BAD_OUTCOMES:
                sdk.capture_exception(attempt.error)

    return around


def facts_of(execution: Execution) -> dict[str, Any]:
    """Return what an event says of *execution*, with the address of its page where ``SITE_URL`` is set."""
    found: dict[str, Any] = {"number": execution.pk, "attempt": execution.attempt, "trigger": str(execution.trigger)}
    if site := get_settings().SITE_URL.rstrip("/"):
        try:
            found["url"] = site + reverse("admin:django_scheduled_tasks_execution_change", args=[execution.pk])
        except NoReverseMatch:  # the project has no admin
            found["url"] = site
    return found
