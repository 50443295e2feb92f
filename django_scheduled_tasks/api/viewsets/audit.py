"""The calls about changes: who changed what, when, and through what."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.filters import ChangeFilter
from django_scheduled_tasks.api.http.pagination import NewestFirst
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.audit import ChangeSerializer
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.exceptions import ChangeNotFound
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Change
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.queries import audit


@extend_schema_view(
    list=extend_schema(
        summary="List changes",
        parameters=[parts.FIELDS],
        responses={200: ChangeSerializer(many=True), **parts.refusals(404)},
    ),
)
class ChangeViewSet(ListModelMixin, ApiViewSet):
    """Changes, by number; lists are newest first. Nothing of them can be changed."""

    noun = "changes"
    queryset = Change.objects.all()
    lookup_field = "change"
    lookup_value_regex = "[^/]+"
    serializer_class = ChangeSerializer
    pagination_class = NewestFirst
    filter_backends = (DjangoFilterBackend,)
    filterset_class = ChangeFilter
    permissions = {"list": permissions.VIEW_CHANGE, "retrieve": permissions.VIEW_CHANGE}
    query = {"list": ["fields"], "retrieve": ["fields"]}

    def get_queryset(self) -> QuerySet[Change]:
        """Return all changes."""
        return Change.objects.order_by("-id").defer("text")

    def filter_queryset(self, queryset: Any) -> Any:
        """Leave out the changes of tasks that the caller may not see."""
        return super().filter_queryset(audit.visible(self.user, queryset))

    def _get(self) -> Change:
        number = read_number(self.kwargs["change"])
        row = Change.objects.filter(pk=number).first() if number is not None else None
        if row is None:
            raise ChangeNotFound(self.kwargs["change"])
        self.check_object_permissions(self.request, row)
        if not audit.may_see(self.user, row):
            raise ChangeNotFound(row.pk)
        return row

    def object_of_page(self) -> Any:
        """Return what the page of the browsable API is about."""
        return self._get()

    @extend_schema(
        summary="Read a change",
        parameters=[parts.CHANGE, parts.FIELDS],
        responses={200: ChangeSerializer, **parts.refusals(404)},
    )
    def retrieve(self, request: Request, change: str) -> Response:
        """Return one change."""
        return Response(ChangeSerializer(self._get(), context=self.get_serializer_context()).data)
