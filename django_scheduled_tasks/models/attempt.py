"""The record of an attempt that did not succeed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.models.execution import Execution


class Attempt(models.Model):
    """One start of an execution that did not succeed: when, where, and how it ended."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField(_("attempt"))
    started_at = UtcDateTimeField(_("started"), null=True)
    ended_at = UtcDateTimeField(_("ended"))
    worker_host = models.CharField(_("worker"), max_length=255, blank=True)
    worker_pid = models.PositiveIntegerField(null=True)
    release = models.CharField(max_length=16, blank=True, default="", db_default="")
    outcome = models.CharField(_("outcome"), max_length=16)
    error_code = models.CharField(max_length=64, blank=True)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    traceback = models.TextField(blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("execution", "number")
        constraints = (models.UniqueConstraint(fields=["execution", "number"], name="dst_attempt_once"),)

    def __str__(self) -> str:
        return f"Attempt {self.number} of execution #{self.execution_id}"
