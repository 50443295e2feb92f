"""The two calls of the npm package ``altogic``: a bare ``info`` as body, errors as ``{"errors": [...]}``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import requests, responses
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.api.viewsets.status import info_of
from django_scheduled_tasks.lifecycle import Trigger
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.envelope import Errors
from django_scheduled_tasks.services.queries.lookup import get_execution
from django_scheduled_tasks.services.starting.run_once import run_once


class AltogicViewSet(ApiViewSet):
    """``client.task`` of the npm package ``altogic``."""

    noun = "altogic"
    serializer_class = requests.AltogicRunOnceRequest
    triggers = frozenset({"run_once"})
    permissions = {"run_once": permissions.RUN_TASK, "status": permissions.VIEW_EXECUTION}

    @property
    def is_about_one(self) -> bool:
        """Each call is about one object, though the body names it."""
        return True

    def object_of_page(self) -> None:
        """Return nothing: the body names it."""

    @staticmethod
    def error_body(errors: Errors) -> dict[str, Any]:
        """Return the list of errors alone."""
        return {"errors": [item.as_dict() for item in errors.items]}

    @extend_schema(
        summary="Run a task once",
        responses={202: responses.AltogicInfo, **parts.altogic_refusals(409, 413, 415, 422)},
    )
    def run_once(self, request: Request) -> Response:
        """Start a task: `client.task.runOnce(name)`."""
        asked = self.body_of(request)
        done = run_once(
            asked["taskNameOrId"], trigger=Trigger.API, user=self.user, authorize=self.authorizing(overlap=None)
        )
        return Response(_info(request, done.execution), status=HTTPStatus.ACCEPTED)

    @extend_schema(
        summary="Where an execution is",
        parameters=[parts.TRACKING_ID],
        responses={200: responses.AltogicInfo, **parts.altogic_refusals()},
        filters=False,
    )
    def status(self, request: Request, trackingId: str) -> Response:  # noqa: N803  (as in the address)
        """Say where an execution is: `client.task.getTaskStatus(id)`."""
        execution = get_execution(trackingId)
        self.check_object_permissions(request, execution)
        return Response(_info(request, execution))


def _info(request: Request, execution: Execution) -> dict[str, Any]:
    """Return the bare info; the package calls the tracking id ``taskId``."""
    return {"taskId": str(execution.tracking_id), **info_of(request, execution).as_dict()}
