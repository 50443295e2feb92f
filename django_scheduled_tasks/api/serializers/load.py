"""The load of a week as JSON."""
# ruff: noqa: N815  (JSON keys)

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import InstantField
from django_scheduled_tasks.services.queries.load.as_json import MOST_TASKS


class LoadTask(serializers.Serializer[Any]):
    """A task, and how long it is expected to wait."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    waitsSeconds = serializers.IntegerField(help_text="At most; 0: it finds a free process.")


class WorstMinute(serializers.Serializer[Any]):
    """A stretch of time in which more is due at once than there are worker processes."""

    at = InstantField(help_text="The minute in which it begins.")
    due = serializers.IntegerField(help_text="How many tasks are due in it.")
    busy = serializers.IntegerField(help_text="The most processes that are busy at once.")
    forSeconds = serializers.IntegerField(help_text="How long it is more than there are.")
    times = serializers.IntegerField(help_text="How often the same tasks meet in the week; this is the worst time.")
    tasks = LoadTask(many=True, help_text=f"Those that wait the longest first; at most {MOST_TASKS}.")


class LoadDay(serializers.Serializer[Any]):
    """One day of the time zone."""

    date = serializers.DateField()
    hours = serializers.ListField(
        child=serializers.IntegerField(allow_null=True),
        help_text="The most processes busy at once in each of its 24 hours; null: the clock skips the hour.",
    )


class LeftOutTasks(serializers.Serializer[Any]):
    """How many tasks with a schedule are not counted, and why."""

    paused = serializers.IntegerField()
    off = serializers.IntegerField()
    nothingDue = serializers.IntegerField()


class WeekLoadEnvelope(serializers.Serializer[Any]):
    """What the coming week will do to the workers: due runs, each as long as usual."""

    queue = serializers.CharField(allow_null=True, help_text="null: all queues; empty: the default one.")
    timezone = serializers.CharField()
    processes = serializers.IntegerField(allow_null=True, help_text="null: the engine does not say how many there are.")
    counted = serializers.IntegerField(help_text="How many tasks are counted.")
    unmeasured = serializers.IntegerField(help_text="How many of them have never completed: they count for a second.")
    isEstimated = serializers.BooleanField(help_text="Whether some of very many schedules count as ones like them.")
    leftOut = LeftOutTasks()
    days = LoadDay(many=True)
    worst = WorstMinute(many=True, help_text="The worst first, at most five.")
