"""Holds: nothing new of a task, a tag, a queue or of everything starts while one lasts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.models.task import ScheduledTask


class HoldScope(StrEnum):
    """What a hold is for."""

    ALL = "all"
    """Everything."""
    QUEUE = "queue"
    """The tasks of one queue."""
    TAG = "tag"
    """The tasks with one tag."""
    TASK = "task"
    """One task."""


class Hold(models.Model):
    """A reason why nothing new starts, from an instant on, until another one or until somebody releases it.

    Unlike a pause it is like a downtime: what was due meanwhile is caught up at its end.
    """

    scope = models.CharField(_("what"), max_length=16)
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    tag = models.CharField(_("tag"), max_length=64, blank=True)
    task = models.ForeignKey(ScheduledTask, models.CASCADE, null=True, related_name="holds", verbose_name=_("task"))
    reason = models.CharField(_("reason"), max_length=500)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    starts_at = UtcDateTimeField(_("since"))
    until = UtcDateTimeField(_("until"), null=True)
    """None: until somebody releases it."""
    ended_at = UtcDateTimeField(_("ended"), null=True)
    """None: it lasts, or its ``until`` has not been acted upon."""
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Hold]]
        database_now: datetime
        task_id: UUID | None
        created_by_id: int | None

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ("-id",)
        indexes = (models.Index(fields=["ended_at", "until"], name="dst_hold_lasting"),)
        constraints = (
            models.CheckConstraint(
                name="dst_hold_scope_known", condition=models.Q(scope__in=[str(item) for item in HoldScope])
            ),
        )

    def __str__(self) -> str:
        return f"{self.scope} {self.queue or self.tag or self.task_id or ''}".strip()
