"""The calls that leave out occurrences of a task that are ahead, and take that back."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.query import asked_instant
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import responses
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.permissions import PAUSE_TASK, requiring
from django_scheduled_tasks.services.tasks.skips import skip, undo_skip


class SkipMixin(ApiViewSet):
    """The calls, for the view of tasks."""

    def get_task(self, rows: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
        """Return the task that the call is about, if the user may make the call."""
        raise NotImplementedError

    @extend_schema(
        summary="Skip runs",
        parameters=[parts.TASK],
        responses={200: responses.SkippedRuns, **parts.body_refusals(404, 422)},
    )
    @action(detail=True, methods=["post"], filter_backends=(), pagination_class=None)
    def skip(self, request: Request, task: str) -> Response:
        """Leave out runs that are ahead: the next ones, some, or all of a range. Each gets a row that says who and why.

        They do not count as runs; it can still be run once.
        """
        asked = self.body_of(request)
        done = skip(
            task,
            count=asked.get("count"),
            at=asked.get("at", ()),
            start=asked.get("from"),
            end=asked.get("to"),
            reason=asked.get("reason", ""),
            user=self.user,
            authorize=requiring(request.user, PAUSE_TASK),
        )
        return Response(responses.skipped_json(done))

    @extend_schema(
        summary="Undo skipping",
        parameters=[parts.TASK, parts.SKIPPED_AT],
        request=None,
        responses={200: responses.SkippedRuns, **parts.refusals(404, 422)},
    )
    @skip.mapping.delete
    def undo_skip(self, request: Request, task: str) -> Response:
        """Let what was to be left out take place again: what `at` belongs to, or all that is ahead."""
        at = asked_instant(request, "at")
        done = undo_skip(task, at=at, user=self.user, authorize=requiring(request.user, PAUSE_TASK))
        return Response(responses.skipped_json(done))
