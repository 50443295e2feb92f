"""What the calls that start something share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from django_scheduled_tasks.api.serializers.base import Body
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.api.viewsets.status import info_of
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.envelope import envelope
from django_scheduled_tasks.services.permissions import starting
from django_scheduled_tasks.services.starting.run_once import RunOnce

SOON = "1"
"""Seconds after which to ask for the status the first time."""


class StartingViewSet(ApiViewSet):
    """A view with calls that start something."""

    def body_of(self, request: Request) -> dict[str, Any]:
        """Return the values of the request's body.

        Raises:
            ValidationError: Its shape is wrong.
        """
        kind = self.get_serializer_class()
        if issubclass(kind, Body) and not isinstance(request.data, QueryDict):
            return dict(_shared(kind).run_validation(request.data))
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        found: dict[str, Any] = serializer.validated_data
        return found

    def authorizing(self, overlap: Overlap | None) -> Callable[[ScheduledTask], None]:
        """Return what services take as ``authorize``: may this user make this call, with this overlap rule?"""
        return starting(self.request.user, overlap)


@cache
def _shared(kind: type[Body]) -> Body:
    """Return a serializer of *kind* for all requests: it keeps nothing of them, and copying its fields takes long."""
    return kind()


def started(request: Request, done: RunOnce) -> Response:
    """Return the answer to a call that started an execution, or had started it before."""
    execution = done.execution
    headers = {"Location": status_address(request, execution.task_name, execution.tracking_id)}
    if execution.is_open:
        headers["Retry-After"] = SOON
    if done.replayed:
        headers["Idempotent-Replayed"] = "true"
    code = HTTPStatus.OK if done.replayed else HTTPStatus.ACCEPTED
    return Response(envelope(info_of(request, execution)), status=code, headers=headers)


def status_address(request: Request, task: object, tracking_id: object) -> str:
    """Return the address at which to ask for the status."""
    return reverse("scheduled-tasks:task-status", args=[task, tracking_id], request=request)
