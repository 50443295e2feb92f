"""The calls about tasks."""

from __future__ import annotations

from typing import Any

from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from django_scheduled_tasks.api.errors import DomainErrorsMixin
from django_scheduled_tasks.api.serializers import RunOnceSerializer
from django_scheduled_tasks.lifecycle import Overlap, Trigger
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.envelope import ExecutionInfo, envelope
from django_scheduled_tasks.services.executions import run_once
from django_scheduled_tasks.services.lookup import get_execution_of
from django_scheduled_tasks.services.permissions import RUN_TASK, VIEW_EXECUTION, VIEW_LOGS, may, require, requiring

RETRY_AFTER_SECONDS = 1
"""When to ask again while an execution is open."""


class ScheduledTaskViewSet(DomainErrorsMixin, viewsets.GenericViewSet[Any]):
    """Scheduled tasks, by name or id."""

    lookup_field = "task"
    lookup_value_regex = "[^/]+"
    permission_classes = ()  # each call asks for its own permission, on the row it is about
    serializer_class = RunOnceSerializer

    @action(detail=True, methods=["post"], url_path="run-once", url_name="run-once")
    def run_once(self, request: Request, task: str) -> Response:
        """Start a task outside its schedule, and answer with its tracking id at once."""
        require_login(request)
        body = RunOnceSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        done = run_once(
            task,
            params=asked.get("params"),
            reason=asked.get("reason", ""),
            not_before=asked.get("not_before"),
            overlap=Overlap(asked["overlap"]) if asked.get("overlap") else None,
            trigger=Trigger.API,
            user=request.user,  # type: ignore[arg-type]  # somebody is logged in
            authorize=requiring(request.user, RUN_TASK),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        headers = {
            "Location": reverse("scheduled-tasks:task-status", args=[task, done.execution.tracking_id], request=request)
        }
        if done.replayed:
            headers["Idempotent-Replayed"] = "true"
        code = status.HTTP_200_OK if done.replayed else status.HTTP_202_ACCEPTED
        return answer(request, done.execution, code, headers)

    @action(detail=True, methods=["get"], url_path=r"status/(?P<tracking_id>[^/]+)", url_name="status")
    def status(self, request: Request, task: str, tracking_id: str) -> Response:
        """Say where an execution of this task is."""
        require_login(request)
        execution = get_execution_of(task, tracking_id)
        require(request.user, VIEW_EXECUTION, execution)
        return answer(request, execution, status.HTTP_200_OK, {})


def require_login(request: Request) -> None:
    """Refuse strangers before anything is looked up: they learn nothing about which tasks there are."""
    if not request.user.is_authenticated:
        require(None, VIEW_EXECUTION)


def answer(request: Request, execution: Execution, code: int, headers: dict[str, str]) -> Response:
    """Return the envelope of *execution*, with what this user may see of it."""
    logs = may(request.user, VIEW_LOGS, execution)
    if execution.is_open:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Response(envelope(ExecutionInfo.of(execution, with_traceback=logs)), status=code, headers=headers)
