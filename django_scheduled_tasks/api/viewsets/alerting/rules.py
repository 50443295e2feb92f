"""The calls about alert rules."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.pagination import NumberedPages
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.channels import AlertRuleChange, AlertRuleRequest, AlertRuleSerializer
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.exceptions import AlertRuleNotFound
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import AlertRule, write_alias
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.alerts.edit_rules import get_rule, save_rule
from django_scheduled_tasks.services.alerts.recorded import delete_row
from django_scheduled_tasks.services.queries.lookup import get_task

_WORDS = ("kinds", "tell_at_once")


@extend_schema_view(
    list=extend_schema(
        summary="List alert rules",
        parameters=[parts.FIELDS],
        responses={200: AlertRuleSerializer(many=True), **parts.refusals(404)},
    ),
)
class AlertRuleViewSet(ListModelMixin, ApiViewSet):
    """Alert rules, by number."""

    noun = "alert_rules"
    queryset = AlertRule.objects.all()
    lookup_field = "rule"
    lookup_value_regex = "[^/]+"
    serializer_class = AlertRuleSerializer
    pagination_class = NumberedPages
    permissions = {
        "list": permissions.VIEW_RULE,
        "retrieve": permissions.VIEW_RULE,
        "create": permissions.ADD_RULE,
        "partial_update": permissions.CHANGE_RULE,
        "destroy": permissions.DELETE_RULE,
    }
    query = {"list": ["fields"], "retrieve": ["fields"]}
    bodies = {"create": AlertRuleRequest, "partial_update": AlertRuleChange}

    def get_queryset(self) -> QuerySet[AlertRule]:
        """Return all rules, with their channels."""
        return AlertRule.objects.using(write_alias()).order_by("name", "pk").prefetch_related("channels")

    def _get(self) -> AlertRule:
        number = read_number(self.kwargs["rule"])
        if number is None:
            raise AlertRuleNotFound(self.kwargs["rule"])
        row = get_rule(number)
        self.check_object_permissions(self.request, row)
        return row

    def object_of_page(self) -> Any:
        """Return what the page of the browsable API is about."""
        return self._get()

    def _response(self, row: AlertRule, status: int = HTTPStatus.OK) -> Response:
        fresh = self.get_queryset().get(pk=row.pk)
        return Response(AlertRuleSerializer(fresh, context=self.get_serializer_context()).data, status)

    def _values(self, request: Request) -> dict[str, Any]:
        asked = self.body_of(request)
        if "task" in asked:
            asked["task"] = get_task(asked["task"]) if asked["task"] else None
        for name in _WORDS:
            if name in asked:
                asked[name] = list(dict.fromkeys(map(str, asked[name])))
        return asked

    @extend_schema(
        summary="Show an alert rule",
        parameters=[parts.RULE, parts.FIELDS],
        responses={200: AlertRuleSerializer, **parts.refusals(404)},
    )
    def retrieve(self, request: Request, rule: str) -> Response:
        """Return one rule."""
        return self._response(self._get())

    @extend_schema(
        summary="Create an alert rule",
        request=AlertRuleRequest,
        responses={201: AlertRuleSerializer, **parts.body_refusals(404, 422)},
    )
    def create(self, request: Request) -> Response:
        """Let channels be told of alerts."""
        return self._response(save_rule(AlertRule(), user=self.user, **self._values(request)), HTTPStatus.CREATED)

    @extend_schema(
        summary="Change an alert rule",
        parameters=[parts.RULE],
        request=AlertRuleChange,
        responses={200: AlertRuleSerializer, **parts.body_refusals(404, 422)},
    )
    def partial_update(self, request: Request, rule: str) -> Response:
        """Change some fields; of what is open already, channels are told by the next look of a scheduler."""
        row = self._get()
        return self._response(save_rule(row, user=self.user, **self._values(request)))

    @extend_schema(
        summary="Delete an alert rule", parameters=[parts.RULE], responses={204: None, **parts.refusals(404)}
    )
    def destroy(self, request: Request, rule: str) -> Response:
        """Delete a rule. Alerts stay, and what waits to be told is told."""
        delete_row(self._get(), user=self.user)
        return Response(status=HTTPStatus.NO_CONTENT)
