"""Attempts as others see them while they run: spans and metrics of OpenTelemetry, the scope of Sentry's events.

Each is there only where its library is installed; without any of them nothing is done at all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache

from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.watching import otel, sentry

Watcher = Callable[[RunningAttempt], AbstractContextManager[None]]


def watched(attempt: RunningAttempt) -> AbstractContextManager[object]:
    """Let others see *attempt* within the block, in which its function runs and its end is recorded."""
    watchers = _watchers()
    if not watchers:
        return nullcontext()
    stack = ExitStack()
    for watcher in watchers:
        stack.enter_context(watcher(attempt))
    return stack


@cache
def _watchers() -> tuple[Watcher, ...]:
    return tuple(watcher for watcher in (otel.watcher(), sentry.watcher()) if watcher is not None)
