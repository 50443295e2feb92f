"""Comments of people on executions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.models import COMMENT_MAX_LENGTH, Comment, Execution, read_now, write_alias
from django_scheduled_tasks.printable import printable
from django_scheduled_tasks.users import User

MOST_SHOWN = 200
"""The newest so many are shown."""


def add_comment(
    execution: Execution, text: str, *, user: User, authorize: Callable[[Execution], None] | None = None
) -> Comment:
    """Record what *user* says about *execution*; two statements.

    Args:
        execution: Which; it may have ended long ago.
        text: What; blanks at its ends are cut off, and control characters are written as escapes.
        user: Who.
        authorize: Called with the execution; raises if the caller may not comment on it.
    Raises:
        InvalidInput: The text is empty, or longer than a comment may be.
    """
    if authorize is not None:
        authorize(execution)
    cleaned = printable(text.replace("\r\n", "\n").strip())
    if not cleaned:
        raise InvalidInput([FieldError("text", _("write something."), "blank")])
    if len(cleaned) > COMMENT_MAX_LENGTH:
        message = _("at most %(limit)s characters.") % {"limit": COMMENT_MAX_LENGTH}
        raise InvalidInput([FieldError("text", message, "long")])
    return Comment.objects.using(write_alias()).create(
        execution=execution, at=read_now(), user=user, user_name=str(user)[:255], text=cleaned
    )


def comments_on(execution: Execution) -> Sequence[Comment]:
    """Return what people have said about *execution*, in order, the newest :data:`MOST_SHOWN`; one statement."""
    rows = Comment.objects.using(write_alias()).filter(execution=execution).order_by("-id")[:MOST_SHOWN]
    return list(rows)[::-1]
