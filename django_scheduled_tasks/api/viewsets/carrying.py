"""The calls that carry tasks from one environment to another."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.errors import json_name
from django_scheduled_tasks.api.http.parsers import LargeJSONParser
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.carrying import ExportAnswer, ImportAnswer, ImportRequest
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.carrying import Act, Item, Plan, apply_plan, authorize, export_document, make_plan
from django_scheduled_tasks.exceptions import InvalidTask
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.envelope import Errors
from django_scheduled_tasks.services.visibility import for_viewer

_COUNTS = {"created": Act.CREATE, "updated": Act.UPDATE, "deleted": Act.DELETE, "unchanged": Act.UNCHANGED}


class CarryMixin(ApiViewSet):
    """The calls, for the view of tasks."""

    @extend_schema(
        summary="Export tasks",
        parameters=[OpenApiParameter("tag", str, description="Only tasks with it.")],
        responses={200: ExportAnswer, **parts.refusals()},
    )
    @action(detail=False, methods=["get"], filter_backends=(), pagination_class=None)
    def export(self, request: Request) -> Response:
        """Return the definitions of tasks: names in place of ids; no people, no state, no history.

        Secrets are masked. Tasks of an owner, and those that are as the code declares them, are left out.
        """
        tag = request.query_params.get("tag")
        rows = for_viewer(ScheduledTask.objects.all())
        return Response(export_document(row for row in rows if tag is None or tag in row.tags))

    @extend_schema(
        summary="Import tasks",
        request=ImportRequest,
        responses={200: ImportAnswer, **parts.body_refusals(422)},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        url_name="import",
        filter_backends=(),
        pagination_class=None,
        parser_classes=[LargeJSONParser],
    )
    def import_(self, request: Request) -> Response:
        """Compare what was exported elsewhere with the tasks here, and with `apply` make them so, in one transaction.

        Nothing is written if one of them cannot be, or if the user may not create, change or delete one of them.
        """
        asked = self.body_of(request)
        plan = make_plan(asked["document"], prune=asked["prune"], tags=asked["tags"])
        authorize(plan, self.request.user)
        if asked["apply"]:
            apply_plan(plan, user=self.user, reason=asked["reason"])
        return Response(_answer(plan, applied=asked["apply"]))


def _answer(plan: Plan, *, applied: bool) -> dict[str, Any]:
    counts = {name: plan.count(act) for name, act in _COUNTS.items()}
    return {"applied": applied, **counts, "items": [_item(item) for item in plan.items]}


def _item(item: Item) -> dict[str, Any]:
    error = InvalidTask(item.errors) if item.errors else None
    return {
        "name": item.name,
        "act": str(item.act),
        "changes": [{"field": name, "before": old, "after": new} for name, (old, new) in item.changes.items()],
        "errors": Errors.of(error, name_of=json_name).as_dict() if error is not None else None,
    }
