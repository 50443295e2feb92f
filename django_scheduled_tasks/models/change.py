"""Who changed what of a task."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.fields import UtcDateTimeField


class Deed(StrEnum):
    """What somebody did with a task."""

    CREATED = "created"
    CHANGED = "changed"
    PAUSED = "paused"
    RESUMED = "resumed"
    DELETED = "deleted"


class Change(models.Model):
    """One deed of one person or process, with each field that it changed; secrets are masked.

    It belongs to no task: it is still there when the task is gone.
    """

    task = models.UUIDField(_("task"))
    """The id of the task."""
    task_name = models.CharField(_("task"), max_length=200)
    """As it was called after the change."""
    at = UtcDateTimeField(_("when"))
    deed = models.CharField(max_length=16)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    """None: a program that named nobody, the scheduler, or somebody who is gone."""
    user_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    """What the user was called."""
    fields = models.JSONField(default=list)
    """For each field: ``field``, ``old`` and ``new`` as texts or null, and for a parameter its ``name``."""

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Change]]
        user_id: int | None

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=["task", "at"], name="dst_change_task"),
            models.Index(fields=["at"], name="dst_change_at"),
        )

    def __str__(self) -> str:
        return f"{self.task_name}: {self.deed}"
