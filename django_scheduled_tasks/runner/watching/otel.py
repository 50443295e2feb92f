"""A span for each attempt, and metrics of the attempts that this worker has run, for OpenTelemetry.

What is done with them is the project's affair: it sets up the SDK, or leaves it, and then they are nothing. The span is
not a child of the trigger's but linked to it: what runs at night is no part of a request that ended in the afternoon.

Source:
    "Messaging Spans" of OpenTelemetry's semantic conventions: a consumer's span is linked to that of the producer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django_scheduled_tasks.lifecycle import BAD_OUTCOMES, Outcome, Trigger
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.services.running.lateness import late_seconds
from django_scheduled_tasks.tracing import span_context, trace_api

NAME = "django_scheduled_tasks"
PREFIX = "scheduled_tasks_"
"""How the names of all metrics begin, as those for Prometheus."""
RETRIED, LOST = "retried", "lost"
"""What came of an attempt with which the execution has not ended: it is tried again, or others have it."""


def watcher() -> Callable[[RunningAttempt], AbstractContextManager[None]] | None:
    """Return what gives an attempt its span; None if OpenTelemetry's API is not installed."""
    return _Spans().around if trace_api() is not None else None


class _Spans:
    """The tracer and the instruments of this process."""

    def __init__(self) -> None:
        from opentelemetry import metrics  # noqa: PLC0415  (an extra)

        meter = metrics.get_meter(NAME)
        self._api = trace_api()
        self._executions = meter.create_counter(f"{PREFIX}executions", description="Executions that ended.")
        self._duration = meter.create_histogram(
            f"{PREFIX}duration_seconds", unit="s", description="How long executions ran, until they were done."
        )
        self._lateness = meter.create_histogram(
            f"{PREFIX}lateness_seconds",
            unit="s",
            description="How long after they were due scheduled executions began.",
        )

    @contextmanager
    def around(self, attempt: RunningAttempt) -> Iterator[None]:
        """Make a span the present one within the block."""
        execution, api = attempt.execution, self._api
        if isinstance(api.get_tracer_provider(), api.ProxyTracerProvider):  # nobody has set up the SDK for traces
            yield
            self._measure(attempt, outcome_of(attempt))
            return
        trigger = span_context(execution.traceparent)
        with api.get_tracer(NAME).start_as_current_span(
            execution.function,
            kind=api.SpanKind.CONSUMER,
            links=[api.Link(trigger)] if trigger is not None else (),
            attributes=attributes_of(execution),
            # Its message may have a secret in it; the execution's page has it masked.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield
            outcome = outcome_of(attempt)
            span.set_attribute("scheduled_tasks.outcome", outcome)
            if attempt.error is not None:
                span.set_attribute("error.type", type(attempt.error).__qualname__)
            if outcome in BAD_OUTCOMES or outcome == RETRIED:
                span.set_status(api.StatusCode.ERROR, outcome)
        self._measure(attempt, outcome)

    def _measure(self, attempt: RunningAttempt, outcome: str) -> None:
        execution = attempt.execution
        if outcome in {RETRIED, LOST}:
            return
        task = "" if execution.task is None or execution.task.key is not None else execution.task_name
        self._executions.add(1, {"task": task, "function": execution.function, "outcome": outcome})
        of_function = {"function": execution.function}
        if outcome in {Outcome.SUCCEEDED, Outcome.FAILED}:
            self._duration.record(attempt.clock.elapsed, of_function)
        is_first = execution.trigger == Trigger.SCHEDULE and execution.attempt == 1
        if is_first and (late := late_seconds(execution)) is not None:
            self._lateness.record(late, of_function)


def attributes_of(execution: Execution) -> dict[str, Any]:
    """Return the attributes that a span has from its beginning."""
    found: dict[str, Any] = {
        "scheduled_tasks.task": execution.task_name,
        "scheduled_tasks.tracking_id": str(execution.tracking_id),
        "scheduled_tasks.attempt": execution.attempt,
        "scheduled_tasks.trigger": str(execution.trigger),
        "code.function.name": execution.function,
    }
    if execution.release:
        found["scheduled_tasks.release"] = execution.release
    if (late := late_seconds(execution)) is not None:
        found["scheduled_tasks.lateness"] = late
    return found


def outcome_of(attempt: RunningAttempt) -> str:
    """Return how the execution has ended with this attempt, or what came of the attempt instead."""
    if attempt.execution.outcome:
        return str(attempt.execution.outcome)
    return RETRIED if attempt.error is not None else LOST
