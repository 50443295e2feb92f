"""The definition of a scheduled task: what runs, with which parameters, when, and under which policies."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.fields import ExactCharField, TagsField, UtcDateTimeField
from django_scheduled_tasks.db.indexes import PartialIndex
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import CatchUp, OnExcluded, OnWorkerLost, Origin, Overlap
from django_scheduled_tasks.models.calendar import calendar_values
from django_scheduled_tasks.models.owner import find_owners
from django_scheduled_tasks.planner import Skip, TaskPolicy, first_not_skipped
from django_scheduled_tasks.schedules import Manual, Schedule, parse_schedule, parse_timezone
from django_scheduled_tasks.schedules.calendars import WithCalendars

NAME_MIN_LENGTH, NAME_MAX_LENGTH = 2, 64
CONTACT_MAX_LENGTH = 200
KEY_MAX_LENGTH = 255
NUL = "\x00"
"""PostgreSQL takes it in no text, not even in one that is looked for."""
RESERVED_NAMES = frozenset({"this"})
_NAME = re.compile(r"[^\W_][\w -]*")


def clean_name(name: str) -> str:
    """Return *name* in its canonical form (NFC, no outer white space).

    Raises:
        ValidationError: It is too short, too long, reserved, or has a character that is not allowed.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not NAME_MIN_LENGTH <= len(name) <= NAME_MAX_LENGTH:
        raise ValidationError(
            _("A name has %(least)s to %(most)s characters; this one has %(given)s."),
            code="length",
            params={"least": NAME_MIN_LENGTH, "most": NAME_MAX_LENGTH, "given": len(name)},
        )
    if not _NAME.fullmatch(name):
        raise ValidationError(
            _("A name consists of letters, digits, spaces, dashes and underscores, and starts with a letter or digit."),
            code="characters",
        )
    if name.casefold() in RESERVED_NAMES:
        raise ValidationError(_('The name "%(name)s" is reserved.'), code="reserved", params={"name": name})
    return name


def name_key(name: str) -> str:
    """Return the form of *name* in which names are compared: without regard to case."""
    return unicodedata.normalize("NFC", name).strip().casefold()


class ScheduledTaskQuerySet(models.QuerySet["ScheduledTask"]):
    """Scheduled tasks."""

    def named(self, name: str) -> Self:
        """Tasks with *name*, whatever its case: none or one."""
        if NUL in name:
            return self.none()
        return self.filter(name_key=name_key(name))

    def get_by_natural_key(self, name: str) -> ScheduledTask:
        """Return the task that a fixture calls *name*: where it is loaded, the code may have declared it already."""
        return self.named(name).get()

    def scheduled(self) -> Self:
        """Tasks whose schedule is switched on and has a next occurrence."""
        return self.filter(next_run_at__isnull=False)


