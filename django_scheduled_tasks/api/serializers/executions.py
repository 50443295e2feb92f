"""An execution as a resource."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import CamelModelSerializer, EnumField, ObjectField
from django_scheduled_tasks.api.serializers.responses import ExecutionProgress, TaskErrorItem
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Attempt, Comment, Execution, ExecutionLog
from django_scheduled_tasks.services.envelope import error_items
from django_scheduled_tasks.services.permissions import VIEW_LOGS, may
from django_scheduled_tasks.services.secrets import shown_params

HEAVY = ("params", "result", "traceback", "error_message", "progress_message")
"""Columns that a list reads only when they are asked for, or never."""


class ExecutionAttemptSerializer(CamelModelSerializer):
    """An attempt that did not succeed."""

    outcome = EnumField(Outcome, read_only=True)
    errors: Any = serializers.SerializerMethodField(help_text="Why.")

    class Meta:
        model = Attempt
        fields = ("number", "started_at", "ended_at", "worker_host", "worker_pid", "outcome", "errors")
        read_only_fields = fields

    @extend_schema_field(TaskErrorItem(many=True))
    def get_errors(self, attempt: Attempt) -> list[dict[str, Any]]:
        """Return why, in the shape of all errors."""
        logs = self.context.get("logs", False)
        items = error_items(attempt, with_message=logs, with_traceback=logs)
        return [item.as_dict() for item in items]


class ExecutionSummarySerializer(CamelModelSerializer):
    """An execution as lists show it."""

    scheduled_task_id = serializers.UUIDField(source="task_id", allow_null=True, read_only=True)
    scheduled_task_name = serializers.CharField(source="task_name", read_only=True)
    trigger = EnumField(Trigger, read_only=True)
    triggered_by = serializers.CharField(source="triggered_by_name", allow_null=True, read_only=True)
    params = ObjectField(read_only=True, help_text="Secrets are masked.")
    status = EnumField(Status, read_only=True)
    outcome = EnumField(Outcome, read_only=True, allow_null=True, help_text="null while it is open.")
    progress = serializers.SerializerMethodField(help_text="null if the function did not say.")
    result = serializers.SerializerMethodField(help_text="null for those who may not see results.")
    errors: Any = serializers.SerializerMethodField(help_text="Why it did not succeed; empty if it did.")
    cancel_requested_by = serializers.CharField(source="cancel_requested_by_name", allow_null=True, read_only=True)
    rerun_of = serializers.UUIDField(
        source="rerun_of_tracking_id", allow_null=True, read_only=True, help_text="A tracking id."
    )
    blocked_by = serializers.UUIDField(
        source="blocked_by_tracking_id", allow_null=True, read_only=True, help_text="A tracking id."
    )

    class Meta:
        model = Execution
        fields: tuple[str, ...] = (
            *("id", "tracking_id", "scheduled_task_id", "scheduled_task_name", "function", "trigger", "triggered_by"),
            *("reason", "params", "status", "outcome", "triggered_at", "scheduled_for", "not_before", "started_at"),
            *("completed_at", "expires_at", "lease_until", "attempt", "worker_host", "worker_pid", "progress"),
            *("result", "result_format", "errors", "cancel_requested_at", "cancel_requested_by", "rerun_of"),
            *("blocked_by", "occurrences", "replay"),
        )
        read_only_fields = fields

    @property
    def sees_logs(self) -> bool:
        """Whether the reader may see results and tracebacks."""
        return bool(self.context.get("logs"))

    @extend_schema_field(ExecutionProgress(allow_null=True))
    def get_progress(self, execution: Execution) -> dict[str, Any] | None:
        """Return how far the function says it is."""
        values = (execution.progress_current, execution.progress_total, execution.progress_message)
        return dict(zip(("current", "total", "message"), values, strict=True)) if any(values) else None

    @extend_schema_field({"nullable": True, "description": "Any JSON value."})
    def get_result(self, execution: Execution) -> Any:
        """Return what the function returned."""
        return execution.result if self.sees_logs else None

    @extend_schema_field(TaskErrorItem(many=True))
    def get_errors(self, execution: Execution) -> list[dict[str, Any]]:
        """Return why it did not succeed; tracebacks are not for lists."""
        if not execution.error_message:  # asks for no permission
            return [item.as_dict() for item in error_items(execution, with_message=False, with_traceback=False)]
        may_read = self.sees_logs or may(self.context["request"].user, VIEW_LOGS, execution)
        return [item.as_dict() for item in error_items(execution, with_message=may_read, with_traceback=False)]

    def to_representation(self, instance: Execution) -> dict[str, Any]:
        """Return the resource, secrets masked."""
        found: dict[str, Any] = super().to_representation(instance)
        if "params" in found:
            found["params"] = shown_params(instance)
        return found


class ExecutionSerializer(ExecutionSummarySerializer):
    """An execution with all that is known of it."""

    attempts = ExecutionAttemptSerializer(many=True, read_only=True, help_text="Those that did not succeed.")

    class Meta(ExecutionSummarySerializer.Meta):
        fields = (*ExecutionSummarySerializer.Meta.fields, "attempts")
        read_only_fields = fields

    @extend_schema_field(TaskErrorItem(many=True))
    def get_errors(self, execution: Execution) -> list[dict[str, Any]]:
        """Return why it did not succeed, with the traceback for those who may see it."""
        logs = self.sees_logs
        return [item.as_dict() for item in error_items(execution, with_message=logs, with_traceback=logs)]


class ExecutionCommentSerializer(CamelModelSerializer):
    """What somebody said about an execution."""

    id = serializers.IntegerField(read_only=True)
    user = serializers.CharField(source="user_name", read_only=True, help_text="What the user was called then.")

    class Meta:
        model = Comment
        fields = ("id", "at", "user", "text")
        read_only_fields = fields


class ExecutionLogLineSerializer(CamelModelSerializer):
    """One line of an execution's log."""

    class Meta:
        model = ExecutionLog
        fields = ("number", "attempt", "logged_at", "level", "logger", "message")
        read_only_fields = fields


class ExecutionLogPage(serializers.Serializer[Any]):
    """Lines in order, and where to go on."""

    lines = ExecutionLogLineSerializer(many=True)
    next = serializers.IntegerField(help_text="Ask with `after=` this to read on.")
    open = serializers.BooleanField(help_text="Whether more lines may come.")
