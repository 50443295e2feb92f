"""The call that streams what becomes of all executions."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from django_scheduled_tasks.api import streaming
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.services.permissions import VIEW_EXECUTION


class EventViewSet(ApiViewSet):
    """A live stream."""

    noun = "events"
    permissions = {"list": VIEW_EXECUTION}
    streams = frozenset({"list"})

    @extend_schema(
        summary="Listen to all executions",
        parameters=[parts.LAST_EVENT_ID],
        responses={**parts.stream_responses(), **parts.refusals(501, 503)},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """Stream the status of each execution that the user may see, as Server-Sent Events, whenever it changes.

        It begins with those that are open. `Last-Event-ID` goes on with what was written since.
        """
        return streaming.answer(request)
