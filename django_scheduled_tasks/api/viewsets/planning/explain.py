"""The calls that say something of a task and store nothing: why it ran, what is ahead, what a change would make."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.query import asked_number
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import responses
from django_scheduled_tasks.api.serializers.base import MOST_PREVIEWED
from django_scheduled_tasks.api.serializers.before_after import ChangePreview, change_preview_json
from django_scheduled_tasks.api.serializers.holds import TaskExplanation
from django_scheduled_tasks.api.serializers.tasks import left_out_of_form
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.models import ScheduledTask, with_now
from django_scheduled_tasks.schedules import describe
from django_scheduled_tasks.services.queries.explain.question import explain
from django_scheduled_tasks.services.queries.explain.when import read_when
from django_scheduled_tasks.services.queries.upcoming import excluded_among, occurrences_ahead
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.changes.before_after import before_after


class ExplainMixin(ApiViewSet):
    """These calls, for the view of tasks."""

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

    @extend_schema(
        summary="Preview a change",
        parameters=[parts.TASK],
        responses={200: ChangePreview, **parts.body_refusals(404, 422)},
    )
    @action(detail=True, methods=["post"], url_path="preview-change", url_name="preview-change")
    def preview_change(self, request: Request, task: str) -> Response:
        """Say what a change of some fields would make of the next seven days and what is under way. Stores nothing."""
        row = self.get_task()
        serializer = self.get_serializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        kept = {*left_out_of_form(request.data), "reason"}
        values = {name: item for name, item in serializer.validated_data.items() if name not in kept}
        found = before_after(row, edit.changed_task(row, **values), asked=values.get("params"))
        return Response(change_preview_json(found))

    @extend_schema(
        summary="What is ahead",
        parameters=[parts.TASK, parts.COUNT],
        responses={200: responses.UpcomingOccurrences, **parts.refusals(404, 422)},
    )
    @action(detail=True, methods=["get"], filter_backends=(), pagination_class=None)
    def upcoming(self, request: Request, task: str) -> Response:
        """Say when the task is due next; never, while it is paused or switched off."""
        row = self.get_task(with_now(ScheduledTask.objects.all()))
        count = asked_number(request, "count", default=10, least=1, most=MOST_PREVIEWED)
        ahead = occurrences_ahead(row, count=count, now=row.database_now)
        found = {
            "description": describe(row.schedule),
            "timezone": row.timezone,
            "upcoming": [responses.occurrence_json(item) for item in ahead],
            "excluded": [responses.excluded_json(item) for item in excluded_among(row, ahead, now=row.database_now)],
        }
        return Response(found)
