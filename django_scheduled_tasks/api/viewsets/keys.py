"""The calls about tasks by a program's own keys: one, and many at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.conditions import asked_versions
from django_scheduled_tasks.api.http.errors import json_name, of_drf
from django_scheduled_tasks.api.http.parsers import LargeJSONParser
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.keys import (
    BulkAnswer,
    BulkStatus,
    BulkTaskSerializer,
    KeyedTaskSerializer,
)
from django_scheduled_tasks.api.serializers.tasks import ScheduledTaskSerializer
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.api.viewsets.status import address_of
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.envelope import Errors
from django_scheduled_tasks.services.permissions import ADD_TASK, CHANGE_TASK, require
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.upsert import Done, DoneKind, upsert_one, upsert_rows


class KeyMixin(ApiViewSet):
    """The calls, for the view of tasks."""

    def _response(self, row: ScheduledTask, status: int = HTTPStatus.OK) -> Response:
        raise NotImplementedError

    @property
    def is_about_one(self) -> bool:
        """Whether the call is about one object."""
        return super().is_about_one or (self.action or "").endswith("by_key")

    def get_task(self, rows: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
        """Return the task that the call is about, if the user may make the call."""
        raise NotImplementedError

    def _authorize(self, before: ScheduledTask | None, task: ScheduledTask) -> None:
        """Refuse a user who may not create this task, or change the one that is there."""
        if before is None:
            require(self.request.user, ADD_TASK, task)
        else:
            require(self.request.user, CHANGE_TASK, before)

    @extend_schema(
        summary="Read a task by its key",
        parameters=[parts.TASK_KEY, parts.FIELDS, parts.TASK_ETAG],
        responses={200: ScheduledTaskSerializer, **parts.refusals(404)},
    )
    @action(
        detail=False,
        methods=["get"],
        url_path="by-key/(?P<key>.+)",
        url_name="by-key",
        filter_backends=(),
        pagination_class=None,
    )
    def by_key(self, request: Request, key: str) -> Response:
        """Return the task with a program's own key."""
        return self._response(self.get_task())

    @extend_schema(
        summary="Create or change a task by its key",
        parameters=[parts.TASK_KEY, parts.header("Location", "The address of the task.", [201])],
        request=KeyedTaskSerializer,
        responses={200: ScheduledTaskSerializer, 201: ScheduledTaskSerializer, **parts.body_refusals(422)},
    )
    @by_key.mapping.put
    def put_by_key(self, request: Request, key: str) -> Response:
        """Let there be a task with this key that is so. What is left out stays; what is so is not written.

        Unlike other calls with PUT it resets nothing: several programs, and people, may see to different fields.
        """
        values = self.body_of(request)
        reason = values.pop("reason", "")
        done = upsert_one({**values, "key": key}, user=self.user, reason=reason, authorize=self._authorize)
        assert done.task is not None  # noqa: S101  (for the type checker: without one there is an error)
        if done.kind != DoneKind.CREATED:
            return self._response(done.task)
        response = self._response(done.task, HTTPStatus.CREATED)
        response["Location"] = address_of(request, "task-by-key", key=key)
        return response

    @extend_schema(
        summary="Delete a task by its key",
        parameters=[parts.TASK_KEY, parts.IF_MATCH],
        responses={204: None, **parts.refusals(404, 412)},
    )
    @by_key.mapping.delete
    def delete_by_key(self, request: Request, key: str) -> Response:
        """Delete the task with this key. Its executions stay."""
        edit.delete_task(self.get_task(), user=self.user, versions=asked_versions(request))
        return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(
        summary="Create or change many tasks",
        responses={200: BulkAnswer, **parts.body_refusals(422)},
    )
    @action(detail=False, methods=["post"], filter_backends=(), pagination_class=None, parser_classes=[LargeJSONParser])
    def bulk(self, request: Request) -> Response:
        """Let there be these tasks, each as for one key. One that is wrong does not stop the others: it says why.

        All that are right are written in one transaction, so none of them is if the call fails.
        """
        asked = self.body_of(request)
        rows: list[dict[str, Any]] = asked["tasks"]
        items: dict[int, dict[str, Any]] = {}
        good = dict(_read(rows, items))
        done = upsert_rows(good.values(), user=self.user, reason=asked.get("reason", ""), authorize=self._authorize)
        items |= {number: _item(one) for number, one in zip(good, done, strict=True)}
        counts = {str(kind): sum(item["status"] == kind for item in items.values()) for kind in BulkStatus}
        return Response({**counts, "items": [items[number] for number in range(len(rows))]})


def _read(rows: Iterable[Any], items: dict[int, dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the values of each row whose shape is right; put what is wrong with others into *items*."""
    serializer = BulkTaskSerializer()
    for number, row in enumerate(rows):
        try:
            values = dict(serializer.run_validation(row))
            _check_size(values)
        except ValidationError as exc:
            key = row.get("key")
            items[number] = _answer(key if isinstance(key, str) else "", errors=of_drf(exc, exc.status_code))
            continue
        values.pop("reason", None)
        yield number, values


def _check_size(values: Mapping[str, Any]) -> None:
    limit = get_settings().PARAMS_MAX_BYTES
    if len(json.dumps(values.get("params", {}))) > limit:
        raise ValidationError({"params": [ErrorDetail(f"They are larger than {limit:,} bytes.", code="long")]})


def _item(done: Done) -> dict[str, Any]:
    errors = Errors.of(done.error, name_of=json_name) if done.error is not None else None
    return _answer(done.key, kind=done.kind, task=done.task, errors=errors)


def _answer(
    key: str, *, kind: DoneKind | None = None, task: ScheduledTask | None = None, errors: Errors | None = None
) -> dict[str, Any]:
    return {
        "key": key,
        "status": str(kind or BulkStatus.FAILED),
        "id": str(task.pk) if task is not None else None,
        "name": task.name if task is not None else None,
        "errors": errors.as_dict() if errors is not None else None,
    }
