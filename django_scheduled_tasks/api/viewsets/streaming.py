"""What events of an execution look like over REST, and who gets none."""

from __future__ import annotations

import json
from http import HTTPStatus

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.streams import streamed
from django_scheduled_tasks.api.serializers.executions import ExecutionLogLineSerializer
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.envelope import Errors, envelope
from django_scheduled_tasks.services.following.follow import Event, EventKind, Follower, look

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


def written(event: Event) -> str:
    """Return *event* as it is sent: its name, the place after it, and JSON on one line."""
    return f"event: {event.kind}\nid: {event.place}\ndata: {json.dumps(_data(event))}\n\n"


def _data(event: Event) -> object:
    """Return a line as the log has it, and everything else in the envelope that all answers have."""
    if event.kind == EventKind.LOG:
        return ExecutionLogLineSerializer(event.line).data
    return envelope(event.info, Errors.of(event.error) if event.error is not None else None)
