"""Previews of schedules."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import requests, responses
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.lifecycle import OnExcluded
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.queries.upcoming import preview


class ScheduleViewSet(ApiViewSet):
    """Schedules that need not be stored."""

    noun = "schedules"
    serializer_class = requests.SchedulePreviewRequest
    permissions = {"preview": permissions.VIEW_TASK}

    @extend_schema(
        summary="Preview a schedule",
        responses={200: responses.SchedulePreview, **parts.body_refusals(422)},
        filters=False,
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Say what a schedule would do: a sentence, the next instants, and what may surprise."""
        asked = self.body_of(request)
        found = preview(
            asked["scheduleKind"],
            asked["expression"],
            timezone=asked["timezone"],
            starts_at=asked.get("startsAt"),
            ends_at=asked.get("endsAt"),
            max_runs=asked.get("maxRuns"),
            spread=asked.get("spread"),
            calendars=asked.get("calendars", ()),
            on_excluded=asked.get("onExcluded", OnExcluded.SKIP),
            count=asked["count"],
        )
        return Response(
            {
                "scheduleKind": found.schedule.kind,
                "expression": found.schedule.expression,
                "timezone": found.timezone,
                "description": found.description,
                "warnings": found.warnings,
                "upcoming": [responses.occurrence_json(item) for item in found.upcoming],
                "excluded": [responses.excluded_json(item) for item in found.excluded],
            }
        )
