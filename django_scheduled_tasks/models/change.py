"""Who changed what, when, and through what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.fields import TagsField, UtcDateTimeField


class Deed(StrEnum):
    """What somebody did."""

    CREATED = "created"
    """A task, an alert rule or a channel is new."""
    CHANGED = "changed"
    """Fields have other values."""
    DELETED = "deleted"
    """It is gone."""
    PAUSED = "paused"
    """A task's schedule stands still."""
    RESUMED = "resumed"
    """A task's schedule goes on."""
    HELD = "held"
    """Nothing new of it starts."""
    HOLD_CHANGED = "hold_changed"
    """A hold has another reason or another end."""
    RELEASED = "released"
    """A hold is over."""
    CANCELLED = "cancelled"
    """An execution was asked to stop."""
    BACKFILLED = "backfilled"
    """Occurrences of a range were started again."""


class Way(StrEnum):
    """Through what it was done."""

    ADMIN = "admin"
    """The admin."""
    API = "api"
    """The REST API."""
    COMMAND = "command"
    """A command of `manage.py`."""
    PYTHON = "python"
    """Python code of the project."""
    CODE = "code"
    """What the code declares, at a release."""
    SYSTEM = "system"
    """A scheduler or a worker, by itself."""


class ChangeKind(StrEnum):
    """What a change is about."""

    SCHEDULE = "schedule"
    """When a task runs."""
    PARAMETERS = "parameters"
    """What runs, and with which parameters."""
    LIMITS = "limits"
    """Overlap, time, retries, late runs, history."""
    STANDSTILL = "standstill"
    """Pauses, holds and skips."""
    RUN = "run"
    """Cancelled executions and backfills."""
    ALERTS = "alerts"
    """Alert rules, channels, and what a task promises."""
    PUT_BACK = "put_back"
    """A field got back the value that it had before another change."""
    TASK = "task"
    """A task's creation, end, name and description."""


class Change(models.Model):
    """One deed of one person or process, with each field that it changed; secrets are masked.

    It belongs to nothing: it is still there when the task is gone.
    """

    task = models.UUIDField(_("task"), null=True)
    """The id of the task; None: it is about no single task."""
    task_name = models.CharField(_("task"), max_length=200)
    """As it was called after the change. Without a task what it is about: ``tag:mail``, ``queue:reports``,
    ``rule:Night``, ``channel:Ops``; empty: everything."""
    at = UtcDateTimeField(_("when"))
    deed = models.CharField(max_length=16)
    kinds = TagsField(max_length=200)
    """See :class:`ChangeKind`."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    """None: a program that named nobody, the scheduler, or somebody who is gone."""
    user_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    """What the user was called."""
    way = models.CharField(_("way"), max_length=16, blank=True, default="", db_default="")
    """See :class:`Way`; empty: it was not recorded."""
    door = models.CharField(max_length=255, blank=True, default="", db_default="")
    """The name of the API's token, of the command, or of the release."""
    address = models.CharField(max_length=255, blank=True, default="", db_default="")
    """The client's address; of a command ``user@host``, of other programs the host."""
    reason = models.CharField(_("reason"), max_length=500, blank=True, default="", db_default="")
    fields = models.JSONField(default=list)
    """For each field: ``field``, ``old`` and ``new`` as texts or null, and for a parameter its ``name``."""
    text = models.TextField(blank=True, default="", db_default="")
    """The fields once more, to be searched."""
    puts_back = models.BigIntegerField(null=True)
    """The id of the change of which this one puts a field back; that one may be gone."""

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Change]]
        task: UUID | None  # type: ignore[no-redef]
        at: datetime  # type: ignore[no-redef]
        kinds: list[str]  # type: ignore[no-redef]
        user_id: int | None

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        default_permissions = ("view",)
        permissions = (("export_changes", "Can export changes"),)
        indexes = (
            models.Index(fields=["task", "at"], name="dst_change_task"),
            models.Index(fields=["at"], name="dst_change_at"),
            models.Index(fields=["puts_back"], name="dst_change_puts_back"),
        )

    def __str__(self) -> str:
        return f"{self.task_name}: {self.deed}"
