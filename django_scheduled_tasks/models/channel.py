"""Where people are told of alerts."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.channels import KIND_MAX_LENGTH
from django_scheduled_tasks.db.fields import UtcDateTimeField

ANSWER_MAX_LENGTH = 200
"""So much is kept of what a channel said."""


class Report(StrEnum):
    """How often a channel is sent a report."""

    DAILY = "daily"
    """Each day, about the day before."""
    WEEKLY = "weekly"
    """Each Monday, about the week before."""


class Channel(models.Model):
    """Where notices go."""

    name = models.CharField(_("name"), max_length=100)
    # Which kinds there are says the code: a project may have some of its own.
    kind = models.CharField(_("kind"), max_length=KIND_MAX_LENGTH)
    address = models.CharField(
        _("address"),
        max_length=500,
        blank=True,
        help_text=_(
            "Mail: addresses with commas between them, or empty for those of ADMINS. Webhook: its URL. Otherwise empty."
        ),
    )
    secret_name = models.CharField(
        _("name of the secret"),
        max_length=100,
        blank=True,
        help_text=_(
            "The setting or environment variable that holds the secret by which a webhook is signed, or the URL for"
            " apprise. Never the secret itself."
        ),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    report = models.CharField(
        _("report"),
        max_length=16,
        blank=True,
        default="",
        db_default="",
        choices=[(str(Report.DAILY), _("every day")), (str(Report.WEEKLY), _("every Monday"))],
        help_text=_("What failed, was missed or got slower, and when the clocks change. Empty: none."),
    )
    failing_since = UtcDateTimeField(null=True)
    """When it first did not take a notice, of those that it has not taken since it took one; None: it answers."""
    failed_tries = models.PositiveIntegerField(default=0, db_default=0)
    """How often it has not, since then."""
    last_answer = models.CharField(max_length=ANSWER_MAX_LENGTH, blank=True, default="", db_default="")
    """What it said last, while it does not answer."""

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Channel]]

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("name",)
        constraints = (models.CheckConstraint(name="dst_channel_has_kind", condition=~models.Q(kind="")),)

    def __str__(self) -> str:
        return self.name
