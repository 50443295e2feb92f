"""The calls about channels."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.pagination import NumberedPages
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.channels import (
    ChannelAnswer,
    ChannelChange,
    ChannelRequest,
    ChannelSerializer,
)
from django_scheduled_tasks.api.serializers.requests import EmptyRequest
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.exceptions import ChannelNotFound
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Channel, write_alias
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.alerts.edit_rules import get_channel, save_channel
from django_scheduled_tasks.services.alerts.recorded import delete_row
from django_scheduled_tasks.services.alerts.telling.dead import with_next_try
from django_scheduled_tasks.services.alerts.telling.outbox import send_test


@extend_schema_view(
    list=extend_schema(
        summary="List channels",
        parameters=[parts.FIELDS],
        responses={200: ChannelSerializer(many=True), **parts.refusals(404)},
    ),
)
class ChannelViewSet(ListModelMixin, ApiViewSet):
    """Channels, by number."""

    noun = "channels"
    queryset = Channel.objects.all()
    lookup_field = "channel"
    lookup_value_regex = "[^/]+"
    serializer_class = ChannelSerializer
    pagination_class = NumberedPages
    triggers = frozenset({"test"})
    permissions = {
        "list": permissions.VIEW_CHANNEL,
        "retrieve": permissions.VIEW_CHANNEL,
        "create": permissions.ADD_CHANNEL,
        "partial_update": permissions.CHANGE_CHANNEL,
        "destroy": permissions.DELETE_CHANNEL,
        "test": permissions.CHANGE_CHANNEL,
    }
    query = {"list": ["fields"], "retrieve": ["fields"]}
    bodies = {"create": ChannelRequest, "partial_update": ChannelChange, "test": EmptyRequest}

    def get_queryset(self) -> QuerySet[Channel]:
        """Return all channels, with when each is sent something next."""
        return with_next_try(Channel.objects.using(write_alias()).order_by("name", "pk"))

    def _get(self) -> Channel:
        number = read_number(self.kwargs["channel"])
        if number is None:
            raise ChannelNotFound(self.kwargs["channel"])
        row = get_channel(number)
        self.check_object_permissions(self.request, row)
        return row

    def object_of_page(self) -> Any:
        """Return what the page of the browsable API is about."""
        return self._get()

    def _response(self, row: Channel, status: int = HTTPStatus.OK) -> Response:
        fresh = self.get_queryset().get(pk=row.pk)
        return Response(ChannelSerializer(fresh, context=self.get_serializer_context()).data, status)

    @extend_schema(
        summary="Show a channel",
        parameters=[parts.CHANNEL, parts.FIELDS],
        responses={200: ChannelSerializer, **parts.refusals(404)},
    )
    def retrieve(self, request: Request, channel: str) -> Response:
        """Return one channel."""
        return self._response(self._get())

    @extend_schema(
        summary="Create a channel",
        request=ChannelRequest,
        responses={201: ChannelSerializer, **parts.body_refusals(422)},
    )
    def create(self, request: Request) -> Response:
        """Create a channel; rules say what it is told."""
        return self._response(save_channel(Channel(), user=self.user, **self.body_of(request)), HTTPStatus.CREATED)

    @extend_schema(
        summary="Change a channel",
        parameters=[parts.CHANNEL],
        request=ChannelChange,
        responses={200: ChannelSerializer, **parts.body_refusals(404, 422)},
    )
    def partial_update(self, request: Request, channel: str) -> Response:
        """Change some fields; what waits for it goes to where it leads then."""
        row = self._get()
        return self._response(save_channel(row, user=self.user, **self.body_of(request)))

    @extend_schema(summary="Delete a channel", parameters=[parts.CHANNEL], responses={204: None, **parts.refusals(404)})
    def destroy(self, request: Request, channel: str) -> Response:
        """Delete a channel, and what waits for it."""
        delete_row(self._get(), user=self.user)
        return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(
        summary="Send a test",
        parameters=[parts.CHANNEL],
        responses={200: ChannelAnswer, **parts.body_refusals(404)},
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, channel: str) -> Response:
        """Send a test by it, wait for `ALERT_TIMEOUT` at most, and say what it answered."""
        row = self._get()
        self.body_of(request)
        try:
            found = {"taken": True, "answer": send_test(row)}
        except NotDelivered as exc:
            found = {"taken": False, "answer": str(exc)}
        return Response(found)
