"""What events of an execution look like over REST, and who gets none."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.streams import streamed
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.executions import ExecutionLogLineSerializer
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.envelope import Errors, envelope
from django_scheduled_tasks.services.following.follow import Event, EventKind, Follower, look
from django_scheduled_tasks.services.following.follow_all import FollowerOfAll

EVENT_STREAM = "text/event-stream"


def stream_of(request: Request, execution: Execution, follower: Follower) -> HttpResponseBase:
    """Return the stream for *follower*; 204, after which browsers do not come again, if nothing more will come.

    Raises:
        StreamRefused: It would hold a thread, and no stream may.
        TooManyStreams: As many as may are served already.
    """
    if not execution.is_open and request.headers.get("Last-Event-ID"):
        line, digest = follower.line, follower.digest
        if not look([follower])[follower]:
            return Response(status=HTTPStatus.NO_CONTENT)
        follower.line, follower.digest, follower.state, follower.is_over = line, digest, (), False
    return streamed(request._request, follower, written)


class EventViewSet(ApiViewSet):
    """What happens to all executions."""

    noun = "events"
    queryset = Execution.objects.none()
    permissions = {"list": permissions.VIEW_EXECUTION}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Choose the format; a browser that wants a stream of events accepts nothing else, and errors are JSON."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        summary="Follow all executions",
        parameters=[parts.LAST_EVENT_ID],
        responses={
            (200, EVENT_STREAM): parts.described(OpenApiTypes.STR, "Events `status`, `progress`, `error`."),
            **parts.refusals(501),
        },
        filters=False,
    )
    def list(self, request: Request) -> HttpResponseBase:
        """Stream where executions are as Server-Sent Events: at first those that are open, then what changes."""
        follower = FollowerOfAll(request.user)
        follower.go_on_after(request.headers.get("Last-Event-ID", ""))
        return streamed(request._request, follower, written)


def written(event: Event) -> str:
    """Return *event* as it is sent: its name, the place after it, and JSON on one line."""
    return f"event: {event.kind}\nid: {event.place}\ndata: {json.dumps(_data(event))}\n\n"


def _data(event: Event) -> object:
    """Return a line as the log has it, and everything else in the envelope that all answers have."""
    if event.kind == EventKind.LOG:
        return ExecutionLogLineSerializer(event.line).data
    return envelope(event.info, Errors.of(event.error) if event.error is not None else None)
