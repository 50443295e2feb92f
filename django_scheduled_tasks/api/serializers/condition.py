"""How a task is, as part of its JSON."""
# ruff: noqa: N815  (JSON keys)

from __future__ import annotations

from enum import StrEnum
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import EnumField, InstantField
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.queries.condition import Condition, conditions_of

FIELDS = ("state", "lastExecution", "lastSuccessAt", "usualSeconds")


class TaskStateWord(StrEnum):
    """How a task is; of several the first in this order that holds."""

    BROKEN = "broken"
    """No process that runs can start it."""
    PAUSED = "paused"
    """The schedule is paused or switched off."""
    ELSEWHERE = "elsewhere"
    """It runs by schedule in other environments only."""
    HELD = "held"
    """A hold keeps it from starting."""
    LATE = "late"
    """It should have started a while ago."""
    RUNNING = "running"
    """An execution runs."""
    FAILING = "failing"
    """The last execution that ran did not succeed."""
    DONE = "done"
    """Its schedule has ended."""
    OK = "ok"
    """None of these."""


class LastExecution(serializers.Serializer[Any]):
    """The newest execution of a task."""

    trackingId = serializers.UUIDField()
    status = EnumField(Status)
    outcome = EnumField(Outcome, allow_null=True)
    triggeredAt = InstantField()
    startedAt = InstantField(allow_null=True)
    completedAt = InstantField(allow_null=True)


class ConditionMixin(serializers.Serializer[Any]):
    """The fields, for the serializer of tasks."""

    state = serializers.SerializerMethodField(help_text="How it is, in one word.")
    lastExecution = serializers.SerializerMethodField(help_text="Its newest execution.")
    lastSuccessAt = serializers.SerializerMethodField(help_text="When an execution last completed.")
    usualSeconds = serializers.SerializerMethodField(
        help_text="How long its newest executions that completed took: their median, in seconds."
    )

    def _condition(self, task: ScheduledTask) -> Condition:
        """Return how *task* is; of a list read for all of its tasks at once, the first time one is asked for."""
        context: Any = self.context
        known: dict[Any, Condition] = context.setdefault("conditions", {})
        if task.pk not in known:
            parent = self.parent
            rows = parent.instance if isinstance(parent, serializers.ListSerializer) else None
            known |= conditions_of(rows if isinstance(rows, list) and task in rows else [task])
        return known.get(task.pk) or _NOTHING

    @extend_schema_field(EnumField(TaskStateWord))
    def get_state(self, task: ScheduledTask) -> str:
        """Return the word."""
        return self._condition(task).word

    @extend_schema_field(LastExecution(allow_null=True))
    def get_lastExecution(self, task: ScheduledTask) -> dict[str, Any] | None:  # noqa: N802
        """Return the newest execution."""
        row = self._condition(task).last
        if row is None:
            return None
        return {
            "trackingId": str(row.tracking_id),
            "status": row.status,
            "outcome": row.outcome or None,
            **{
                key: iso_milliseconds(value) if value is not None else None
                for key, value in (
                    ("triggeredAt", row.triggered_at),
                    ("startedAt", row.started_at),
                    ("completedAt", row.completed_at),
                )
            },
        }

    @extend_schema_field(InstantField(allow_null=True))
    def get_lastSuccessAt(self, task: ScheduledTask) -> str | None:  # noqa: N802
        """Return the instant."""
        at = self._condition(task).last_success_at
        return iso_milliseconds(at) if at is not None else None

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_usualSeconds(self, task: ScheduledTask) -> float | None:  # noqa: N802
        """Return the median."""
        usual = self._condition(task).usual
        return round(usual.total_seconds(), 3) if usual is not None else None


_NOTHING = Condition("ok", None, None, None)
