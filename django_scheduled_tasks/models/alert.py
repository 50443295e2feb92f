"""Alerts, who is told of them by which rule and channel, and what they are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.alerting import Event, Kind
from django_scheduled_tasks.channels import KIND_MAX_LENGTH
from django_scheduled_tasks.db.constraints import OneOf
from django_scheduled_tasks.db.fields import TagsField, UtcDateTimeField
from django_scheduled_tasks.models.task import NAME_MAX_LENGTH, ScheduledTask

ANSWER_MAX_LENGTH = 200
"""So much is kept of what a channel said."""


class AlertQuerySet(models.QuerySet["Alert"]):
    """Alerts."""

    def open(self) -> Self:
        """Those that are not over."""
        return self.filter(open_key__isnull=False)


class Alert(models.Model):
    """Something that is wrong, or was, from an instant to another.

    While it is open it holds its ``open_key``: the unique constraint is what lets only one of a kind be open for a
    task or a place, whoever opens it.
    """

    kind = models.CharField(_("kind"), max_length=20)
    task = models.ForeignKey(
        ScheduledTask, models.SET_NULL, null=True, related_name="alerts", verbose_name=_("task"), db_index=False
    )
    task_name = models.CharField(_("task"), max_length=NAME_MAX_LENGTH, blank=True)
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    opened_at = UtcDateTimeField(_("since"))
    closed_at = UtcDateTimeField(_("closed"), null=True)
    open_key = models.CharField(max_length=191, null=True)  # noqa: DJ001  (unique, and null is not)
    """Its kind and its task or queue while it is open."""
    count = models.PositiveIntegerField(_("how often"), default=1)
    # Links for people; pruning of executions must not pay for them.
    first_execution = models.BigIntegerField(null=True)
    latest_execution = models.BigIntegerField(null=True)
    latest_at = UtcDateTimeField(null=True)
    """When that one ended: what ended later has not been counted yet."""
    closing_execution = models.BigIntegerField(null=True)
    limit = models.DurationField(null=True)
    """Of one that runs for too long: after what time it does."""
    acknowledged_at = UtcDateTimeField(_("acknowledged"), null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("acknowledged by"),
        db_index=False,
    )
    silenced_until = UtcDateTimeField(_("silent until"), null=True)
    silence_reason = models.CharField(_("reason of the silence"), max_length=200, blank=True, default="", db_default="")
    comment = models.CharField(_("comment"), max_length=500, blank=True, default="", db_default="")
    """Of who acknowledged or closed it."""
    closed_by_hand = models.BooleanField(default=False, db_default=False)
    """Whether somebody said that it is over: what was wrong then opens no other one."""
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("closed by"),
        db_index=False,
    )

    objects = AlertQuerySet.as_manager()

    if TYPE_CHECKING:
        task_id: UUID | None
        acknowledged_by_id: int | None
        closed_by_id: int | None
        database_now: datetime

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-id",)
        default_permissions = ("view", "change")
        indexes = (
            models.Index(fields=["task", "kind", "-id"], name="dst_alert_task"),
            models.Index(fields=["closed_at"], name="dst_alert_closed"),
        )
        constraints = (
            models.UniqueConstraint(fields=["open_key"], name="dst_alert_open_once"),
            models.CheckConstraint(
                name="dst_alert_open_or_closed",
                condition=models.Q(open_key__isnull=True, closed_at__isnull=False)
                | models.Q(open_key__isnull=False, closed_at__isnull=True),
            ),
            models.CheckConstraint(
                name="dst_alert_kind_known", condition=OneOf("kind", values=[str(kind) for kind in Kind])
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.task_name or self.queue}".strip()

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.open_key is not None


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


class RuleScope(StrEnum):
    """Which tasks a rule is about. What is wrong with the installation is told by rules for all."""

    ALL = "all"
    """All of them, and the installation."""
    TAG = "tag"
    """Those with a tag."""
    TASK = "task"
    """A single one."""


class AlertRule(models.Model):
    """Who is told of which alerts."""

    name = models.CharField(_("name"), max_length=100)
    enabled = models.BooleanField(_("enabled"), default=True)
    scope = models.CharField(
        _("tasks"), max_length=16, default=str(RuleScope.ALL), choices=[(str(scope), str(scope)) for scope in RuleScope]
    )
    tag = models.CharField(_("tag"), max_length=64, blank=True)
    task = models.ForeignKey(
        ScheduledTask, models.CASCADE, null=True, blank=True, related_name="alert_rules", verbose_name=_("task")
    )
    kinds = TagsField(_("kinds"), max_length=300)
    after = models.PositiveSmallIntegerField(
        _("after failures in a row"),
        default=1,
        help_text=_("Attempts that are retried do not count: only final failures."),
    )
    closes_after = models.PositiveSmallIntegerField(_("closes after successes"), default=1)
    remind_every = models.DurationField(
        _("remind every"),
        null=True,
        blank=True,
        help_text=_("While the alert is open and nobody has acknowledged it. Empty: never."),
    )
    margin = models.DurationField(
        _("late after"),
        null=True,
        blank=True,
        help_text=_("For how long a task may be due without starting until it counts as late. Empty: 5 minutes."),
    )
    quiet_from = models.TimeField(
        _("quiet from"), null=True, blank=True, help_text=_("In the time zone of the project.")
    )
    quiet_until = models.TimeField(
        _("quiet until"),
        null=True,
        blank=True,
        help_text=_("What opens meanwhile is told then, unless it is over by then."),
    )
    tell_at_once = TagsField(
        _("told at once"), max_length=300, help_text=_("Kinds that are told in quiet hours as well.")
    )
    declared = models.BooleanField(default=False, db_default=False, editable=False)
    """Whether it is what the code says of its task, and follows it."""
    channels = models.ManyToManyField(Channel, verbose_name=_("channels"), related_name="rules")

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[AlertRule]]
        task_id: UUID | None

    class Meta:
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="dst_rule_scope_known", condition=OneOf("scope", values=[str(scope) for scope in RuleScope])
            ),
            models.CheckConstraint(
                name="dst_rule_limits",
                condition=models.Q(after__gte=1, closes_after__gte=1)
                & (models.Q(remind_every__isnull=True) | models.Q(remind_every__gte=timedelta(minutes=1))),
            ),
            models.CheckConstraint(
                name="dst_rule_margin",
                condition=models.Q(margin__isnull=True) | models.Q(margin__gte=timedelta(minutes=1)),
            ),
            models.CheckConstraint(
                name="dst_rule_quiet_hours",
                condition=models.Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | (
                    models.Q(quiet_from__isnull=False, quiet_until__isnull=False)
                    & ~models.Q(quiet_from=models.F("quiet_until"))
                ),
            ),
        )

    def __str__(self) -> str:
        return self.name


class Notice(models.Model):
    """One channel is told of one event of an alert: written when that is decided, and sent afterwards."""

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notices", verbose_name=_("alert"), db_index=False)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="notices", verbose_name=_("channel"))
    event = models.CharField(max_length=16)
    number = models.PositiveIntegerField(default=0)
    """Of a reminder: which one."""
    created_at = UtcDateTimeField()
    message = models.CharField(max_length=36, blank=True)
    """Names what is sent: the same at each try, and the same for all that one digest is about."""
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = UtcDateTimeField(null=True)
    """When it is sent, or, if the process that sends it dies, sent again; None: never (again)."""
    sent_at = UtcDateTimeField(null=True)
    answer = models.CharField(max_length=ANSWER_MAX_LENGTH, blank=True)
    """What the channel said last."""

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Notice]]
        alert_id: int
        channel_id: int

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        default_permissions = ()
        indexes = (models.Index(fields=["next_try_at"], name="dst_notice_to_send"),)
        constraints = (
            models.UniqueConstraint(fields=["alert", "channel", "event", "number"], name="dst_notice_once"),
            models.CheckConstraint(
                name="dst_notice_event_known", condition=OneOf("event", values=[str(event) for event in Event])
            ),
        )

    def __str__(self) -> str:
        return f"{self.alert_id} {self.event} {self.channel_id}"
