"""Which schedulers, workers and web processes there are, and when each was last seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.clock import database_now
from django_scheduled_tasks.db.fields import UtcDateTimeField


class PresenceKind(StrEnum):
    """What has been seen."""

    SCHEDULER = "scheduler"
    """A ``runscheduler`` process; one row each."""
    WORKER = "worker"
    """A cluster of worker processes; one row for each host, cluster, queue and release."""
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
    """Of a scheduler, or of the process that has started the workers."""
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    version = models.CharField(_("version"), max_length=32, blank=True)
    release = models.CharField(max_length=16, blank=True, default="", db_default="")
    """The key of its :class:`~django_scheduled_tasks.models.release.Release`."""
    started_at = UtcDateTimeField(_("started"))
    last_seen_at = UtcDateTimeField(_("last seen"))
    host_time = UtcDateTimeField(null=True)
    """What the host's own clock showed then."""
    processes = models.PositiveSmallIntegerField(null=True)
    """How many workers the cluster has."""
    ending_at = UtcDateTimeField(null=True)
    """When it was asked to end."""
    ended_at = UtcDateTimeField(null=True)
    """When it has ended in good order; if it was seen again later, that is over."""

    objects = PresenceQuerySet.as_manager()

    if TYPE_CHECKING:
        database_now: datetime

    class Meta:
        verbose_name = _("worker")  # as the admin's page is called, which shows schedulers and workers
        verbose_name_plural = _("workers")
        indexes = (models.Index(fields=["kind", "last_seen_at"], name="dst_presence_seen"),)

    def __str__(self) -> str:
        return f"{self.kind} on {self.host}"

    @property
    def ended_well(self) -> bool:
        """Whether the last that it said is that it has ended."""
        return self.ended_at is not None and self.ended_at > self.last_seen_at

    @property
    def clock_behind(self) -> timedelta:
        """By how much the host's clock is behind the database's; negative: ahead. A statement's time is in it."""
        return (
            self.last_seen_at - self.host_time if self.host_time is not None and not self.ended_well else timedelta(0)
        )
