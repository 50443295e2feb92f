"""Bodies of requests."""
# ruff: noqa: N815  (JSON keys)

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import (
    MOST_PREVIEWED,
    Body,
    DurationField,
    EnumField,
    FlagField,
    InstantField,
    NumberField,
    ObjectField,
    TextField,
)
from django_scheduled_tasks.lifecycle import OnExcluded, Overlap, Replay
from django_scheduled_tasks.models import COMMENT_MAX_LENGTH
from django_scheduled_tasks.models.calendar import CALENDAR_NAME_LENGTH

REASON_MAX_LENGTH = 500
MOST_AT_ONCE = 1_000
"""The most executions that one call starts."""

OVERLAP_HELP = "Overrides the task's overlap rule, this once. Needs the permission to change the task."


class RunOnceRequest(Body):
    """The body of ``run-once``; every key may be left out."""

    params = ObjectField(required=False, help_text="Replace the task's own parameters one by one.")
    reason = TextField(required=False, allow_blank=True, max_length=REASON_MAX_LENGTH, help_text="Why, for people.")
    notBefore = InstantField(
        required=False, allow_null=True, help_text="The earliest start; not in the past, at most a year ahead."
    )
    overlap = EnumField(Overlap, required=False, allow_null=True, help_text=OVERLAP_HELP)


class RunManyRequest(Body):
    """The body of ``run-many``."""

    params = serializers.ListField(
        child=ObjectField(),
        max_length=MOST_AT_ONCE,
        help_text="For each run, what replaces the task's own parameters one by one; `{}`: nothing.",
    )
    reason = TextField(required=False, allow_blank=True, max_length=REASON_MAX_LENGTH, help_text="Why, for people.")
    notBefore = InstantField(
        required=False, allow_null=True, help_text="The earliest start; not in the past, at most a year ahead."
    )
    overlap = EnumField(
        Overlap,
        required=False,
        allow_null=True,
        help_text="Default: `allow` if the task's own is, else `queue_all`. " + OVERLAP_HELP,
    )


class RerunRequest(RunOnceRequest):
    """The body of ``rerun``; every key may be left out."""

    params = ObjectField(required=False, help_text="Replace the parameters of the earlier execution one by one.")


class EmptyRequest(Body):
    """A body without any keys."""


class PauseRequest(Body):
    """The body of ``pause``; every key may be left out."""

    reason = TextField(required=False, allow_blank=True, max_length=REASON_MAX_LENGTH, help_text="Why, for people.")
    until = InstantField(
        required=False, allow_null=True, help_text="When the schedule goes on by itself; else when somebody resumes it."
    )


class ResumeRequest(Body):
    """The body of ``resume``; every key may be left out."""

    replay = EnumField(
        Replay,
        required=False,
        default=Replay.FROM_NOW,
        help_text="What becomes of the runs that were due meanwhile. To start some needs the permission to run it.",
    )
    reason = TextField(required=False, allow_blank=True, max_length=REASON_MAX_LENGTH, help_text="Why, for people.")


class SkipRequest(Body):
    """The body of ``skip``: `count`, `at`, or `from` and `to`; nothing: the next run."""

    count = NumberField(required=False, allow_null=True, min_value=1, max_value=100, help_text="The next so many.")
    at = serializers.ListField(
        child=InstantField(), required=False, max_length=100, help_text="Just these; each has to be due then."
    )
    reason = TextField(required=False, allow_blank=True, max_length=REASON_MAX_LENGTH, help_text="Why, for people.")

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; one is called as a word of Python."""
        options: dict[str, Any] = {"required": False, "allow_null": True}
        start = InstantField(help_text="The beginning of a range, inclusive.", **options)
        end = InstantField(help_text="The end of the range, inclusive.", **options)
        return {**super().get_fields(), "from": start, "to": end}


class CancelRequest(Body):
    """The body of ``cancel``; every key may be left out."""

    forceAfter = NumberField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=86_400,
        help_text="Seconds after which the worker is ended if the function has not stopped by itself.",
    )


class ExecutionCommentRequest(Body):
    """The body that comments on an execution."""

    text = TextField(max_length=COMMENT_MAX_LENGTH, help_text="What there is to say, for people.")


class BackfillRequest(Body):
    """The body of ``backfill``."""

    overlap = EnumField(
        Overlap,
        required=False,
        allow_null=True,
        help_text="Whether they wait for each other; default: `queue_all`, one at a time, whatever the task's own rule."
        " Needs the permission to change the task.",
    )
    reason = TextField(required=False, allow_blank=True, max_length=REASON_MAX_LENGTH, help_text="Why, for people.")
    dryRun = FlagField(required=False, default=False, help_text="Start nothing, only say what would happen.")

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; one is called as a word of Python."""
        start = InstantField(help_text="The beginning of the range, inclusive.")
        end = InstantField(help_text="The end of the range, inclusive; not in the future.")
        return {"from": start, "to": end, **super().get_fields()}


class SchedulePreviewRequest(Body):
    """The body of ``preview``: a schedule that need not be stored."""

    scheduleKind = TextField(
        max_length=32, help_text="`cron`, `interval`, `weeks`, `workday`, `dates`, `manual`, or one of the project's."
    )
    expression = TextField(required=False, allow_blank=True, default="", help_text="As it would be stored.")
    timezone = TextField(
        required=False, allow_blank=True, default="", max_length=64, help_text="IANA name; default: the project's."
    )
    startsAt = InstantField(required=False, allow_null=True, help_text="The first instant that counts.")
    endsAt = InstantField(required=False, allow_null=True, help_text="The schedule has ended at this instant.")
    maxRuns = NumberField(required=False, allow_null=True, min_value=1, help_text="Then it is done.")
    spread = DurationField(
        required=False, allow_null=True, help_text="Its window; where in it a task starts is known once it is stored."
    )
    calendars = serializers.ListField(
        child=TextField(max_length=CALENDAR_NAME_LENGTH), required=False, max_length=8, help_text="Names of calendars."
    )
    onExcluded = EnumField(OnExcluded, required=False, help_text="What becomes of a run that a calendar excludes.")
    count = NumberField(required=False, default=5, min_value=1, max_value=MOST_PREVIEWED)


class AltogicRunOnceRequest(serializers.Serializer[Any]):
    """What the npm package ``altogic`` sends."""

    taskNameOrId = TextField(help_text="The task's name or id.")
