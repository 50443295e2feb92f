"""The calls about executions."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, Prefetch, QuerySet
from django.http import HttpResponseBase
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.filters import ExecutionFilter
from django_scheduled_tasks.api.http.pagination import NewestFirst
from django_scheduled_tasks.api.http.query import asked_number
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import requests, responses
from django_scheduled_tasks.api.serializers.executions import (
    ExecutionCommentSerializer,
    ExecutionLogLineSerializer,
    ExecutionLogPage,
    ExecutionSerializer,
    ExecutionSummarySerializer,
)
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.api.viewsets.status import info_of, retry_after, started
from django_scheduled_tasks.api.viewsets.streaming import EVENT_STREAM, stream_of
from django_scheduled_tasks.exceptions import TaskNotFound
from django_scheduled_tasks.models import Attempt, Execution, with_now, write_alias
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.comments import add_comment, comments_on
from django_scheduled_tasks.services.envelope import envelope
from django_scheduled_tasks.services.following.follow import Follower
from django_scheduled_tasks.services.queries.lookup import get_execution
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.running.logs import lines_after
from django_scheduled_tasks.services.starting.run_once import run_once

MOST_LINES = 1_000
"""The most log lines of one answer."""


def for_reading(rows: QuerySet[Execution]) -> QuerySet[Execution]:
    """Add what the resource shows of other tables."""
    username = get_user_model().USERNAME_FIELD
    found: QuerySet[Execution] = rows.annotate(
        triggered_by_name=F(f"triggered_by__{username}"),
        cancel_requested_by_name=F(f"cancel_requested_by__{username}"),
        rerun_of_tracking_id=F("rerun_of__tracking_id"),
        blocked_by_tracking_id=F("blocked_by__tracking_id"),
    )
    return found


@extend_schema_view(
    list=extend_schema(
        summary="List executions",
        parameters=[parts.FIELDS],
        responses={200: ExecutionSummarySerializer(many=True), **parts.refusals(404)},
    )
)
class ExecutionViewSet(ListModelMixin, ApiViewSet):
    """Executions, by tracking id; lists are newest first."""

    noun = "executions"
    queryset = Execution.objects.all()
    lookup_field = "tracking_id"
    lookup_url_kwarg = "trackingId"
    lookup_value_regex = "[^/]+"
    serializer_class = ExecutionSummarySerializer
    pagination_class = NewestFirst
    filter_backends = (DjangoFilterBackend,)
    filterset_class = ExecutionFilter
    triggers = frozenset({"rerun"})
    permissions = {
        "list": permissions.VIEW_EXECUTION,
        "retrieve": permissions.VIEW_EXECUTION,
        "logs": permissions.VIEW_LOGS,
        "events": permissions.VIEW_EXECUTION,
        "comments": permissions.VIEW_EXECUTION,
        "comment": permissions.COMMENT_EXECUTION,
        "cancel": permissions.CANCEL_EXECUTION,
        "rerun": permissions.RUN_TASK,
    }
    query = {"list": ["fields"], "retrieve": ["fields"], "logs": ["after", "limit"]}
    bodies = {
        "cancel": requests.CancelRequest,
        "rerun": requests.RerunRequest,
        "comment": requests.ExecutionCommentRequest,
    }

    def get_queryset(self) -> QuerySet[Execution]:
        """Return the rows of a list, without heavy columns that nobody asked for."""
        rows = for_reading(Execution.objects.all())
        wanted = self.get_serializer_context().get("fields", [])
        keys = {"params": "params", "secret_params": "params", "result": "result", "error_message": "errors"}
        unread = [
            column
            for column, key in keys.items()
            if (wanted and key not in wanted) or (key == "result" and not self.sees_logs)
        ]
        return rows.defer("traceback", *unread)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Choose the format; a browser that wants a stream of events accepts nothing else, and errors are JSON."""
        return super().perform_content_negotiation(request, force=force or self.action == "events")

    @cached_property
    def sees_logs(self) -> bool:
        """Whether the reader may see the results and tracebacks of all executions."""
        return permissions.may(self.request.user, permissions.VIEW_LOGS)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what serializers know of the reader."""
        context = super().get_serializer_context()
        return context | {"logs": self.request is not None and self.sees_logs}

    def object_of_page(self) -> Any:
        """Return what the page of the browsable API is about: for a rerun, whether it may be run is the task's."""
        execution = self._execution_of_page
        return execution.task if self.action == "rerun" else execution

    @cached_property
    def _execution_of_page(self) -> Execution:
        return get_execution(self.kwargs["trackingId"])

    def _get(self, rows: QuerySet[Execution] | None = None) -> Execution:
        execution = get_execution(self.kwargs["trackingId"], rows)
        self.check_object_permissions(self.request, execution)
        return execution

    @extend_schema(
        summary="Read an execution",
        parameters=[parts.TRACKING_ID, parts.FIELDS],
        responses={200: ExecutionSerializer, **parts.refusals(404)},
    )
    def retrieve(self, request: Request, trackingId: str) -> Response:  # noqa: N803  (as in the address, here and below)
        """Return all that is known of an execution."""
        # Attempts as well from where they are written: a replica may not have them yet.
        rows = for_reading(Execution.objects.all())
        attempts = Prefetch("attempts", Attempt.objects.using(write_alias()).order_by("number"))
        execution = self._get(rows.prefetch_related(attempts))
        logs = permissions.may(request.user, permissions.VIEW_LOGS, execution)
        context = self.get_serializer_context() | {"logs": logs}
        return Response(ExecutionSerializer(execution, context=context).data)

    @extend_schema(
        summary="Read its log",
        parameters=[parts.TRACKING_ID, parts.AFTER, parts.LIMIT, parts.LOG_RETRY_AFTER],
        responses={200: ExecutionLogPage, **parts.refusals(404)},
    )
    @action(detail=True, methods=["get"], filter_backends=(), pagination_class=None)
    def logs(self, request: Request, trackingId: str) -> Response:  # noqa: N803
        """Return log lines after the one with number `after`, in order."""
        after = asked_number(request, "after", default=0, least=0, most=2**31 - 1)
        limit = asked_number(request, "limit", default=MOST_LINES, least=1, most=MOST_LINES)
        # First whether it is open, then its lines: what it wrote at its end is then not missed by who stops there.
        execution = self._get(with_now(Execution.objects.all()))
        lines = list(lines_after(execution, after)[:limit])
        page = {
            "lines": ExecutionLogLineSerializer(lines, many=True).data,
            "next": lines[-1].number if lines else after,
            "open": execution.is_open or len(lines) == limit,
        }
        wait = {"Retry-After": str(retry_after(execution, execution.database_now))} if execution.is_open else {}
        return Response(page, headers=wait)

    @extend_schema(
        summary="Follow it",
        parameters=[parts.TRACKING_ID, parts.LAST_EVENT_ID],
        responses={
            (200, EVENT_STREAM): parts.described(OpenApiTypes.STR, "Events `status`, `progress`, `log`, `error`."),
            204: parts.described(None, "It has ended, and the client knows everything."),
            **parts.refusals(404, 501),
        },
    )
    @action(detail=True, methods=["get"], filter_backends=(), pagination_class=None)
    def events(self, request: Request, trackingId: str) -> HttpResponseBase:  # noqa: N803
        """Stream what happens to it as Server-Sent Events, until it ends: its status, progress, lines of its log."""
        execution = self._get()
        follower = Follower(execution, user=request.user)
        follower.go_on_after(request.headers.get("Last-Event-ID", ""))
        return stream_of(request, execution, follower)

    @extend_schema(
        summary="Read its comments",
        parameters=[parts.TRACKING_ID],
        responses={200: ExecutionCommentSerializer(many=True), **parts.refusals(404)},
    )
    @action(detail=True, methods=["get"], filter_backends=(), pagination_class=None)
    def comments(self, request: Request, trackingId: str) -> Response:  # noqa: N803
        """Return what people have said about it, in order; of more than 200 the newest."""
        return Response(ExecutionCommentSerializer(comments_on(self._get()), many=True).data)

    @extend_schema(
        summary="Comment on an execution",
        parameters=[parts.TRACKING_ID],
        responses={201: ExecutionCommentSerializer, **parts.body_refusals(404, 422)},
    )
    @comments.mapping.post
    def comment(self, request: Request, trackingId: str) -> Response:  # noqa: N803
        """Say something about it, for all who may see it."""
        execution, text = self._get(), self.body_of(request)["text"]
        made = add_comment(execution, text, user=self.user)
        return Response(ExecutionCommentSerializer(made).data, status=HTTPStatus.CREATED)

    @extend_schema(
        summary="Cancel an execution",
        parameters=[parts.TRACKING_ID],
        responses={
            200: parts.described(responses.ExecutionEnvelope, "It will not start, or has stopped."),
            202: parts.described(responses.ExecutionEnvelope, "It was asked to stop."),
            **parts.body_refusals(404, 409),
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, trackingId: str) -> Response:  # noqa: N803
        """Cancel it: one that waits ends at once, one that runs is asked to stop."""
        seconds = self.body_of(request).get("forceAfter")
        execution = cancel(
            trackingId,
            user=self.user,
            force_after=timedelta(seconds=seconds) if seconds is not None else None,
            authorize=lambda row: self.check_object_permissions(request, row),
        )
        code = HTTPStatus.ACCEPTED if execution.is_open else HTTPStatus.OK
        return Response(envelope(info_of(request, execution)), status=code)

    @extend_schema(
        summary="Repeat an execution",
        parameters=[parts.TRACKING_ID, parts.KEY, *parts.STARTED_HEADERS],
        responses={**parts.started_responses(), **parts.body_refusals(404, 409, 422)},
    )
    @action(detail=True, methods=["post"])
    def rerun(self, request: Request, trackingId: str) -> Response:  # noqa: N803
        """Start its task once more with the same parameters, for the same occurrence if it was of one."""
        asked = self.body_of(request)
        earlier = get_execution(trackingId)
        if earlier.task is None:
            self.check_object_permissions(request, earlier)
            raise TaskNotFound(earlier.task_name)
        overlap = asked.get("overlap")
        done = run_once(
            earlier.task,
            params=asked.get("params"),
            reason=asked.get("reason", ""),
            not_before=asked.get("notBefore"),
            overlap=overlap,
            user=self.user,
            authorize=self.authorizing(overlap),
            idempotency_key=request.headers.get("Idempotency-Key"),
            rerun_of=earlier,
        )
        return started(request, done)
