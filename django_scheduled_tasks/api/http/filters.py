"""Filters of lists."""
# ruff: noqa: N815  (names of query parameters)

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.api.serializers.base import read_instant
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.lifecycle import Origin, Outcome, Status, Trigger
from django_scheduled_tasks.models import Alert, Change, ChangeKind, Execution, ScheduledTask, Way
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.services.permissions import VIEW_LOGS, may
from django_scheduled_tasks.services.queries import audit
from django_scheduled_tasks.services.queries.condition import OK, in_word, with_word
from django_scheduled_tasks.services.queries.executions.search import MOST_SEARCHED, SEARCHED, with_text
from django_scheduled_tasks.services.queries.holds import has_tag
from django_scheduled_tasks.services.queries.lookup import started_by
from django_scheduled_tasks.services.queries.overview import State, in_state


class InstantInput(forms.Field):
    """An instant in a query."""

    def to_python(self, value: Any) -> datetime | None:
        """Return the aware instant."""
        if value in self.empty_values:
            return None
        # A plus sign that was not encoded arrives as a space.
        found = read_instant(str(value).replace(" ", "+"))
        if found is None:
            raise ValidationError("Write an instant as ISO 8601 with a time zone, such as 2026-03-20T23:00:00Z.")
        return found


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantFilter(django_filters.Filter):
    """Rows from an instant on, or before it."""

    field_class = InstantInput


class WordsInput(forms.Field):
    """One or several words with commas between them."""

    def __init__(self, *, words: Iterable[str], **options: Any) -> None:
        self.words = list(words)
        super().__init__(**options)

    def to_python(self, value: Any) -> list[str]:
        """Return the words."""
        found = [word.strip() for word in str(value or "").split(",") if word.strip()]
        if unknown := [word for word in found if word not in self.words]:
            raise ValidationError(f"There is no {', '.join(unknown)}; known are {', '.join(self.words)}.")
        return found


class WordsFilter(django_filters.Filter):
    """Rows with one of the given words."""

    field_class = WordsInput

    def __init__(self, enum: type[StrEnum], **options: Any) -> None:
        super().__init__(lookup_expr="in", words=[str(item) for item in enum], **options)


def _words(enum: type[StrEnum], *, name: str, **options: Any) -> WordsFilter:
    words = ", ".join(f"`{item}`" for item in enum)
    return WordsFilter(enum, field_name=name, label=f"One or several, with commas between them: {words}.", **options)


