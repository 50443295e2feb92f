"""The filters of the history. Each uses an index, or narrows a query that uses one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib.admin import ListFilter, SimpleListFilter
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.html import execution_url
from django_scheduled_tasks.admin.ui.text.labels import STATUS_LABELS, TRIGGER_LABELS
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.models.limits import EARLIEST, LATEST
from django_scheduled_tasks.services.permissions import VIEW_TASK, may
from django_scheduled_tasks.services.queries.lookup import started_by
from django_scheduled_tasks.services.visibility import for_viewer

FEW_TASKS = 30
"""Up to this many tasks the filter shows links; above, a text field with completion."""
FEW_EXECUTIONS = 2_500
"""Up to so many executions of a task are all looked at where a range of time is chosen as well."""
STATUSES = {
    Status.PENDING: STATUS_LABELS["pending"].label,
    Status.PROCESSING: STATUS_LABELS["running"].label,
    Status.COMPLETED: STATUS_LABELS["completed"].label,
    Status.ERRORS: gettext_lazy("Not completed"),
}


class StatusFilter(SimpleListFilter):
    """Filters by status."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return all statuses."""
        return [(str(status), label) for status, label in STATUSES.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:
        """Return the chosen executions."""
        return queryset.filter(status=self.value()) if self.value() in STATUSES else queryset


class OutcomeFilter(SimpleListFilter):
    """Filters by outcome."""

    title = gettext_lazy("outcome")
    parameter_name = "outcome"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return all outcomes but success, which is a status already."""
        return [(str(item), STATUS_LABELS[item].label) for item in Outcome if item != Outcome.SUCCEEDED]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:
        """Return the chosen executions; the status is added to the condition because it has an index."""
        if self.value() not in set(Outcome):
            return queryset
        status = Status.COMPLETED if self.value() == Outcome.SUCCEEDED else Status.ERRORS
        return queryset.filter(outcome=self.value(), status=status)


class TriggerFilter(SimpleListFilter):
    """Filters by what started an execution."""

    title = gettext_lazy("trigger")
    parameter_name = "trigger"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return all triggers."""
        return [(str(item), label) for item, label in TRIGGER_LABELS.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:
        """Return the chosen executions."""
        return queryset.filter(trigger=self.value()) if self.value() in TRIGGER_LABELS else queryset


class TypedFilter(SimpleListFilter):
    """A filter with a text field, which keeps what the other filters are set to."""

    kept: Sequence[tuple[str, str]] = ()
    """Names and values of the other parameters of the page."""

    @property
    def typed(self) -> str:
        """What stands in the text field."""
        return str(self.value() or "")

    def choices(self, changelist: Any) -> Any:
        """Yield the links."""
        self.kept = kept_parameters(changelist, self.expected_parameters())
        yield from super().choices(changelist)


def kept_parameters(changelist: Any, names: Collection[str | None]) -> list[tuple[str, str]]:
    """Return the parameters of a page that a form has to send again, all but those called *names* and the page."""
    return [(name, str(value)) for name, value in changelist.params.items() if name not in {*names, PAGE_VAR}]


class PersonFilter(TypedFilter):
    """Filters by who started an execution, given by the name to sign in with."""

    title = gettext_lazy("person")
    parameter_name = "by"
    template = "admin/django_scheduled_tasks/execution/person_filter.html"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the user."""
        return [(request.user.get_username(), gettext_lazy("Me"))]

    def queryset(self, _request: HttpRequest, queryset: Any) -> QuerySet[Execution]:
        """Return the executions that the person has started; none if nobody is called so."""
        rows: ExecutionQuerySet = queryset
        return started_by(rows, self.typed) if self.typed else rows


class TaskFilter(TypedFilter):
    """Filters by task: links for a few tasks, a text field for many."""

    title = gettext_lazy("task")
    parameter_name = "task"
    template = "admin/django_scheduled_tasks/execution/task_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        self.names: dict[str, str] = {}
        self.is_long = False
        self.names_url = execution_url(model_admin.admin_site, "names")
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        """Return the tasks if they are few and the user may see tasks; one query."""
        if not may(request.user, VIEW_TASK):
            return []
        found = list(for_viewer(ScheduledTask.objects.order_by("name_key")).values_list("pk", "name")[: FEW_TASKS + 1])
        self.is_long = len(found) > FEW_TASKS
        self.names = {str(pk): name for pk, name in found}
        return [] if self.is_long else list(self.names.items())

    @property
    def typed(self) -> str:
        """The name of the chosen task, also if it is given by its id; one statement if there are many tasks."""
        value = super().typed
        identifier = as_uuid(value)
        if identifier is None:
            return value
        found = for_viewer(ScheduledTask.objects.filter(pk=identifier)).values_list("name", flat=True).first()
        return self.names.get(str(identifier)) or found or ""

    def has_output(self) -> bool:
        """Whether to show the filter: also with a text field instead of links."""
        return bool(self.names)

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Execution]:
        """Return the executions of the chosen task, given by id or by name, in the order of the task's index.

        With a range of time only if the task has few: of many, which may be far from the newest, in the order of time.
        """
        rows: ExecutionQuerySet = queryset
        value = self.value()
        if not value:
            return rows
        task = as_uuid(value) or ScheduledTask.objects.named(str(value)).values_list("pk", flat=True).first()
        if task is None:
            return rows.none()
        is_of_range = any(name in request.GET for name in WhenFilter.parameters)
        if is_of_range and Execution.objects.of_task(task).values_list("pk")[FEW_EXECUTIONS : FEW_EXECUTIONS + 1]:
            return rows.filter(task=task)
        return rows.of_task(task)


class WhenFilter(ListFilter):
    """Filters by the trigger instant: today, yesterday, the last days, or from–to."""

    title = gettext_lazy("when")
    parameter_name = "when"  # django-unfold asks each filter for it
    template = "admin/django_scheduled_tasks/execution/when_filter.html"
    parameters = ("when", "from", "to")
    column = "triggered_at"
    """Of the rows."""
    ranges = {
        "today": gettext_lazy("Today"),
        "yesterday": gettext_lazy("Yesterday"),
        "7d": gettext_lazy("Last 7 days"),
        "30d": gettext_lazy("Last 30 days"),
    }

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.kept: Sequence[tuple[str, str]] = ()
        for name in self.parameters:
            if name in params:
                value = params.pop(name)
                self.used_parameters[name] = value[-1] if isinstance(value, (list, tuple)) else value

    def has_output(self) -> bool:
        """Return True: the filter has choices of its own."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """Return the names of the filter's parameters."""
        return list(self.parameters)

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return the chosen range; None means no limit."""
        today = timezone.localtime(datetime.now(UTC)).date()
        days = {"today": (0, 1), "yesterday": (-1, 0), "7d": (-6, 1), "30d": (-29, 1)}
        chosen = self.used_parameters.get("when")
        if chosen in days:
            first, last = days[str(chosen)]
            return _midnight(today + timedelta(days=first)), _midnight(today + timedelta(days=last))
        return _instant(self.used_parameters.get("from")), _instant(self.used_parameters.get("to"), is_end=True)

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:
        """Return the executions in the chosen range; an index on the instant is used."""
        first, last = self.bounds()
        if first is not None:
            queryset = queryset.filter(**{f"{self.column}__gte": first})
        return queryset if last is None else queryset.filter(**{f"{self.column}__lt": last})

    def choices(self, changelist: Any) -> Any:
        """Yield the links."""
        chosen = self.used_parameters.get("when")
        others = list(self.parameters)
        self.kept = kept_parameters(changelist, others)
        yield {
            "selected": not self.used_parameters,
            "query_string": changelist.get_query_string({}, others),
            "display": _("Any time"),
        }
        for name, label in self.ranges.items():
            yield {
                "selected": chosen == name,
                "query_string": changelist.get_query_string({"when": name}, others),
                "display": label,
            }

    @property
    def given(self) -> dict[str, str]:
        """The entered values of from and to."""
        return {"first": str(self.used_parameters.get("from", "")), "last": str(self.used_parameters.get("to", ""))}


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _instant(text: Any, *, is_end: bool = False) -> datetime | None:
    """Return the entered text as an instant; a date without a time means the whole day.

    None if the text is no instant, or one so far away that it limits nothing.
    """
    try:
        read = datetime.fromisoformat(str(text or ""))
        if is_end and len(str(text)) == len("2026-12-24"):
            read += timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    found = timezone.make_aware(read) if timezone.is_naive(read) else read
    if found > LATEST:
        return None if is_end else LATEST
    if found < EARLIEST:
        return EARLIEST if is_end else None
    return found
