"""What one release of the project knows: its functions, the tasks that it declares, its versions."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.fields import UtcDateTimeField

KEY_LENGTH = 16


class Release(models.Model):
    """One distinct set of code that processes of this installation have run; written once, never changed.

    Two processes share a row if everything here but ``first_seen_at`` is the same. Rows point here without a foreign
    key of the database: an execution must not pay for it.
    """

    key = models.CharField(primary_key=True, max_length=KEY_LENGTH)
    """A digest of all that follows, but the instant."""
    name = models.CharField(_("release"), max_length=100, blank=True)
    """``SCHEDULED_TASKS["RELEASE"]``, or what could be found out; empty: not known."""
    functions = models.JSONField(default=dict)
    """The registered functions, each with a digest of its signature."""
    declared = models.JSONField(default=dict)
    """The names of the tasks that the code declares, each with a digest of all its values."""
    schedule_kinds = models.JSONField(default=list)
    versions = models.JSONField(default=dict)
    """Of ``python``, ``django``, ``tzdata`` and ``django_scheduled_tasks``."""
    first_seen_at = UtcDateTimeField()

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")

    def __str__(self) -> str:
        return self.name or self.key