@extend_schema_field({"type": "boolean"})
class FlagFilter(django_filters.TypedChoiceFilter):
    """True or false."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], coerce="true".__eq__, **options)


class StrictFilterSet(django_filters.FilterSet):
    """Filters that refuse an empty value, except from forms of the browsable API, which send many."""

    def is_valid(self) -> bool:
        """Whether all values can be read."""
        renderer = getattr(self.request, "accepted_renderer", None)
        if super().is_valid() and self.is_bound and getattr(renderer, "format", "") != "api":
            for name in self.filters:
                if (self.data or {}).get(name) == "":
                    self.form.add_error(name, "It is empty.")
        return bool(super().is_valid())


class ExecutionFilter(StrictFilterSet):
    """Executions."""

    task = django_filters.CharFilter(method="of_task", label="The task's name or id.")
    status = _words(Status, name="status")
    outcome = _words(Outcome, name="outcome", method="of_outcome")
    trigger = _words(Trigger, name="trigger")
    triggeredBy = django_filters.CharFilter(method="of_person", label="The name of the user who started it.")
    triggeredAfter = InstantFilter(field_name="triggered_at", lookup_expr="gte", label="Triggered then or later.")
    triggeredBefore = InstantFilter(field_name="triggered_at", lookup_expr="lt", label="Triggered earlier.")
    startedAfter = InstantFilter(field_name="started_at", lookup_expr="gte", label="Started then or later.")
    startedBefore = InstantFilter(field_name="started_at", lookup_expr="lt", label="Started earlier.")
    completedAfter = InstantFilter(field_name="completed_at", lookup_expr="gte", label="Ended then or later.")
    completedBefore = InstantFilter(field_name="completed_at", lookup_expr="lt", label="Ended earlier.")
    scheduledAfter = InstantFilter(field_name="scheduled_for", lookup_expr="gte", label="Scheduled then or later.")
    scheduledBefore = InstantFilter(field_name="scheduled_for", lookup_expr="lt", label="Scheduled earlier.")
    search = django_filters.CharFilter(
        method="with_text",
        max_length=MOST_SEARCHED,
        label=f"Text in the task's name or, in the newest {SEARCHED:,} executions, in the reason, the parameters but"
        " their secrets, the type of the error and, for those who may see logs, its message; or a number, or a"
        " tracking id.",
    )

    class Meta:
        model = Execution
        fields: tuple[str, ...] = ()

    def of_task(self, rows: ExecutionQuerySet, _name: str, value: str) -> QuerySet[Execution]:
        """Keep executions of the task with this name or id, in order; also of one that has been deleted since."""
        found = as_uuid(value) or ScheduledTask.objects.named(value).values_list("pk", flat=True).first()
        if found:
            return rows.of_task(found)
        return rows.filter(task=None, task_name__iexact=value)

    def with_text(self, rows: QuerySet[Execution], _name: str, value: str) -> QuerySet[Execution]:
        """Keep executions that contain *value*, among the newest of those that the other filters keep."""
        sees_logs = may(getattr(self.request, "user", None), VIEW_LOGS)
        return with_text(rows, value, sees_logs=sees_logs)

    def of_outcome(self, rows: ExecutionQuerySet, _name: str, value: list[str]) -> QuerySet[Execution]:
        """Keep executions with one of these outcomes; the status that follows from them has an index with the task."""
        if not value:
            return rows
        if Outcome.SUCCEEDED not in value:
            rows = rows.filter(status=Status.ERRORS)
        return rows.filter(outcome__in=value)

    def of_person(self, rows: ExecutionQuerySet, _name: str, value: str) -> QuerySet[Execution]:
        """Keep executions that the user with this name has started, in order."""
        return started_by(rows, value)


class AlertFilter(StrictFilterSet):
    """Alerts."""

    task = django_filters.CharFilter(method="of_task", label="The task's name or id.")
    kind = _words(Kind, name="kind")
    open = FlagFilter(field_name="open_key", lookup_expr="isnull", exclude=True, label="Whether it is not over.")
    acknowledged = FlagFilter(
        field_name="acknowledged_at", lookup_expr="isnull", exclude=True, label="Whether somebody has acknowledged it."
    )

    class Meta:
        model = Alert
        fields: tuple[str, ...] = ()

    def of_task(self, rows: QuerySet[Alert], _name: str, value: str) -> QuerySet[Alert]:
        """Keep alerts of the task with this name or id; also of one that has been deleted since."""
        identifier = as_uuid(value)
        return rows.filter(task=identifier) if identifier else rows.filter(task_name__iexact=value)


class ChangeFilter(StrictFilterSet):
    """Changes."""

    task = django_filters.CharFilter(method="of_task", label="The task's id, or what it is or was called.")
    person = django_filters.CharFilter(method="of_person", label="The name of the user who did it.")
    way = _words(Way, name="way")
    kind = django_filters.ChoiceFilter(
        method="of_kind", choices=[(str(kind), str(kind)) for kind in ChangeKind], label="What it is about."
    )
    since = InstantFilter(field_name="at", lookup_expr="gte", label="Done then or later.")
    until = InstantFilter(field_name="at", lookup_expr="lt", label="Done earlier.")
    search = django_filters.CharFilter(
        method="with_text", max_length=MOST_SEARCHED, label="Text in the task's name, a field, a value or the reason."
    )

    class Meta:
        model = Change
        fields: tuple[str, ...] = ()

    def of_task(self, rows: QuerySet[Change], _name: str, value: str) -> QuerySet[Change]:
        """Keep the changes of this task; also of one that has been deleted since."""
        return audit.of_task(rows, value)

    def of_person(self, rows: QuerySet[Change], _name: str, value: str) -> QuerySet[Change]:
        """Keep what this user did."""
        return audit.of_person(rows, value)

    def of_kind(self, rows: QuerySet[Change], _name: str, value: str) -> QuerySet[Change]:
        """Keep what is about this."""
        return audit.of_kind(rows, value)

    def with_text(self, rows: QuerySet[Change], _name: str, value: str) -> QuerySet[Change]:
        """Keep changes that contain *value*."""
        return audit.with_text(rows, value)


class TaskOrdering(django_filters.OrderingFilter):
    """Orders tasks; the states of all are found out only if they are ordered by them."""

    def filter(self, qs: Any, value: Any) -> Any:
        """Return the tasks in order."""
        is_by_state = any(one.lstrip("-") == "state" for one in value or ())
        return super().filter(with_word(qs) if is_by_state else qs, value)


class TaskFilter(StrictFilterSet):
    """Scheduled tasks."""

    function = django_filters.CharFilter(field_name="function", lookup_expr="exact", label="The registered function.")
    queue = django_filters.CharFilter(field_name="queue", lookup_expr="exact", label="The queue.")
    tag = django_filters.CharFilter(method="with_tag", label="The tag.")
    contact = django_filters.CharFilter(
        field_name="contact", lookup_expr="iexact", max_length=200, label="Who is responsible, regardless of case."
    )
    scheduleKind = django_filters.CharFilter(
        field_name="schedule_kind", lookup_expr="exact", label="The kind of schedule."
    )
    origin = _words(Origin, name="origin")
    enabled = FlagFilter(field_name="enabled", label="Whether it is switched on.")
    paused = FlagFilter(field_name="paused_at", lookup_expr="isnull", exclude=True, label="Whether it is paused.")
    state = django_filters.ChoiceFilter(
        method="in_state",
        choices=[(OK, OK), *((str(state), str(state)) for state in State)],
        label="In which state: as the chips above the list in the admin, so that a task may be in several; or `ok`.",
    )
    key = django_filters.CharFilter(field_name="key", lookup_expr="exact", label="The program's own name.")
    ownerType = django_filters.CharFilter(method="with_owner_type", label="The model of the owner: `shop.customer`.")
    ownerId = django_filters.CharFilter(field_name="owner_id", lookup_expr="exact", label="The owner's primary key.")
    search = django_filters.CharFilter(
        method="with_text", max_length=MOST_SEARCHED, label="Text in the name, the description or the function."
    )
    ordering = TaskOrdering(
        fields=(
            ("word_rank", "state"),
            ("name_key", "name"),
            ("next_run_at", "nextRunAt"),
            ("created_at", "createdAt"),
            ("updated_at", "updatedAt"),
        )
    )

    class Meta:
        model = ScheduledTask
        fields: tuple[str, ...] = ()

    def with_tag(self, rows: QuerySet[ScheduledTask], _name: str, value: str) -> QuerySet[ScheduledTask]:
        """Keep tasks with this tag."""
        return rows.filter(has_tag(value))

    def in_state(self, rows: QuerySet[ScheduledTask], _name: str, value: str) -> QuerySet[ScheduledTask]:
        """Keep tasks in this state."""
        return rows.filter(pk__in=(in_word(OK) if value == OK else in_state(State(value))).values("pk"))

    def with_owner_type(self, rows: QuerySet[ScheduledTask], _name: str, value: str) -> QuerySet[ScheduledTask]:
        """Keep tasks whose owner is of this model."""
        return rows.filter(owner_type=value.lower())

    def with_text(self, rows: QuerySet[ScheduledTask], _name: str, value: str) -> QuerySet[ScheduledTask]:
        """Keep tasks that contain *value*."""
        return rows.filter(Q(name__icontains=value) | Q(description__icontains=value) | Q(function__icontains=value))
