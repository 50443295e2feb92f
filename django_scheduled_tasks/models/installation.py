"""Where this database is at home, so that a copy of it is recognised."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from django_scheduled_tasks.db.fields import UtcDateTimeField


class Installation(models.Model):
    """The one installation that this database belongs to; a single row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    uuid = models.UUIDField(default=uuid7, editable=False)
    """Names the installation, in keys of Redis for example."""
    environment = models.CharField(_("environment"), max_length=100, blank=True)
    """As ``SCHEDULED_TASKS["ENVIRONMENT"]`` was when it was adopted; empty: not set."""
    signature = models.CharField(max_length=64)
    """An HMAC of the uuid by Django's ``SECRET_KEY``."""
    address = models.CharField(_("database address"), max_length=255, blank=True)
    """Host, port and name of the database."""
    system_identifier = models.CharField(max_length=64, blank=True)
    """What a copy does not share: PostgreSQL's own with the database's OID, SQLite's inode; empty elsewhere."""
    adopted_at = UtcDateTimeField(_("adopted at"))
    adopted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    held_at = UtcDateTimeField(null=True)
    """Since when a scheduler asks before it goes on after a gap (``HOLD_AFTER_GAP``); null: it does not ask."""
    copy_key = models.CharField(max_length=16, blank=True, default="", db_default="")
    """Names the copy that has noticed that it is one, in keys of Redis; empty at home."""
    copy_after = models.BigIntegerField(null=True)
    """The newest execution that was copied; those after it were started in the copy."""
    moved_from = models.CharField(max_length=255, blank=True, default="", db_default="")
    """The address before the last one, when the database was taken as the same one at another address."""
    moved_at = UtcDateTimeField(null=True)
    """When it was taken as the same one; null: it was not, or somebody has said since that it is."""
    said_copy_at = UtcDateTimeField(null=True)
    """When somebody said that it is a copy although it was taken as the same one; null: nobody did."""

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        permissions = (("adopt_installation", "Can say that this database is at home here"),)
        constraints = (models.CheckConstraint(name="dst_installation_single", condition=models.Q(id=1)),)

    def __str__(self) -> str:
        return self.environment or str(self.uuid)
