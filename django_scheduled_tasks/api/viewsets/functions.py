"""The registered functions, with the JSON Schema of their parameters."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import responses
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services import permissions


class FunctionViewSet(ApiViewSet):
    """Functions that may run."""

    noun = "functions"
    serializer_class = responses.RegisteredFunctions
    permissions = {"list": permissions.VIEW_TASK}

    @extend_schema(
        summary="List functions", responses={200: responses.RegisteredFunctions, **parts.refusals()}, filters=False
    )
    def list(self, request: Request) -> Response:
        """Return the registered functions with the JSON Schema of their parameters."""
        found = [
            {
                "name": function.name,
                "description": function.description,
                "isAsync": function.is_async,
                "parameters": function.parameters.json_schema,
            }
            for function in registry.functions().values()
        ]
        return Response({"results": found})
