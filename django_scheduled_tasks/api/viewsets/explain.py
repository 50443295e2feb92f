"""The call that says why a task ran, or did not run, at an instant."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.holds import TaskExplanation
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.models import ScheduledTask, with_now
from django_scheduled_tasks.services.queries.explain import explain
from django_scheduled_tasks.services.queries.when import read_when


class ExplainMixin(ApiViewSet):
    """The call, for the view of tasks."""

    def get_task(self, rows: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
        """Return the task that the call is about, if the user may make the call."""
        raise NotImplementedError

    @extend_schema(
        summary="Why at an instant",
        parameters=[parts.TASK, parts.AT],
        responses={200: TaskExplanation, **parts.refusals(404, 422)},
    )
    @action(detail=True, methods=["get"], filter_backends=(), pagination_class=None)
    def explain(self, request: Request, task: str) -> Response:
        """Say why the task ran, or did not run, at an instant, in one sentence with the facts behind it."""
        row = self.get_task(with_now(ScheduledTask.objects.all()))
        when = read_when(request.query_params.get("at", ""), timezone=row.timezone, now=row.database_now)
        return Response(explain(row, when).as_dict())
