"""The call about the load of the week."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.load import ClockChanges, LoadOfWeek, clock_changes_json
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.queries.clock_changes import next_changes
from django_scheduled_tasks.services.queries.load.as_json import load_json
from django_scheduled_tasks.services.queries.load.week import week_load


class LoadViewSet(ApiViewSet):
    """How many worker processes what is due will keep busy."""

    noun = "load"
    serializer_class = LoadOfWeek
    permissions = {"list": permissions.VIEW_TASK, "clock_changes": permissions.VIEW_TASK}
    query = {"list": ["queue"]}

    @extend_schema(
        summary="The load of the week",
        parameters=[parts.QUEUE],
        responses={200: LoadOfWeek, **parts.refusals(422)},
        filters=False,
    )
    def list(self, request: Request) -> Response:
        """Say how many worker processes are expected to be busy in the week from next Monday on, and the worst minutes.

        To spread tasks that meet, change their ``spread``.
        """
        return Response(load_json(week_load(queue=request.query_params.get("queue"), now=read_now())))

    @extend_schema(
        summary="The next clock changes",
        responses={200: ClockChanges, **parts.refusals()},
        filters=False,
    )
    @action(detail=False, methods=["get"], url_path="clock-changes", url_name="clock-changes")
    def clock_changes(self, request: Request) -> Response:
        """Say which tasks the next change of each zone's clock touches, and what becomes of each."""
        return Response(clock_changes_json(next_changes(read_now())))
