"""The calls about holds."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.pagination import NumberedPages
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.holds import HoldChange, HoldRequest, HoldSerializer
from django_scheduled_tasks.api.serializers.requests import EmptyRequest
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.exceptions import HoldNotFound
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Hold
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.queries.holds import get_hold, lasting
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.tasks import holds


@extend_schema_view(
    list=extend_schema(
        summary="List holds",
        parameters=[parts.FIELDS],
        responses={200: HoldSerializer(many=True), **parts.refusals(404)},
    ),
)
class HoldViewSet(ListModelMixin, ApiViewSet):
    """Holds, by number; the list has those that last."""

    noun = "holds"
    queryset = Hold.objects.all()
    lookup_field = "hold"
    lookup_value_regex = "[^/]+"
    serializer_class = HoldSerializer
    pagination_class = NumberedPages
    permissions = {
        "list": permissions.VIEW_HOLD,
        "create": permissions.ADD_HOLD,
        "partial_update": permissions.CHANGE_HOLD,
        "release": permissions.CHANGE_HOLD,
    }
    query = {"list": ["fields"]}
    bodies = {"create": HoldRequest, "partial_update": HoldChange, "release": EmptyRequest}

    def get_queryset(self) -> QuerySet[Hold]:
        """Return the holds that last."""
        return _named(lasting())

    def _get(self) -> Hold:
        number = read_number(self.kwargs["hold"])
        if number is None:
            raise HoldNotFound(self.kwargs["hold"])
        row = get_hold(number)
        self.check_object_permissions(self.request, row)
        return row

    def object_of_page(self) -> Any:
        """Return what the page of the browsable API is about."""
        return self._get()

    def _response(self, row: Hold, status: int = HTTPStatus.OK) -> Response:
        fresh = _named(Hold.objects.all()).get(pk=row.pk)
        return Response(HoldSerializer(fresh, context=self.get_serializer_context()).data, status)

    @extend_schema(
        summary="Hold tasks", responses={201: HoldSerializer, **parts.body_refusals(404, 422)}, request=HoldRequest
    )
    def create(self, request: Request) -> Response:
        """Let nothing new start, Run once included; what runs goes on. At the end it is as after a downtime."""
        asked = self.body_of(request)
        task = get_task(asked["task"]) if asked.get("task") else None
        given = {name: asked[name] for name in ("queue", "tag", "until") if asked.get(name)}
        row = holds.hold(asked["scope"], task=task, reason=asked["reason"], user=self.user, **given)
        return self._response(row, HTTPStatus.CREATED)

    @extend_schema(
        summary="Change a hold",
        parameters=[parts.HOLD],
        request=HoldChange,
        responses={200: HoldSerializer, **parts.body_refusals(404, 409, 422)},
    )
    def partial_update(self, request: Request, hold: str) -> Response:
        """Give it another reason or another end."""
        row = self._get()
        return self._response(holds.change_hold(row, **self.body_of(request), user=self.user))

    @extend_schema(
        summary="Release a hold",
        parameters=[parts.HOLD],
        responses={200: HoldSerializer, **parts.body_refusals(404, 409)},
    )
    @action(detail=True, methods=["post"])
    def release(self, request: Request, hold: str) -> Response:
        """End it now: what was due meanwhile is caught up, and what waits starts."""
        row = self._get()
        self.body_of(request)
        return self._response(holds.release(row, user=self.user))


def _named(rows: QuerySet[Hold]) -> QuerySet[Hold]:
    """Add the name of who held."""
    found: QuerySet[Hold] = rows.annotate(created_by_name=F(f"created_by__{get_user_model().USERNAME_FIELD}"))
    return found
