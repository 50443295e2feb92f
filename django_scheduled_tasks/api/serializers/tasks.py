"""A scheduled task as a resource."""

from __future__ import annotations

import re
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import (
    BIGGEST,
    CamelModelSerializer,
    EnumField,
    InstantField,
    NumberField,
    ObjectField,
    StrictSerializer,
    TextField,
)
from django_scheduled_tasks.api.serializers.condition import FIELDS, ConditionMixin
from django_scheduled_tasks.api.serializers.requests import REASON_MAX_LENGTH
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.instants import camel
from django_scheduled_tasks.lifecycle import CatchUp, LogLevel, OnExcluded, OnWorkerLost, Origin, Overlap
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.calendar import CALENDAR_NAME_LENGTH
from django_scheduled_tasks.models.task import CONTACT_MAX_LENGTH, NAME_MAX_LENGTH, NAME_MIN_LENGTH
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS
from django_scheduled_tasks.services.tasks.tags import MOST_TAGS, TAG_MAX_LENGTH
from django_scheduled_tasks.services.tasks.validation import MOST_CALENDARS

_SMALL = 32_767
_NEEDED = frozenset({"name", "function"})
_WITHOUT_INPUT = ("params", "retry_on", "environments", "tags", "calendars")
_IN_ORDER = [column.name for column in ScheduledTask._meta.concrete_fields if column.name in PUBLIC_FIELDS]
READ_ONLY: tuple[str, ...] = (
    *("id", "run_count", "next_run_at", "paused_at", "paused_until", "pause_reason", "origin", "changed_fields"),
    *("retired_at", "created_at", "updated_at", "key", "owner_type", "owner_id"),
)


def defaults() -> dict[str, Any]:
    """Return what a PUT gives to the fields that it leaves out."""
    columns = (column for column in ScheduledTask._meta.concrete_fields if column.name in PUBLIC_FIELDS - _NEEDED)
    return {column.name: column.get_default() for column in columns} | {"timezone": get_settings().time_zone}


def left_out_of_form(data: object) -> frozenset[str]:
    """Return the fields that a form leaves as they are: DRF's forms have no inputs for objects and lists.

    Args:
        data: The body of a request; JSON leaves out what it means to.
    """
    if not isinstance(data, QueryDict):
        return frozenset()
    named = {re.split(r"[.[]", key, maxsplit=1)[0] for key in data}
    return frozenset(name for name in _WITHOUT_INPUT if camel(name) not in named)


class ScheduledTaskSerializer(ConditionMixin, StrictSerializer, CamelModelSerializer):
    """A scheduled task. Durations are texts such as `90s` or `2h30m`; secrets among the parameters are masked."""

    id = serializers.UUIDField(read_only=True)
    name = TextField(
        min_length=NAME_MIN_LENGTH,
        max_length=NAME_MAX_LENGTH,
        help_text="Unique regardless of case; letters, digits, spaces, dashes and underscores.",
    )
    function = TextField(max_length=200, help_text="A registered function; see `functions/`.")
    params = ObjectField(required=False, help_text="Parameters of the function. A masked secret stays as it is.")
    schedule_kind = TextField(
        required=False,
        max_length=32,
        help_text="`cron`, `interval`, `weeks`, `workday`, `dates`, `manual`, or one of the project's.",
    )
    timezone = TextField(required=False, max_length=64, help_text="IANA name; default: the project's.")
    max_runs = NumberField(required=False, allow_null=True, min_value=1, max_value=BIGGEST)
    overlap = EnumField(Overlap, required=False, help_text="What happens when it is due while one is open.")
    catch_up = EnumField(CatchUp, required=False, help_text="Which of several late occurrences are started.")
    max_attempts = NumberField(required=False, min_value=1, max_value=_SMALL)
    max_doublings = NumberField(required=False, min_value=0, max_value=_SMALL)
    retry_on = serializers.ListField(
        child=TextField(max_length=200), required=False, help_text="Exception types; empty: any."
    )
    environments = serializers.ListField(
        child=TextField(max_length=100),
        required=False,
        help_text="It runs by schedule in these environments only; empty: in all.",
    )
    calendars = serializers.ListField(
        child=TextField(max_length=CALENDAR_NAME_LENGTH),
        required=False,
        max_length=MOST_CALENDARS,
        help_text="Names of calendars; it does not run on the days and at the hours that they exclude.",
    )
    on_excluded = EnumField(OnExcluded, required=False, help_text="What becomes of a run that a calendar excludes.")
    on_worker_lost = EnumField(OnWorkerLost, required=False, help_text="What happens when the worker dies.")
    pause_after_failures = NumberField(required=False, allow_null=True, min_value=1, max_value=_SMALL)
    keep_last = NumberField(required=False, allow_null=True, min_value=1, max_value=BIGGEST)
    log_level = EnumField(LogLevel, required=False)
    tags = serializers.ListField(
        child=TextField(max_length=TAG_MAX_LENGTH),
        required=False,
        max_length=MOST_TAGS,
        help_text="Letters from a to z, digits, and `-_.:`; in lower case.",
    )
    next_run_at = InstantField(
        source="next_start_at", read_only=True, allow_null=True, help_text="What starts next by schedule."
    )
    contact = TextField(
        required=False, allow_blank=True, max_length=CONTACT_MAX_LENGTH, help_text="Who is responsible for it."
    )
    runbook = TextField(
        required=False, allow_blank=True, max_length=2_000, help_text="What to do when it fails: a link, or Markdown."
    )
    reason = TextField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=REASON_MAX_LENGTH,
        help_text="Why; recorded with the change.",
    )
    run_count = NumberField(read_only=True, help_text="How many occurrences have started an execution.")
    origin = EnumField(Origin, read_only=True)
    key = serializers.CharField(read_only=True, allow_null=True, help_text="A program's own name for it.")
    owner_type = serializers.CharField(
        read_only=True, help_text="The model of the object that it belongs to, as `shop.customer`; empty: to none."
    )
    owner_id = serializers.CharField(read_only=True, help_text="That object's primary key.")
    changed_fields = serializers.SerializerMethodField(
        "get_changed_fields", help_text="What staff changed of a task declared in code."
    )

    class Meta:
        model = ScheduledTask
        fields = ("id", *_IN_ORDER, *READ_ONLY[1:], *FIELDS, "reason")
        read_only_fields: tuple[str, ...] = READ_ONLY

    def get_changed_fields(self, task: ScheduledTask) -> list[str]:
        """Return their names in JSON."""
        return [camel(name) for name in task.changed_fields]

    def to_representation(self, instance: ScheduledTask) -> dict[str, Any]:
        """Return the resource, secrets masked."""
        found: dict[str, Any] = super().to_representation(instance)
        if "params" in found:
            found["params"] = shown_params(instance)
        return found
