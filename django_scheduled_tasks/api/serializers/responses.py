"""What responses look like: described for the schema, and written from what services return."""
# ruff: noqa: N815  (JSON keys)

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import EnumField, InstantField
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.planner import Coming
from django_scheduled_tasks.schedules.calendars import Excluded
from django_scheduled_tasks.services.starting.backfill import Backfill
from django_scheduled_tasks.services.tasks.skips import Skipped


class ErrorOrigin(StrEnum):
    """Where an error comes from."""

    CLIENT_ERROR = "client_error"
    """The request."""
    SERVER_ERROR = "server_error"
    """Neither the request nor the task's own code."""
    FUNCTION = "function"
    """The task's own code."""


class TaskErrorItem(serializers.Serializer[Any]):
    """One thing that is wrong."""

    origin = EnumField(ErrorOrigin)
    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField(help_text="A sentence for people.")
    details = serializers.DictField(help_text="What is needed in order to react, such as `field` or `trackingId`.")


class TaskErrors(serializers.Serializer[Any]):
    """Why a call was refused."""

    status = serializers.IntegerField(help_text="The HTTP status.")
    statusText = serializers.CharField()
    items = TaskErrorItem(many=True)


class TaskErrorEnvelope(serializers.Serializer[Any]):
    """The shape of every error."""

    info = serializers.JSONField(allow_null=True, help_text="Always null.")
    errors: Any = TaskErrors()


class ExecutionProgress(serializers.Serializer[Any]):
    """How far a function says it is."""

    current = serializers.IntegerField(allow_null=True)
    total = serializers.IntegerField(allow_null=True)
    message = serializers.CharField(allow_blank=True)


class ExecutionInfo(serializers.Serializer[Any]):
    """An execution; keys are left out when there is nothing to say."""

    trackingId = serializers.UUIDField()
    scheduledTaskId = serializers.UUIDField(allow_null=True, help_text="null if the task has been deleted.")
    scheduledTaskName = serializers.CharField()
    triggeredAt = InstantField()
    status = EnumField(Status)
    startedAt = InstantField(required=False)
    completedAt = InstantField(required=False)
    notBefore = InstantField(required=False, help_text="While it waits: the earliest start.")
    attempt = serializers.IntegerField(required=False, min_value=2, help_text="From the second on.")
    progress = ExecutionProgress(required=False)
    result = serializers.JSONField(required=False, help_text="For those who may see results.")
    outcome = EnumField(Outcome, required=False, help_text="How it ended, if not well.")
    errors: Any = TaskErrorItem(many=True, required=False)


class ExecutionEnvelope(serializers.Serializer[Any]):
    """The envelope of an execution."""

    info = ExecutionInfo()
    errors: Any = serializers.JSONField(allow_null=True, help_text="Always null.")


class RunManyItem(serializers.Serializer[Any]):
    """What came of one of many: one of the two is null."""

    info = ExecutionInfo(allow_null=True)
    errors: Any = TaskErrors(allow_null=True)


class RunManyInfo(serializers.Serializer[Any]):
    """What came of all, in their order."""

    started = serializers.IntegerField(help_text="How many were started, now or by the same request before.")
    refused = serializers.IntegerField()
    items = RunManyItem(many=True)


class RunManyEnvelope(serializers.Serializer[Any]):
    """The envelope of many executions."""

    info = RunManyInfo()
    errors: Any = serializers.JSONField(allow_null=True, help_text="Always null.")


class AltogicInfo(ExecutionInfo):
    """An execution as the npm package `altogic` reads it."""

    taskId = serializers.UUIDField(help_text="The same as `trackingId`.")


class AltogicErrors(serializers.Serializer[Any]):
    """Why a call was refused, as the npm package `altogic` reads it."""

    errors: Any = TaskErrorItem(many=True)


class ScheduledOccurrence(serializers.Serializer[Any]):
    """One due instant."""

    scheduledFor = InstantField(help_text="The nominal instant.")
    notBefore = InstantField(allow_null=True, help_text="When it starts, if the task is spread.")
    held = serializers.BooleanField(help_text="Whether a hold keeps it from starting then.")


class ExcludedOccurrence(serializers.Serializer[Any]):
    """A run that a calendar excludes."""

    scheduledFor = InstantField(help_text="When it would be due.")
    name = serializers.CharField(help_text="What is then, such as the holiday.")
    calendar = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the calendar.")
    movedTo = InstantField(allow_null=True, help_text="When it is due instead; null: it is left out.")


class UpcomingOccurrences(serializers.Serializer[Any]):
    """What a task will do."""

    description = serializers.CharField(help_text="The schedule as a sentence; may be empty.")
    timezone = serializers.CharField()
    upcoming = ScheduledOccurrence(many=True)
    excluded = ExcludedOccurrence(many=True, help_text="What calendars leave out or move until then.")


