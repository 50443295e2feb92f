"""What an execution logged and printed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.models.execution import Execution


class ExecutionLog(models.Model):
    """One line of an execution's log; the number orders the lines."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="logs", db_index=False)
    number = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    logged_at = UtcDateTimeField(_("time"))
    level = models.CharField(_("level"), max_length=16)
    logger = models.CharField(max_length=100, blank=True)
    message = models.TextField(_("message"))

    class Meta:
        verbose_name = _("log line")
        verbose_name_plural = _("log lines")
        ordering = ("execution", "number")
        constraints = (models.UniqueConstraint(fields=["execution", "number"], name="dst_log_line_once"),)

    def __str__(self) -> str:
        return self.message