class ScheduledTask(models.Model):
    """A registered function, its parameters, and when it runs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=NAME_MAX_LENGTH)
    name_key = models.CharField(max_length=3 * NAME_MAX_LENGTH, unique=True, editable=False)
    description = models.TextField(_("description"), blank=True)
    function = models.CharField(_("function"), max_length=200)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    secret_params = models.JSONField(null=True, blank=True, editable=False)
    """Where secrets are in the parameters; see :class:`Execution`."""

    schedule_kind = models.CharField(_("repeat"), max_length=32, default="manual")
    expression = models.TextField(_("expression"), blank=True)
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    starts_at = UtcDateTimeField(_("starts at"), null=True, blank=True, help_text=_("The first instant that counts."))
    ends_at = UtcDateTimeField(
        _("ends at"), null=True, blank=True, help_text=_("The schedule has ended at this instant.")
    )
    max_runs = models.PositiveIntegerField(
        _("most runs"), null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("Then it is done.")
    )
    run_count = models.PositiveIntegerField(_("runs so far"), default=0, editable=False)
    spread = models.DurationField(_("spread"), null=True, blank=True)
    calendars = TagsField(
        _("calendars"), max_length=500, help_text=_("It does not run on the days and at the hours that they exclude.")
    )
    on_excluded = models.CharField(
        _("an excluded run"),
        max_length=16,
        default=OnExcluded.SKIP,
        db_default=OnExcluded.SKIP.value,
        help_text=_("What becomes of a run that falls on an excluded day or hour."),
    )
    calendar_stamps = models.JSONField(null=True, blank=True, editable=False)
    """The stamps of its calendars when ``next_run_at`` was computed: of others, processes read the calendars anew."""
    calendars_since = UtcDateTimeField(null=True, blank=True, editable=False)
    """What calendars have left out up to this instant has its row already."""
    next_run_at = UtcDateTimeField(_("next"), null=True, blank=True, editable=False)

    skips = models.JSONField(_("skipped runs"), null=True, blank=True, editable=False)
    """What somebody has asked to be left out: ``from``, ``to`` (ISO 8601, inclusive), ``by`` and ``reason`` of each."""

    enabled = models.BooleanField(_("enabled"), default=True)
    paused_at = UtcDateTimeField(_("paused at"), null=True, blank=True, editable=False)
    paused_until = UtcDateTimeField(_("paused until"), null=True, blank=True, editable=False)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    pause_reason = models.CharField(_("reason of the pause"), max_length=500, blank=True, editable=False)
    pause_code = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    """Why the scheduler has paused it, for programs; empty if a person has."""

    stands_since = UtcDateTimeField(null=True, blank=True, editable=False)
    """While it is paused or switched off: after which instant no occurrence has a row yet."""

    overlap = models.CharField(_("if one is still open"), max_length=16, default=Overlap.SKIP)
    catch_up = models.CharField(_("catch up"), max_length=16, default=CatchUp.LATEST)
    grace = models.DurationField(_("grace"), null=True, blank=True)
    timeout = models.DurationField(_("time limit"), null=True, blank=True)
    max_runtime = models.DurationField(_("alert after"), null=True, blank=True)
    must_succeed_every = models.DurationField(
        _("must succeed every"),
        null=True,
        blank=True,
        help_text=_("Without a success for so long it is an alert, whatever the reason."),
    )
    must_finish_by = models.TimeField(
        _("must finish by"),
        null=True,
        blank=True,
        help_text=_("Without a success by this time of its day, in its time zone, it is an alert."),
    )
    own_rules_only = models.BooleanField(
        _("only its own alert rules"),
        default=False,
        db_default=False,
        help_text=_("Rules for all tasks, or for a tag, tell nobody of it."),
    )
    expected_since = UtcDateTimeField(null=True, blank=True, editable=False)
    """When the two promises above were made as they are; they count from then on."""
    expires_after = models.DurationField(_("expires after"), null=True, blank=True)
    max_attempts = models.PositiveSmallIntegerField(_("attempts"), default=1, validators=[MinValueValidator(1)])
    min_backoff = models.DurationField(_("least wait before a retry"), default=timedelta(seconds=10))
    max_backoff = models.DurationField(_("longest wait before a retry"), default=timedelta(seconds=300))
    max_doublings = models.PositiveSmallIntegerField(_("doublings of the wait"), default=3)
    max_age = models.DurationField(_("stop retrying after"), null=True, blank=True)
    retry_on = models.JSONField(_("retry on"), default=list, blank=True)
    on_worker_lost = models.CharField(_("if the worker is lost"), max_length=16, default=OnWorkerLost.FAIL)
    pause_after_failures = models.PositiveSmallIntegerField(_("pause after failures"), null=True, blank=True)
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    concurrency_group = models.CharField(_("concurrency group"), max_length=100, blank=True)
    keep_last = models.PositiveIntegerField(_("keep the last"), null=True, blank=True)
    keep_for = models.DurationField(_("keep for"), null=True, blank=True)
    log_level = models.CharField(_("log level"), max_length=16, default="INFO")
    confirm = models.BooleanField(_("ask before Run once"), default=False)
    tags = TagsField(_("tags"))
    contact = models.CharField(
        _("contact"),
        max_length=CONTACT_MAX_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text=_("The person or team that is responsible for it."),
    )
    runbook = models.CharField(
        _("runbook"),
        max_length=2_000,
        blank=True,
        default="",
        db_default="",
        help_text=_("What to do when it fails: a link, or a note (Markdown)."),
    )
    environments = TagsField(
        _("environments"), max_length=500, help_text=_("It runs by schedule in these only; empty: in all.")
    )
    """Names as in ``SCHEDULED_TASKS["ENVIRONMENT"]``."""

    moved_from = models.CharField(max_length=255, null=True, unique=True, editable=False)  # noqa: DJ001
    """What it was in the scheduler that it was moved in from: ``celery-beat:14``."""
    key = ExactCharField(_("key"), max_length=KEY_MAX_LENGTH, null=True, blank=True, editable=False)
    """A program's own name for it, unique; None: it has none."""
    owner_type = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    """The label of the model of the object that it belongs to, such as ``shop.customer``; empty: to none.

    Not a content type: a label needs no query, and means the same in a dump and in another database.
    """
    owner_id = ExactCharField(max_length=KEY_MAX_LENGTH, blank=True, default="", db_default="", editable=False)
    """That object's primary key as text."""
    delete_when_done = models.BooleanField(
        _("delete when done"),
        default=False,
        db_default=False,
        help_text=_("It is deleted, with its history, when nothing of it is left to run."),
    )

    origin = models.CharField(max_length=16, default=Origin.ADMIN, editable=False)
    changed_fields = models.JSONField(default=list, editable=False)
    retired_at = UtcDateTimeField(null=True, blank=True, editable=False)
    declared_release = models.CharField(max_length=16, blank=True, default="", db_default="", editable=False)
    """The key of the release whose declaration was written last."""
    declared_at = UtcDateTimeField(null=True, blank=True, editable=False)
    created_at = UtcDateTimeField(_("created at"), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    updated_at = UtcDateTimeField(_("updated at"), editable=False)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    objects = ScheduledTaskQuerySet.as_manager()

    if TYPE_CHECKING:
        pk: UUID
        paused_by_id: int | None
        database_now: datetime

    class Meta:
        verbose_name = _("scheduled task")
        verbose_name_plural = _("scheduled tasks")
        ordering = ("name_key",)
        permissions = (
            ("run_scheduledtask", "Can run scheduled task"),
            ("pause_scheduledtask", "Can pause scheduled task"),
        )
        indexes = (
            models.Index(fields=["next_run_at"], name="dst_task_next_run_at"),
            models.Index(fields=["owner_type", "owner_id"], name="dst_task_owner"),
            PartialIndex(fields=["function"], where=models.Q(key__isnull=False), name="dst_task_keyed"),
            PartialIndex(
                fields=["delete_when_done", "next_run_at"],
                where=models.Q(delete_when_done=True),
                name="dst_task_when_done",
            ),
            # For alerts; tasks that promise nothing are not in them.
            PartialIndex(
                fields=["must_succeed_every"],
                where=models.Q(must_succeed_every__isnull=False),
                name="dst_task_succeeds",
            ),
            PartialIndex(
                fields=["must_finish_by", "timezone"],
                where=models.Q(must_finish_by__isnull=False),
                name="dst_task_finishes",
            ),
        )
        constraints = (
            # Not unique=True, for which PostgreSQL gets a second index (for LIKE) that each new row would pay for.
            models.UniqueConstraint(fields=["key"], name="dst_task_key_once"),
            models.CheckConstraint(
                name="dst_task_overlap_known", condition=models.Q(overlap__in=[str(item) for item in Overlap])
            ),
            models.CheckConstraint(
                name="dst_task_catch_up_known", condition=models.Q(catch_up__in=[str(item) for item in CatchUp])
            ),
            models.CheckConstraint(
                name="dst_task_on_excluded_known",
                condition=models.Q(on_excluded__in=[str(item) for item in OnExcluded]),
            ),
            models.CheckConstraint(
                name="dst_task_worker_lost_known",
                condition=models.Q(on_worker_lost__in=[str(item) for item in OnWorkerLost]),
            ),
            models.CheckConstraint(
                name="dst_task_origin_known", condition=models.Q(origin__in=[str(item) for item in Origin])
            ),
            models.CheckConstraint(name="dst_task_attempts", condition=models.Q(max_attempts__gte=1)),
            models.CheckConstraint(
                name="dst_task_next_only_if_on",
                condition=models.Q(next_run_at__isnull=True) | models.Q(enabled=True),
            ),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; the form in which names are compared follows the name."""
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)

    def natural_key(self) -> tuple[str]:
        """Return the name, for ``dumpdata --natural-primary --natural-foreign``."""
        return (self.name,)

    @property
    def owner(self) -> models.Model | None:
        """The object that it belongs to; None if to none, or if that is gone. One statement when first asked for."""
        known = self.__dict__.get("_owner")
        if known is None or known[:2] != (self.owner_type, self.owner_id):
            found = find_owners(self.owner_type, [self.owner_id]).get(self.owner_id)
            known = self.__dict__["_owner"] = (self.owner_type, self.owner_id, found)
        owner: models.Model | None = known[2]
        return owner

    @property
    def schedule(self) -> Schedule:
        """The schedule as a value, without calendars.

        Raises:
            InvalidSchedule: The stored expression is not valid (any more).
        """
        return parse_schedule(
            self.schedule_kind, self.expression, timezone=self.timezone, anchor=self.starts_at or self.created_at
        )

    @property
    def schedule_with_calendars(self) -> Schedule:
        """The schedule under its calendars: when it is due. No statement if this process knows these as they are.

        Raises:
            InvalidSchedule: The stored expression is not valid (any more), or a calendar is gone.
        """
        schedule = self.schedule
        if not self.calendars or schedule.kind == Manual.kind:
            return schedule
        found = calendar_values(self.calendars, self.calendar_stamps or {})
        return WithCalendars(schedule, found, str(self.on_excluded), parse_timezone(self.timezone))

    @property
    def policy(self) -> TaskPolicy:
        """All that the planner has to know of this task.

        Raises:
            InvalidSchedule: The stored expression is not valid (any more).
        """
        return TaskPolicy(
            task_id=self.pk,
            schedule=self.schedule_with_calendars,
            overlap=Overlap(self.overlap),
            catch_up=CatchUp(self.catch_up),
            grace=self.grace,
            on_time=get_settings().ON_TIME,
            spread=self.spread,
            max_runs=self.max_runs,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            enabled=self.enabled and self.runs_here,
            paused=self.paused_at is not None,
            paused_until=self.paused_until,
            skips=self.asked_skips,
            calendars_since=self.calendars_since,
            concurrency_group=self.concurrency_group,
        )

    @property
    def asked_skips(self) -> tuple[Skip, ...]:
        """What somebody has asked to be left out, as the planner takes it."""
        return tuple(
            Skip(datetime.fromisoformat(one["from"]), datetime.fromisoformat(one["to"]), one["by"], one["reason"])
            for one in self.skips or ()
        )

    @property
    def next_start_at(self) -> datetime | None:
        """The next occurrence that nobody has asked to be left out; ``next_run_at`` is the next one of all."""
        found: datetime | None = self.next_run_at
        if not self.skips or found is None:
            return found
        with suppress(InvalidSchedule):
            found = first_not_skipped(self.policy, found)
        return found

    @property
    def runs_here(self) -> bool:
        """Whether its schedule counts in this environment; Run once works everywhere."""
        return not self.environments or get_settings().ENVIRONMENT in self.environments

    @property
    def lock_key(self) -> str | None:
        """What an execution has to hold while it is processing; None when any number may run side by side."""
        return self.lock_key_for(Overlap(self.overlap))

    def lock_key_for(self, overlap: Overlap) -> str | None:
        """Return the same for an execution under another overlap policy."""
        if self.concurrency_group:
            return f"group:{self.concurrency_group}"
        return None if overlap == Overlap.ALLOW else f"task:{self.pk}"

    def is_paused(self, now: datetime) -> bool:
        """Whether the schedule stands still at *now*."""
        return self.paused_at is not None and (self.paused_until is None or self.paused_until > now)
