"""The record of one occurrence or one manual run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.conf import settings
from django.db import connections, models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from django_scheduled_tasks.db.clock import database_now
from django_scheduled_tasks.db.constraints import OneOf
from django_scheduled_tasks.db.expressions import IsOneOf
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.db.indexes import PartialIndex
from django_scheduled_tasks.db.rows import compare_and_swap, is_plain
from django_scheduled_tasks.lifecycle import (
    BAD_OUTCOMES,
    ENDED,
    OPEN,
    LogLevel,
    Outcome,
    Status,
    Trigger,
    outcomes_of,
    sources,
)
from django_scheduled_tasks.models.task import NAME_MAX_LENGTH, ScheduledTask
from django_scheduled_tasks.tracing import TRACEPARENT_LENGTH

ONE_SHOT = "at"
"""The ``idempotency_fingerprint`` of an execution that a program wants for an instant; others have digests."""


class ExecutionQuerySet(models.QuerySet["Execution"]):
    """Executions."""

    def of_task(self, task: UUID | models.OuterRef | models.Subquery, *, oldest_first: bool = False) -> Self:
        """Executions of a task in order, newest first, read from the index of the task.

        On PostgreSQL, ``task = … ORDER BY id DESC LIMIT 1`` may be answered by walking the primary key backwards until
        an execution of the task turns up: the planner expects one soon, as if all tasks had equally many. For a task
        whose executions are few or old this reads the whole history. So the order names the task as well, which only
        the index has, and the condition is one from which the planner does not conclude that this part of the order is
        superfluous.
        """
        return self._in_index("task", task, oldest_first=oldest_first)

    def of_person(self, user: Any) -> Self:
        """Executions that the user with this primary key has started, newest first, read from the index of persons."""
        return self.filter(triggered_by__isnull=False)._in_index("triggered_by", user)

    def _in_index(self, name: str, value: Any, *, oldest_first: bool = False) -> Self:
        if connections[self.db].vendor != "postgresql":
            return self.filter(**{name: value}).order_by("id" if oldest_first else "-id")
        if not isinstance(value, (models.OuterRef, models.Subquery)):
            field: Any = self.model._meta.get_field(name)
            value = models.Value(value, output_field=field.target_field.clone())
        order = (f"-{name}_id", "id") if oldest_first else (f"{name}_id", "-id")
        return self.filter(IsOneOf(models.F(f"{name}_id"), value)).order_by(*order)

    def open(self) -> Self:
        """Executions that have not ended."""
        return self.filter(status__in=OPEN)

    def blocking(self, now: datetime) -> Self:
        """Executions that an overlap policy counts at *now*: open, and still able to run.

        One that lost its lease or has expired is only open until the scheduler ends it, so it blocks no other. One
        that a program wants for a later instant is in nobody's way until then.
        """
        can_run = models.Q(lease_until=None) | models.Q(lease_until__gte=now)
        pending = models.Q(status=Status.PENDING)
        may_start = ~pending | models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        is_later = pending & models.Q(idempotency_fingerprint=ONE_SHOT, attempt=1, not_before__gt=now)
        return self.open().filter(can_run, may_start).exclude(is_later)

    def ended(self) -> Self:
        """Executions that have ended."""
        return self.filter(status__in=ENDED)

    def ready(self) -> Self:
        """Pending executions that may start now by the database's clock."""
        return self.filter(status=Status.PENDING).filter(
            models.Q(not_before__isnull=True) | models.Q(not_before__lte=database_now())
        )

    def transition(
        self,
        tracking_id: UUID,
        to: Status,
        *,
        attempt: int,
        outcome: Outcome | None = None,
        counts: bool = True,
        only_if: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> bool:
        """Move one execution from one status to another; only a claim is a statement of its own (``store/claim.py``).

        A compare-and-swap: of two processes that race, exactly one is told True.

        Args:
            tracking_id: Which execution.
            to: The status it gets.
            attempt: The attempt that speaks. A later attempt, or another end, makes it False (fencing).
            outcome: How it ended; only with a status that is an end.
            counts: Whether the attempt counts. If not, one that is back to pending keeps its number, and the caller
                needs a fence of its own in *only_if*.
            only_if: Further columns that must have these values (None: null).
            changes: Further columns to set in the same statement. Back to pending counts the attempt up by itself.
        Returns:
            False if the present status forbids it, the attempt is no longer the present one, or the row is not in
            this queryset (which may narrow the condition further).
        Raises:
            ValueError: *to* with *outcome* is not in the transition table at all.
        """
        allowed = sources(to, outcome)
        if not allowed:
            raise ValueError(f"No execution may become {to} with outcome {outcome}.")
        if to in ENDED:
            changes = {
                "completed_at": database_now(),
                "lease_until": None,
                "exclusive_key": None,
                "lock_key": None,
            } | changes
        elif to == Status.PENDING:
            changes = {"lease_until": None, "exclusive_key": None, "attempt": attempt + counts} | changes
        changes = {"status": to, "outcome": outcome or "", **changes}
        where = {"tracking_id": tracking_id, "attempt": attempt, **(only_if or {})}
        if not self.query.where and is_plain(changes):
            self._for_write = True
            return bool(compare_and_swap(self.model, self.db, where=where, status=sorted(allowed), changes=changes))
        # One status is named plainly and not as a list of one: an index is used better.
        condition = {"status": next(iter(allowed))} if len(allowed) == 1 else {"status__in": allowed}
        return bool(self.filter(**where, **condition).update(**changes))


class Execution(models.Model):
    """One occurrence or one manual run; programs know it by its tracking id, people by its number."""

    id = models.BigAutoField(primary_key=True)
    tracking_id = models.UUIDField(_("tracking id"), default=uuid7, unique=True, editable=False)
    task = models.ForeignKey(
        ScheduledTask, models.SET_NULL, null=True, related_name="executions", verbose_name=_("task"), db_index=False
    )
    task_name = models.CharField(_("task"), max_length=NAME_MAX_LENGTH)
    function = models.CharField(_("function"), max_length=200)
    trigger = models.CharField(_("trigger"), max_length=16)
    triggered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
        db_index=False,
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    params = models.JSONField(_("parameters"), default=dict)
    secret_params = models.JSONField(null=True, blank=True, editable=False)
    """Where secrets are in the parameters, as :mod:`~django_scheduled_tasks.parameters.masking` writes it.

    So that they stay secret when the function is renamed or removed. None: not known.
    """
    own_params = models.JSONField(null=True, blank=True, editable=False)
    """Which parameters are others than those of the task were: ``{"month": True}``; None: none are."""

    status = models.CharField(_("status"), max_length=16, default=Status.PENDING)
    outcome = models.CharField(_("outcome"), max_length=16, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    traceback = models.TextField(blank=True)

    triggered_at = UtcDateTimeField(_("triggered"))
    scheduled_for = UtcDateTimeField(_("scheduled for"), null=True)
    replay = models.IntegerField(default=0)
    """0 for the occurrence itself, n for the nth time that a backfill or a rerun replayed it."""
    occurrences = models.IntegerField(default=1)
    """How many occurrences this row accounts for; more than one only where many were missed."""
    not_before = UtcDateTimeField(_("not before"), null=True)
    expires_at = UtcDateTimeField(_("expires at"), null=True)
    send_at = UtcDateTimeField(null=True)
    """When the scheduler looks at it again while it is pending: to send it, to send it again, or to let it expire."""
    submissions = models.SmallIntegerField(default=0)
    """How often it has been sent to the engine since it became ready."""
    started_at = UtcDateTimeField(_("started"), null=True)
    completed_at = UtcDateTimeField(_("completed"), null=True)
    lease_until = UtcDateTimeField(null=True)

    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    """The attempt that runs or comes next; retries count it up."""
    worker_host = models.CharField(_("worker"), max_length=255, blank=True)
    worker_pid = models.IntegerField(null=True)
    release = models.CharField(max_length=16, blank=True, default="", db_default="")
    """The key of the :class:`~django_scheduled_tasks.models.release.Release` that ran it."""
    given_back = models.PositiveSmallIntegerField(default=0, db_default=0)
    """How often a worker that could not run it has left it to others."""
    progress_current = models.BigIntegerField(null=True)
    progress_total = models.BigIntegerField(null=True)
    progress_message = models.CharField(max_length=500, blank=True)
    result = models.JSONField(_("result"), null=True)
    result_format = models.CharField(max_length=16, blank=True)
    """``json``, ``repr`` (the result was not JSON), or ``cut`` (a text, shortened to the size limit)."""
    cancel_requested_at = UtcDateTimeField(null=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    cancel_force_at = UtcDateTimeField(null=True)
    """When the worker is ended if the function has not stopped by then."""

    idempotency_key = models.CharField(max_length=64, null=True)  # noqa: DJ001  (unique, and null is not)
    """A digest of (task, caller, key)."""
    idempotency_fingerprint = models.CharField(max_length=64, blank=True)
    """A digest of the request's body."""
    lock_key = models.CharField(max_length=200, null=True)  # noqa: DJ001  (null: needs none)
    """What it has to hold while it is processing."""
    exclusive_key = models.CharField(max_length=200, null=True)  # noqa: DJ001  (unique, and null is not)
    """What it holds; set while processing. The unique constraint is the mutual exclusion."""
    has_waiting = models.BooleanField(default=False)
    """Whether another execution has asked to be started when this one ends."""
    traceparent = models.CharField(max_length=TRACEPARENT_LENGTH, blank=True, default="", db_default="", editable=False)
    """The trace of what has triggered it, if that has one."""
    # No index and no constraint for these two: they are links for people, and pruning must not pay for them.
    rerun_of = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    blocked_by = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )

    objects = ExecutionQuerySet.as_manager()

    if TYPE_CHECKING:
        attempts: models.Manager[Any]
        task_id: UUID | None
        rerun_of_id: int | None
        blocked_by_id: int | None
        triggered_by_id: int | None
        database_now: datetime

    class Meta:
        verbose_name = _("execution")
        verbose_name_plural = _("executions")
        ordering = ("-id",)
        permissions = (
            ("cancel_execution", "Can cancel execution"),
            ("view_execution_logs", "Can view execution logs, results and tracebacks"),
            ("comment_execution", "Can comment on executions"),
            ("export_executions", "Can export executions"),
        )
        indexes = (
            models.Index(fields=["task", "-id"], name="dst_exec_task_newest"),
            models.Index(fields=["task", "status", "id"], name="dst_exec_task_open"),
            models.Index(fields=["status", "-id"], name="dst_exec_status_newest"),
            models.Index(fields=["status", "send_at"], name="dst_exec_to_send"),
            models.Index(fields=["lock_key", "status", "id"], name="dst_exec_waiting"),
            # The last two, so that bars over time are counted in the index alone.
            models.Index(fields=["triggered_at", "status", "outcome"], name="dst_exec_triggered_at"),
            # What is rare among many is found as fast as what is not.
            models.Index(fields=["trigger", "-id"], name="dst_exec_trigger_newest"),
            models.Index(fields=["outcome", "-id"], name="dst_exec_outcome_newest"),
            # What somebody started; what the schedule starts is not in it.
            PartialIndex(
                fields=["triggered_by", "-id"],
                where=models.Q(triggered_by__isnull=False),
                name="dst_exec_person_newest",
            ),
            # For alerts, and for nothing that succeeds.
            PartialIndex(fields=["completed_at"], where=models.Q(outcome__in=BAD_OUTCOMES), name="dst_exec_bad_end"),
        )
        constraints = (
            models.UniqueConstraint(fields=["task", "scheduled_for", "replay"], name="dst_exec_occurrence_once"),
            # Not unique=True, for which PostgreSQL gets a second index (for LIKE) that each change would pay for.
            models.UniqueConstraint(fields=["idempotency_key"], name="dst_exec_idempotency_once"),
            models.UniqueConstraint(fields=["exclusive_key"], name="dst_exec_exclusive"),
            # PostgreSQL reads the text of each of these for every statement that writes a row: they are kept short, and
            # count on one another (only what is open has no outcome, only what runs has a lease).
            models.CheckConstraint(
                name="dst_exec_state_legal",
                condition=OneOf(
                    "status",
                    "outcome",
                    values=sorted(f"{status}:{outcome or ''}" for status in Status for outcome in outcomes_of(status)),
                ),
            ),
            models.CheckConstraint(
                name="dst_exec_ended_has_time",
                condition=models.Q(outcome="", completed_at__isnull=True)
                | (~models.Q(outcome="") & models.Q(completed_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="dst_exec_lease_while_run",
                condition=models.Q(status=str(Status.PROCESSING), lease_until__isnull=False, started_at__isnull=False)
                | models.Q(~models.Q(status=str(Status.PROCESSING)), lease_until__isnull=True),
            ),
            models.CheckConstraint(
                name="dst_exec_lock_while_run",
                condition=models.Q(exclusive_key__isnull=True) | models.Q(lease_until__isnull=False),
            ),
            models.CheckConstraint(
                name="dst_exec_trigger_known", condition=OneOf("trigger", values=[str(item) for item in Trigger])
            ),
            models.CheckConstraint(
                name="dst_exec_occurrence_has_time",
                condition=~models.Q(trigger=str(Trigger.SCHEDULE)) | models.Q(scheduled_for__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return gettext("Execution #%(number)s") % {"number": self.pk}

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return Status(self.status) in OPEN

    @property
    def log_fields(self) -> dict[str, Any]:
        """What a record in the process's own log has of it."""
        return {"task": self.task_name, "tracking_id": str(self.tracking_id), "attempt": self.attempt}

    @property
    def keeps_log(self) -> bool:
        """Whether its log is kept; its task says so."""
        return self.task is None or self.task.log_level != LogLevel.NONE
