"""Which schedulers, workers and web processes there are, and when each was last seen."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.clock import database_now
from django_scheduled_tasks.db.fields import UtcDateTimeField

if TYPE_CHECKING:
    from datetime import datetime


class PresenceKind(StrEnum):
    """What has been seen."""

    SCHEDULER = "scheduler"
    """A ``runscheduler`` process; one row each."""
    WORKER = "worker"
    """A host on which workers run; one row for each host, queue and release."""
    WEB = "web"
    """A process that serves the admin or REST; one row for each host and release."""


class PresenceQuerySet(models.QuerySet["Presence"]):
    """Schedulers and workers."""

    def alive(self) -> Self:
        """Those seen lately, by the database's clock."""
        return self.filter(last_seen_at__gte=database_now() - get_settings().PRESENCE_TIMEOUT)


class Presence(models.Model):
    """A scheduler or a worker host that has been seen."""

    kind = models.CharField(_("kind"), max_length=16)
    identity = models.CharField(max_length=191, unique=True)
    """Kind, release, host, and process or queue: what makes it one and not another."""
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(null=True)
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    version = models.CharField(_("version"), max_length=32, blank=True)
    release = models.CharField(max_length=16, blank=True, default="", db_default="")
    """The key of its :class:`~django_scheduled_tasks.models.release.Release`."""
    started_at = UtcDateTimeField(_("started"))
    last_seen_at = UtcDateTimeField(_("last seen"))

    objects = PresenceQuerySet.as_manager()

    if TYPE_CHECKING:
        database_now: datetime

    class Meta:
        verbose_name = _("worker")  # as the admin's page is called, which shows schedulers and workers
        verbose_name_plural = _("workers")
        indexes = (models.Index(fields=["kind", "last_seen_at"], name="dst_presence_seen"),)

    def __str__(self) -> str:
        return f"{self.kind} on {self.host}"
