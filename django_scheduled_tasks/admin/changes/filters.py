"""The filters of the changes: by person, way, kind, task and time."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.executions.list.filters import TaskFilter as ExecutionTaskFilter
from django_scheduled_tasks.admin.executions.list.filters import WhenFilter as ExecutionWhenFilter
from django_scheduled_tasks.models import Change, ChangeKind, Way
from django_scheduled_tasks.services.queries import audit

WAYS = {
    Way.ADMIN: gettext_lazy("Admin"),
    Way.API: "API",
    Way.COMMAND: gettext_lazy("Command"),
    Way.PYTHON: "Python",
    Way.CODE: gettext_lazy("Code, at a release"),
    Way.SYSTEM: gettext_lazy("By itself"),
}
KINDS = {
    ChangeKind.SCHEDULE: gettext_lazy("Schedule"),
    ChangeKind.PARAMETERS: gettext_lazy("Parameters"),
    ChangeKind.LIMITS: gettext_lazy("Limits"),
    ChangeKind.STANDSTILL: gettext_lazy("Pause, hold, skip"),
    ChangeKind.RUN: gettext_lazy("Cancel, backfill"),
    ChangeKind.ALERTS: gettext_lazy("Alerts"),
    ChangeKind.TASK: gettext_lazy("Created, renamed, deleted"),
    ChangeKind.PUT_BACK: gettext_lazy("Put back"),
}
RELEASES = ":code"
"""The value of the filter by person that is no person; no user is called so, names of users have no colon."""


class PersonFilter(SimpleListFilter):
    """By who did it; releases are one more person."""

    title = gettext_lazy("person")
    parameter_name = "person"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return who has changed something lately."""
        return [*((name, name) for name in audit.people()), (RELEASES, gettext_lazy("Releases"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        """Return what this person did."""
        name = self.value()
        if not name:
            return queryset
        return queryset.filter(way=Way.CODE) if name == RELEASES else audit.of_person(queryset, str(name))


class WayFilter(SimpleListFilter):
    """By the way through which it was done."""

    title = gettext_lazy("way")
    parameter_name = "way"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return all ways."""
        return [(str(way), label) for way, label in WAYS.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        """Return what was done so."""
        return queryset.filter(way=self.value()) if self.value() in WAYS else queryset


class KindFilter(SimpleListFilter):
    """By what it is about."""

    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return all kinds."""
        return [(str(kind), label) for kind, label in KINDS.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        """Return what is about it."""
        return audit.of_kind(queryset, str(self.value())) if self.value() in KINDS else queryset


class TaskFilter(ExecutionTaskFilter):
    """By task, as in the list of executions; also one that is gone."""

    def queryset(self, _request: HttpRequest, queryset: Any) -> Any:
        """Return the changes of the chosen task, given by id or by name."""
        value = self.value()
        return audit.of_task(queryset, str(value)) if value else queryset


class WhenFilter(ExecutionWhenFilter):
    """By when it was done."""

    column = "at"
