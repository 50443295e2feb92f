"""The calls about calendars."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.pagination import NumberedPages
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers.calendars import (
    CalendarChange,
    CalendarRequest,
    CalendarSerializer,
    CalendarYear,
    IcsRequest,
)
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Calendar, write_alias
from django_scheduled_tasks.schedules.calendars.year import FIRST_YEAR, LAST_YEAR, excluded_days
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.tasks.calendars.edit import (
    create_calendar,
    delete_calendar,
    find_calendar,
    update_calendar,
)
from django_scheduled_tasks.services.tasks.calendars.ics import import_ics
from django_scheduled_tasks.translation import gettext as _

_PARTS = ("weekdays", "holidays", "dates", "windows")
_YEAR = OpenApiParameter("year", int, OpenApiParameter.PATH, description="A year from 1970 to 2200.")


@extend_schema_view(
    list=extend_schema(
        summary="List calendars",
        parameters=[parts.FIELDS],
        responses={200: CalendarSerializer(many=True), **parts.refusals(404)},
    ),
)
class CalendarViewSet(ListModelMixin, ApiViewSet):
    """Calendars, by name."""

    noun = "calendars"
    queryset = Calendar.objects.all()
    lookup_field = "calendar"
    lookup_value_regex = "[^/]+"
    serializer_class = CalendarSerializer
    pagination_class = NumberedPages
    permissions = {
        "list": permissions.VIEW_CALENDAR,
        "retrieve": permissions.VIEW_CALENDAR,
        "year": permissions.VIEW_CALENDAR,
        "create": permissions.ADD_CALENDAR,
        "partial_update": permissions.CHANGE_CALENDAR,
        "import_ics": permissions.CHANGE_CALENDAR,
        "destroy": permissions.DELETE_CALENDAR,
    }
    query = {"list": ["fields"], "retrieve": ["fields"]}
    bodies = {"create": CalendarRequest, "partial_update": CalendarChange, "import_ics": IcsRequest}

    def get_queryset(self) -> QuerySet[Calendar]:
        """Return all calendars."""
        return Calendar.objects.using(write_alias()).order_by("name")

    def _get(self) -> Calendar:
        row = find_calendar(self.kwargs["calendar"])
        self.check_object_permissions(self.request, row)
        return row

    def object_of_page(self) -> Any:
        """Return what the page of the browsable API is about."""
        return self._get()

    def _response(self, row: Calendar, status: int = HTTPStatus.OK) -> Response:
        return Response(CalendarSerializer(row, context=self.get_serializer_context()).data, status)

    @extend_schema(
        summary="Show a calendar",
        parameters=[parts.CALENDAR, parts.FIELDS],
        responses={200: CalendarSerializer, **parts.refusals(404)},
    )
    def retrieve(self, request: Request, calendar: str) -> Response:
        """Return one calendar."""
        return self._response(self._get())

    @extend_schema(
        summary="Create a calendar",
        request=CalendarRequest,
        responses={201: CalendarSerializer, **parts.body_refusals(422)},
    )
    def create(self, request: Request) -> Response:
        """Create a calendar; tasks name it in `calendars`."""
        asked = self.body_of(request)
        row = create_calendar(
            asked["name"], zone=asked.get("zone", ""), definition=_definition({}, asked), user=self.user
        )
        return self._response(row, HTTPStatus.CREATED)

    @extend_schema(
        summary="Change a calendar",
        parameters=[parts.CALENDAR],
        request=CalendarChange,
        responses={200: CalendarSerializer, **parts.body_refusals(404, 412, 422)},
    )
    def partial_update(self, request: Request, calendar: str) -> Response:
        """Change parts of it; tasks that name it are planned anew from now, in the same transaction."""
        row = self._get()
        asked = self.body_of(request)
        definition = _definition(row.definition, asked) if asked.keys() & set(_PARTS) else None
        version = asked.get("version", row.version if definition is not None else None)
        row = update_calendar(row, zone=asked.get("zone"), definition=definition, version=version, user=self.user)
        return self._response(row)

    @extend_schema(
        summary="Delete a calendar", parameters=[parts.CALENDAR], responses={204: None, **parts.refusals(404, 409)}
    )
    def destroy(self, request: Request, calendar: str) -> Response:
        """Delete a calendar that no task names."""
        delete_calendar(self._get(), user=self.user)
        return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(
        summary="Show a year of a calendar",
        parameters=[parts.CALENDAR, _YEAR],
        responses={200: CalendarYear, **parts.refusals(404, 422)},
    )
    @action(detail=True, methods=["get"], url_path="year/(?P<year>[^/]+)")
    def year(self, request: Request, calendar: str, year: str) -> Response:
        """Return the days of a year that it excludes as a whole, with what they are called, and its windows."""
        row = self._get()
        number = read_number(year)
        if number is None or not FIRST_YEAR <= number <= LAST_YEAR:
            text = _("it is a year from %(first)s to %(last)s.") % {"first": FIRST_YEAR, "last": LAST_YEAR}
            raise InvalidInput([FieldError("year", text)])
        value = row.value
        found = excluded_days(value, number)
        days = [{"day": one.day.isoformat(), "kind": one.kind, "name": one.label} for one in found]
        return Response({"year": number, "days": days, "windows": [str(window) for window in value.windows]})

    @extend_schema(
        summary="Import an ICS file",
        parameters=[parts.CALENDAR],
        responses={200: CalendarSerializer, **parts.body_refusals(404, 412, 422)},
    )
    @action(detail=True, methods=["post"], url_path="import-ics")
    def import_ics(self, request: Request, calendar: str) -> Response:
        """Add the days of the events of an ICS file to its dates; if a line cannot be read, nothing is imported."""
        row = self._get()
        asked = self.body_of(request)
        found, _count = import_ics(row, asked["ics"], replace=asked["replace"], user=self.user)
        return self._response(found)


def _definition(known: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    return {**known, **{name: asked[name] for name in _PARTS if name in asked}}
