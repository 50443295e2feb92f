"""The calls about alerts."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.filters import AlertFilter
from django_scheduled_tasks.api.http.pagination import NumberedPages
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.alerts import AlertSerializer, CommentRequest, SilenceRequest
from django_scheduled_tasks.api.serializers.requests import EmptyRequest
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.exceptions import AlertNotFound
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.alerts.edit import acknowledge, close, get_alert, silence, unacknowledge
from django_scheduled_tasks.services.alerts.visible import may_see_task, visible


@extend_schema_view(
    list=extend_schema(
        summary="List alerts",
        parameters=[parts.FIELDS],
        responses={200: AlertSerializer(many=True), **parts.refusals(404)},
    ),
)
class AlertViewSet(ListModelMixin, ApiViewSet):
    """Alerts, by number; lists are newest first."""

    noun = "alerts"
    queryset = Alert.objects.all()
    lookup_field = "alert"
    lookup_value_regex = "[^/]+"
    serializer_class = AlertSerializer
    pagination_class = NumberedPages
    filter_backends = (DjangoFilterBackend,)
    filterset_class = AlertFilter
    permissions = {
        "list": permissions.VIEW_ALERT,
        "retrieve": permissions.VIEW_ALERT,
        "acknowledge": permissions.CHANGE_ALERT,
        "unacknowledge": permissions.CHANGE_ALERT,
        "silence": permissions.CHANGE_ALERT,
        "close": permissions.CHANGE_ALERT,
    }
    query = {"list": ["fields"], "retrieve": ["fields"]}
    bodies = {
        "acknowledge": CommentRequest,
        "unacknowledge": EmptyRequest,
        "silence": SilenceRequest,
        "close": CommentRequest,
    }

    def get_queryset(self) -> QuerySet[Alert]:
        """Return all alerts."""
        return _named(Alert.objects.order_by("-id"))

    def filter_queryset(self, queryset: Any) -> Any:
        """Leave out the alerts of tasks that the caller may not see."""
        return super().filter_queryset(visible(self.user, queryset))

    def _get(self) -> Alert:
        number = read_number(self.kwargs["alert"])
        if number is None:
            raise AlertNotFound(self.kwargs["alert"])
        row = get_alert(number)
        self.check_object_permissions(self.request, row)
        if not may_see_task(self.user, row):
            raise AlertNotFound(number)
        return row

    def object_of_page(self) -> Any:
        """Return what the page of the browsable API is about."""
        return self._get()

    def _response(self, row: Alert) -> Response:
        fresh = _named(Alert.objects.all()).get(pk=row.pk)
        return Response(AlertSerializer(fresh, context=self.get_serializer_context()).data)

    @extend_schema(
        summary="Show an alert",
        parameters=[parts.ALERT, parts.FIELDS],
        responses={200: AlertSerializer, **parts.refusals(404)},
    )
    def retrieve(self, request: Request, alert: str) -> Response:
        """Return one alert."""
        return self._response(self._get())

    @extend_schema(
        summary="Acknowledge an alert",
        parameters=[parts.ALERT],
        responses={200: AlertSerializer, **parts.body_refusals(404, 409, 422)},
    )
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, alert: str) -> Response:
        """Say that somebody knows of it: nobody is reminded any more."""
        row = self._get()
        return self._response(acknowledge(row, user=self.user, **self.body_of(request)))

    @extend_schema(
        summary="Undo that an alert is acknowledged",
        parameters=[parts.ALERT],
        responses={200: AlertSerializer, **parts.body_refusals(404, 409)},
    )
    @action(detail=True, methods=["post"])
    def unacknowledge(self, request: Request, alert: str) -> Response:
        """Let people be reminded of it again."""
        row = self._get()
        self.body_of(request)
        return self._response(unacknowledge(row))

    @extend_schema(
        summary="Silence an alert",
        parameters=[parts.ALERT],
        responses={200: AlertSerializer, **parts.body_refusals(404, 409, 422)},
    )
    @action(detail=True, methods=["post"])
    def silence(self, request: Request, alert: str) -> Response:
        """Let nobody be told anything of it until then, not even that it is over."""
        row = self._get()
        return self._response(silence(row, **self.body_of(request)))

    @extend_schema(
        summary="Close an alert",
        parameters=[parts.ALERT],
        responses={200: AlertSerializer, **parts.body_refusals(404, 409, 422)},
    )
    @action(detail=True, methods=["post"])
    def close(self, request: Request, alert: str) -> Response:
        """Say that it is over. What was wrong then opens no other one."""
        row = self._get()
        return self._response(close(row, user=self.user, **self.body_of(request)))


def _named(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Add the names of who acknowledged and who closed."""
    name = get_user_model().USERNAME_FIELD
    found: QuerySet[Alert] = rows.annotate(
        acknowledged_by_name=F(f"acknowledged_by__{name}"), closed_by_name=F(f"closed_by__{name}")
    )
    return found
