"""Executions counted as they end, so that what was counted outlives the rows: for metrics, and for plots over a year.

``services/scheduling/rollup.py`` writes all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from django.db import models

from django_scheduled_tasks.db.fields import ExactCharField, UtcDateTimeField
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models.task import NAME_MAX_LENGTH, ScheduledTask

NO_END = 2**63 - 1
"""Where the last of the ranges ends."""


class Uncounted(models.Model):
    """A range of ids of executions none of which has been counted; the ranges do not overlap.

    The last one has no end: in it is everything that will ever be written. Whatever is in no range was counted, or was
    never there. Whoever changes ranges has locked the last one first.
    """

    last_id = models.BigIntegerField(primary_key=True)
    """Inclusive, as the first; :data:`NO_END` of the range without an end."""
    first_id = models.BigIntegerField()
    since = UtcDateTimeField()
    """When it was passed by: those in it were open then, or could not be seen yet."""
    horizon = models.BigIntegerField(null=True)
    """On PostgreSQL: no transaction that had begun to write by then has this number or a greater one."""

    objects: ClassVar[models.Manager[Uncounted]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints = (
            models.CheckConstraint(name="dst_uncounted_range", condition=models.Q(first_id__lte=models.F("last_id"))),
        )

    def __str__(self) -> str:
        return f"{self.first_id}–{self.last_id}"


class Counts(models.Model):
    """Columns for how many executions ended in which way; a row of several missed occurrences counts as so many."""

    succeeded = models.BigIntegerField(default=0, db_default=0)
    failed = models.BigIntegerField(default=0, db_default=0)
    timed_out = models.BigIntegerField(default=0, db_default=0)
    worker_lost = models.BigIntegerField(default=0, db_default=0)
    cancelled = models.BigIntegerField(default=0, db_default=0)
    expired = models.BigIntegerField(default=0, db_default=0)
    skipped = models.BigIntegerField(default=0, db_default=0)
    missed = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True

    def of(self, outcome: Outcome) -> int:
        """Return how many ended so."""
        return int(getattr(self, str(outcome)))


class TaskDay(Counts):
    """How the executions of one task ended that were triggered on one day, in UTC; tasks with keys have no rows."""

    # No constraint of the database, for which each row that is counted would lock its task; and none of Django's, which
    # would list a year of days before a task is deleted. `delete_task` deletes them.
    task = models.ForeignKey(ScheduledTask, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    day = models.DateField()
    seconds = models.FloatField(default=0.0, db_default=0.0)
    """How long those ran together that ran until they were done."""
    longest = models.FloatField(default=0.0, db_default=0.0)
    """How long the longest of them ran, in seconds."""

    objects: ClassVar[models.Manager[TaskDay]] = models.Manager()
    task_id: UUID

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["day"], name="dst_task_day_old"),)
        constraints = (models.UniqueConstraint(fields=["task", "day"], name="dst_task_day_once"),)

    def __str__(self) -> str:
        return f"{self.task_id} {self.day}"


class Total(Counts):
    """How executions of one task ended, ever; by name, since the counter of a name must not begin anew.

    Without a name it is what is counted by function alone: tasks with keys, and tasks beyond the limit of names.
    """

    task_name = ExactCharField(max_length=NAME_MAX_LENGTH, blank=True, default="", db_default="")
    function = ExactCharField(max_length=200)
    task = models.ForeignKey(
        ScheduledTask, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    """Which task has the name now; it may be gone."""
    last_success_at = UtcDateTimeField(null=True)
    last_seconds = models.FloatField(null=True)
    """How long the one ran that ended last, of those that ran until they were done."""
    last_ran_at = UtcDateTimeField(null=True)
    """When that one ended."""
    last_end_at = UtcDateTimeField()
    """When the last one ended, in whichever way."""

    objects: ClassVar[models.Manager[Total]] = models.Manager()
    task_id: UUID | None

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["task_name", "function"], name="dst_total_once"),)

    def __str__(self) -> str:
        return f"{self.task_name} {self.function}".strip()


class Measure(StrEnum):
    """Of which times the executions of a function have histograms."""

    DURATION = "duration"
    """How long one ran, until it was done."""
    LATENESS = "lateness"
    """How long after it was due one began, by schedule and at the first attempt."""


BOUNDS: Mapping[Measure, tuple[int, ...]] = {
    Measure.DURATION: (100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000),
    Measure.LATENESS: (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000),
}
"""The bounds of the histograms in milliseconds. Others may be chosen: what was counted stays where it is."""


class TimeBucket(models.Model):
    """How many executions of a function took a time up to a bound and beyond the bound before: a bar of a histogram."""

    function = ExactCharField(max_length=200)
    measure = models.CharField(max_length=16)
    """One of :class:`Measure`."""
    up_to = models.BigIntegerField()
    """The bound in milliseconds, inclusive; :data:`NO_END`: none."""
    count = models.BigIntegerField()
    seconds = models.FloatField()
    """How long they took together."""

    objects: ClassVar[models.Manager[TimeBucket]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["function", "measure", "up_to"], name="dst_time_bucket_once"),)

    def __str__(self) -> str:
        return f"{self.function} {self.measure} {self.up_to}"
