"""What people say about an execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.models.execution import Execution

COMMENT_MAX_LENGTH = 1_000


class Comment(models.Model):
    """One remark of one person about an execution; never changed, and deleted with the execution."""

    # No constraints: the release before, which may still run, deletes executions and users and knows no comments.
    execution = models.ForeignKey(Execution, models.CASCADE, related_name="comments", db_constraint=False)
    at = UtcDateTimeField(_("when"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("by"),
        db_constraint=False,
    )
    """None: somebody who is gone."""
    user_name = models.CharField(max_length=255)
    """What the user was called."""
    text = models.CharField(_("comment"), max_length=COMMENT_MAX_LENGTH)

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Comment]]
        execution_id: int

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ("id",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.user_name}: {self.text}"