class SkippedRuns(serializers.Serializer[Any]):
    """What is left out, or takes place again."""

    scheduledTaskId = serializers.UUIDField()
    scheduledTaskName = serializers.CharField()
    instants = serializers.ListField(child=InstantField(), help_text="The first hundred.")
    count = serializers.IntegerField(help_text="How many.")
    nextRunAt = InstantField(allow_null=True, help_text="What starts next.")


def skipped_json(done: Skipped) -> dict[str, Any]:
    """Return what came of skipping, or of taking that back, as JSON."""
    return {
        "scheduledTaskId": str(done.task.pk),
        "scheduledTaskName": done.task.name,
        "instants": [iso_milliseconds(instant) for instant in done.instants],
        "count": done.count,
        "nextRunAt": iso_milliseconds(done.next_start_at) if done.next_start_at is not None else None,
    }


class SchedulePreview(UpcomingOccurrences):
    """What a schedule would do."""

    scheduleKind = serializers.CharField()
    expression = serializers.CharField(help_text="As it would be stored.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What may surprise.")


class BackfilledOccurrence(serializers.Serializer[Any]):
    """What becomes of one occurrence."""

    scheduledFor = InstantField()
    starts = serializers.BooleanField(help_text="Whether it is started, at once or in its turn; else it is skipped.")
    reason = serializers.CharField(help_text="Why not.")
    trackingId = serializers.UUIDField(allow_null=True, help_text="null in a dry run.")


class BackfillInfo(serializers.Serializer[Any]):
    """What came of a backfill."""

    scheduledTaskId = serializers.UUIDField()
    scheduledTaskName = serializers.CharField()
    dryRun = serializers.BooleanField()
    started = serializers.IntegerField(help_text="How many start.")
    skipped = serializers.IntegerField(help_text="How many do not, because of the overlap rule.")
    occurrences = BackfilledOccurrence(many=True)


class BackfillEnvelope(serializers.Serializer[Any]):
    """The envelope of a backfill."""

    info = BackfillInfo()
    errors: Any = serializers.JSONField(allow_null=True, help_text="Always null.")


class RegisteredFunction(serializers.Serializer[Any]):
    """A function that may run."""

    name = serializers.CharField()
    description = serializers.CharField(help_text="The first line of its docstring.")
    isAsync = serializers.BooleanField()
    parameters = serializers.DictField(help_text="JSON Schema (draft 2020-12) of its parameters.")


@extend_schema_serializer(many=False)
class RegisteredFunctions(serializers.Serializer[Any]):
    """All functions that may run."""

    results = RegisteredFunction(many=True)


class RunningRelease(serializers.Serializer[Any]):
    """One release of the project of which a process runs."""

    name = serializers.CharField(help_text="The setting `RELEASE`, or what was found out.")
    hosts = serializers.ListField(child=serializers.CharField())
    since = InstantField()


class SchedulerHealth(serializers.Serializer[Any]):
    """How the installation is."""

    schedulers = serializers.IntegerField(help_text="How many have been seen lately.")
    workerHosts = serializers.IntegerField(help_text="On how many hosts workers have been seen lately.")
    schedulerSeenAt = InstantField(allow_null=True)
    workerSeenAt = InstantField(allow_null=True)
    releases = RunningRelease(many=True, help_text="Which releases run, those first seen first.")
    note = serializers.CharField(allow_null=True, help_text="A sentence while more than one runs.")


@extend_schema_serializer(many=False)
class SchedulerHealthEnvelope(serializers.Serializer[Any]):
    """All is well."""

    info = SchedulerHealth()
    errors: Any = serializers.JSONField(allow_null=True, help_text="Always null.")


# --- JSON from what services return -------------------------------------------------------------------------------


def instant_json(value: datetime | None) -> str | None:
    """Return an instant as text, or None."""
    return iso_milliseconds(value) if value is not None else None


def occurrence_json(item: Coming) -> dict[str, Any]:
    """Return one due instant."""
    return {
        "scheduledFor": instant_json(item.scheduled_for),
        "notBefore": instant_json(item.not_before),
        "held": item.held,
    }


def excluded_json(item: Excluded) -> dict[str, Any]:
    """Return one run that a calendar excludes."""
    return {
        "scheduledFor": instant_json(item.nominal),
        "name": item.exclusion.label,
        "calendar": item.exclusion.calendar,
        "version": item.exclusion.version,
        "movedTo": instant_json(item.moved_to),
    }


def backfill_json(done: Backfill, *, dry_run: bool) -> dict[str, Any]:
    """Return what came of a backfill."""
    return {
        "scheduledTaskId": str(done.task.pk),
        "scheduledTaskName": done.task.name,
        "dryRun": dry_run,
        "started": done.started,
        "skipped": done.skipped,
        "occurrences": [
            {
                "scheduledFor": instant_json(item.scheduled_for),
                "starts": item.starts,
                "reason": item.reason,
                "trackingId": str(item.tracking_id) if item.tracking_id else None,
            }
            for item in done.occurrences
        ],
    }
