"""The calls about tasks."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from django_scheduled_tasks.api.http.browsable import run_once_form
from django_scheduled_tasks.api.http.conditions import asked_versions, etag_of_task
from django_scheduled_tasks.api.http.filters import TaskFilter
from django_scheduled_tasks.api.http.pagination import NumberedPages
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import requests
from django_scheduled_tasks.api.serializers.carrying import ImportRequest
from django_scheduled_tasks.api.serializers.keys import BulkRequest, KeyedTaskSerializer
from django_scheduled_tasks.api.serializers.tasks import ScheduledTaskSerializer, defaults, left_out_of_form
from django_scheduled_tasks.api.viewsets.carrying import CarryMixin
from django_scheduled_tasks.api.viewsets.keys import KeyMixin
from django_scheduled_tasks.api.viewsets.planning.explain import ExplainMixin
from django_scheduled_tasks.api.viewsets.planning.skips import SkipMixin
from django_scheduled_tasks.api.viewsets.starting import StartMixin
from django_scheduled_tasks.api.viewsets.status import address_of, asked_wait, status_response
from django_scheduled_tasks.db.connections.jit import without_jit
from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.models import ScheduledTask, with_now
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.queries.lookup import execution_of, get_task, get_task_by_key
from django_scheduled_tasks.services.starting.resume import resume_task
from django_scheduled_tasks.services.tasks import edit


@extend_schema_view(
    list=extend_schema(
        summary="List tasks",
        parameters=[parts.FIELDS],
        responses={200: ScheduledTaskSerializer(many=True), **parts.refusals(404)},
    ),
)
class ScheduledTaskViewSet(ListModelMixin, StartMixin, KeyMixin, CarryMixin, SkipMixin, ExplainMixin):
    """Scheduled tasks, by name or id."""

    noun = "tasks"
    queryset = ScheduledTask.objects.all()
    lookup_field = "task"
    lookup_value_regex = "[^/]+"
    serializer_class = ScheduledTaskSerializer
    pagination_class = NumberedPages
    filter_backends = (DjangoFilterBackend,)
    filterset_class = TaskFilter
    triggers = frozenset({"run_once", "run_many", "backfill"})
    permissions = {
        "list": permissions.VIEW_TASK,
        "retrieve": permissions.VIEW_TASK,
        "create": permissions.ADD_TASK,
        "update": permissions.CHANGE_TASK,
        "partial_update": permissions.CHANGE_TASK,
        "destroy": permissions.DELETE_TASK,
        "run_once": permissions.RUN_TASK,
        "run_many": permissions.RUN_TASK,
        "status": permissions.VIEW_EXECUTION,
        "pause": permissions.PAUSE_TASK,
        "resume": permissions.PAUSE_TASK,
        "skip": permissions.PAUSE_TASK,
        "undo_skip": permissions.PAUSE_TASK,
        "upcoming": permissions.VIEW_TASK,
        "preview_change": permissions.CHANGE_TASK,
        "explain": permissions.VIEW_TASK,
        "backfill": permissions.RUN_TASK,
        "by_key": permissions.VIEW_TASK,
        "put_by_key": permissions.CHANGE_TASK,
        "delete_by_key": permissions.DELETE_TASK,
        "bulk": permissions.CHANGE_TASK,
        "export": permissions.VIEW_TASK,
        "import_": permissions.CHANGE_TASK,
    }
    query = {
        "list": ["fields"],
        "retrieve": ["fields"],
        "by_key": ["fields"],
        "upcoming": ["count"],
        "status": ["wait"],
        "export": ["tag"],
    } | {
        "explain": ["at"],
        "undo_skip": ["at"],
    }
    bodies = {
        "run_once": requests.RunOnceRequest,
        "run_many": requests.RunManyRequest,
        "pause": requests.PauseRequest,
        "resume": requests.ResumeRequest,
        "backfill": requests.BackfillRequest,
        "skip": requests.SkipRequest,
        "put_by_key": KeyedTaskSerializer,
        "bulk": BulkRequest,
        "import_": ImportRequest,
    }

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of tasks."""
        # From some 100,000 tasks on PostgreSQL would compile the statement that says how each of the page is.
        with without_jit(self.get_queryset().db):
            return super().list(request, *args, **kwargs)

    def get_object(self) -> ScheduledTask:
        """Return the task that the call is about, if the user may make the call."""
        return self.get_task()

    def get_task(self, rows: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
        """Return the same, from *rows*."""
        task = self._find(rows)
        self.check_object_permissions(self.request, task)
        return task

    def _find(self, rows: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
        key = self.kwargs.get("key")
        return get_task(self.kwargs["task"], rows) if key is None else get_task_by_key(key, rows)

    @cached_property
    def _task_of_page(self) -> ScheduledTask:
        return self._find()

    def object_of_page(self) -> ScheduledTask:
        """Return what the page of the browsable API is about."""
        return self._task_of_page

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer[Any]:
        """Return the serializer of the call; of a form, with a field for each parameter."""
        if self.action == "run_once" and self.is_for_form():
            kwargs.setdefault("context", self.get_serializer_context())
            return run_once_form(self._task_of_page, **kwargs)
        return super().get_serializer(*args, **kwargs)

    def _response(self, row: ScheduledTask, status: int = HTTPStatus.OK) -> Response:
        found = ScheduledTaskSerializer(row, context=self.get_serializer_context()).data
        return Response(found, status, headers={"ETag": etag_of_task(row)})

    # --- resources ------------------------------------------------------------------------------------------------

    @extend_schema(
        summary="Read a task",
        parameters=[parts.TASK, parts.FIELDS, parts.TASK_ETAG],
        responses={200: ScheduledTaskSerializer, **parts.refusals(404)},
    )
    def retrieve(self, request: Request, task: str) -> Response:
        """Return a task."""
        return self._response(self.get_object())

    @extend_schema(
        summary="Create a task",
        responses={201: ScheduledTaskSerializer, **parts.body_refusals(422)},
        parameters=[parts.header("Location", "The address of the task.", [201])],
    )
    def create(self, request: Request) -> Response:
        """Create a task; its schedule counts from now."""
        values = self.body_of(request)
        task = edit.create_task(user=self.user, **values)
        response = self._response(task, status=HTTPStatus.CREATED)
        response["Location"] = address_of(request, "task-detail", task=task.name)
        return response

    @extend_schema(
        summary="Replace a task",
        parameters=[parts.TASK, parts.IF_MATCH, parts.TASK_ETAG],
        responses={200: ScheduledTaskSerializer, **parts.body_refusals(404, 412, 422)},
    )
    def update(self, request: Request, task: str) -> Response:
        """Replace what can be set; what is left out gets its default. A change of the schedule counts from now."""
        row = self.get_object()
        kept = left_out_of_form(request.data)
        values = {name: value for name, value in (defaults() | self.body_of(request)).items() if name not in kept}
        return self._changed(row, values)

    @extend_schema(
        summary="Change a task",
        parameters=[parts.TASK, parts.IF_MATCH, parts.TASK_ETAG],
        responses={200: ScheduledTaskSerializer, **parts.body_refusals(404, 412, 422)},
    )
    def partial_update(self, request: Request, task: str) -> Response:
        """Change some fields. A change of the schedule counts from now: nothing before now becomes due."""
        row = self.get_object()
        serializer = self.get_serializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        kept = left_out_of_form(request.data)
        return self._changed(row, {name: item for name, item in serializer.validated_data.items() if name not in kept})

    def _changed(self, row: ScheduledTask, values: dict[str, Any]) -> Response:
        return self._response(edit.update_task(row, user=self.user, versions=asked_versions(self.request), **values))

    @extend_schema(
        summary="Delete a task",
        parameters=[parts.TASK, parts.IF_MATCH],
        responses={204: None, **parts.refusals(404, 412)},
    )
    def destroy(self, request: Request, task: str) -> Response:
        """Delete a task. Its executions stay."""
        edit.delete_task(self.get_object(), user=self.user, versions=asked_versions(request))
        return Response(status=HTTPStatus.NO_CONTENT)

    # --- schedule -------------------------------------------------------------------------------------------------

    @extend_schema(
        summary="Pause a task",
        parameters=[parts.TASK],
        responses={200: ScheduledTaskSerializer, **parts.body_refusals(404, 409, 422)},
    )
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, task: str) -> Response:
        """Let its schedule stand still; it can still be run once.

        If somebody else has paused it, that pause stays: resume it first.
        """
        row = self.get_task(with_now(ScheduledTask.objects.all()))
        asked = self.body_of(request)
        until = asked.get("until")
        if until is not None and until <= row.database_now:
            raise InvalidInput([FieldError("until", "it is in the past.", "past")])
        row = edit.pause(row, reason=asked.get("reason", ""), until=until, user=self.user)
        return self._response(row)

    @extend_schema(
        summary="Resume a task",
        parameters=[parts.TASK],
        responses={200: ScheduledTaskSerializer, **parts.body_refusals(404, 409, 422)},
    )
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, task: str) -> Response:
        """Let its schedule go on, from now. What was due during the pause stays undone, unless `replay` says more."""
        row = self.get_object()
        authorize = permissions.starting(request.user)
        return self._response(resume_task(row, user=self.user, authorize=authorize, **self.body_of(request)))

    # --- executions -----------------------------------------------------------------------------------------------

    @extend_schema(
        summary="Where an execution is",
        parameters=[parts.TASK, parts.TRACKING_ID, parts.WAIT, parts.IF_NONE_MATCH, *parts.STATUS_HEADERS],
        responses={**parts.status_responses(), **parts.refusals(404)},
    )
    @action(
        detail=True,
        methods=["get"],
        url_path="status/(?P<trackingId>[^/]+)",
        url_name="status",
        filter_backends=(),
        pagination_class=None,
    )
    def status(self, request: Request, task: str, trackingId: str) -> Response:  # noqa: N803  (as in the address)
        """Say where an execution of this task is; with `wait`, as soon as it has ended."""
        wait = asked_wait(request)
        execution = execution_of(task, trackingId)
        self.check_object_permissions(request, execution)
        return status_response(request, execution, wait=wait)
