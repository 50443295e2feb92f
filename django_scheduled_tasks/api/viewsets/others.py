"""The calls about functions, schedules that are not stored, and health."""

from __future__ import annotations

from http import HTTPStatus

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api import schema
from django_scheduled_tasks.api.base import ApiViewSet
from django_scheduled_tasks.api.serializers import answers, requests
from django_scheduled_tasks.api.viewsets.shapes import instant_json, occurrence_json
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.envelope import SERVER_ERROR, ErrorItem, Errors, envelope
from django_scheduled_tasks.services.health import examine
from django_scheduled_tasks.services.upcoming import preview


class FunctionViewSet(ApiViewSet):
    """Functions that may run."""

    noun = "functions"
    serializer_class = answers.RegisteredFunctions
    pagination_class = None
    permissions = {"list": permissions.VIEW_TASK}

    @extend_schema(
        summary="List functions", responses={200: answers.RegisteredFunctions, **schema.refusals()}, filters=False
    )
    def list(self, request: Request) -> Response:
        """Return the registered functions with the JSON Schema of their parameters."""
        found = [
            {
                "name": function.name,
                "description": function.description,
                "isAsync": function.is_async,
                "parameters": function.parameters.json_schema,
            }
            for function in registry.functions().values()
        ]
        return Response({"results": found})


class ScheduleViewSet(ApiViewSet):
    """Schedules that need not be stored."""

    noun = "schedules"
    serializer_class = requests.SchedulePreviewRequest
    permissions = {"preview": permissions.VIEW_TASK}

    @extend_schema(
        summary="Preview a schedule",
        responses={200: answers.SchedulePreview, **schema.body_refusals(422)},
        filters=False,
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Say what a schedule would do: a sentence, the next instants, and what may surprise."""
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        found = preview(
            asked["scheduleKind"],
            asked["expression"],
            timezone=asked["timezone"],
            starts_at=asked.get("startsAt"),
            ends_at=asked.get("endsAt"),
            count=asked["count"],
        )
        return Response(
            {
                "scheduleKind": found.schedule.kind,
                "expression": found.schedule.expression,
                "timezone": found.timezone,
                "description": found.description,
                "warnings": found.warnings,
                "upcoming": [occurrence_json(item) for item in found.upcoming],
            }
        )


class HealthViewSet(ApiViewSet):
    """The installation's health."""

    noun = "health"
    serializer_class = answers.SchedulerHealthEnvelope
    pagination_class = None
    permissions = {"list": permissions.VIEW_TASK}

    @extend_schema(
        summary="Whether all is well",
        responses={200: answers.SchedulerHealthEnvelope, **schema.refusals(503)},
        filters=False,
    )
    def list(self, request: Request) -> Response:
        """Answer 200, or 503 with the reasons: no scheduler is seen, tasks are overdue, executions are stuck."""
        health = examine()
        if health.is_good:
            info = {
                "schedulers": health.schedulers,
                "workerHosts": health.worker_hosts,
                "schedulerSeenAt": instant_json(health.scheduler_seen_at),
                "workerSeenAt": instant_json(health.worker_seen_at),
            }
            return Response({"info": info, "errors": None})
        status = HTTPStatus.SERVICE_UNAVAILABLE
        items = tuple(
            ErrorItem(origin=SERVER_ERROR, code=problem.code, message=problem.message, details=problem.details)
            for problem in health.problems
        )
        return Response(envelope(None, Errors(status=status, status_text=status.phrase, items=items)), status=status)
