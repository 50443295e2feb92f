"""The load of a week as JSON."""
# ruff: noqa: N815  (JSON keys)

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import EnumField, InstantField
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.schedules.description.clock_changes import EffectKind
from django_scheduled_tasks.services.queries.clock_changes import ZoneChange
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


@extend_schema_serializer(many=False)
class LoadOfWeek(serializers.Serializer[Any]):
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


class TouchedTask(serializers.Serializer[Any]):
    """A task, and what the change makes of it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    effect = EnumField(EffectKind)
    sentence = serializers.CharField()


class ClockChange(serializers.Serializer[Any]):
    """The next change of a zone's clock."""

    timezone = serializers.CharField()
    at = InstantField(help_text="The first instant with the new offset.")
    tasks = serializers.IntegerField(help_text="How many tasks with a schedule are in the zone.")
    touchedCount = serializers.IntegerField(help_text="Of how many of them something becomes.")
    touched = TouchedTask(many=True, help_text="Those, by name; at most 200.")


class ClockChanges(serializers.Serializer[Any]):
    """The next change of each zone that tasks are in, the nearest first."""

    zones = ClockChange(many=True)


def clock_changes_json(found: Iterable[ZoneChange]) -> dict[str, Any]:
    """Return *found* as JSON."""
    return {
        "zones": [
            {
                "timezone": one.zone,
                "at": iso_milliseconds(one.change.at),
                "tasks": one.tasks,
                "touchedCount": one.touched,
                "touched": [
                    {
                        "id": str(task.pk),
                        "name": task.name,
                        "effect": task.effect.kind,
                        "sentence": task.effect.sentence,
                    }
                    for task in one.named
                ],
            }
            for one in found
        ]
    }
