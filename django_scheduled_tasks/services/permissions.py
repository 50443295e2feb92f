"""Who may do what: the same questions for admin, API and whatever comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model

from django_scheduled_tasks.exceptions import NotAuthenticated, PermissionDenied
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import ScheduledTask

VIEW_TASK = "django_scheduled_tasks.view_scheduledtask"
ADD_TASK = "django_scheduled_tasks.add_scheduledtask"
CHANGE_TASK = "django_scheduled_tasks.change_scheduledtask"
DELETE_TASK = "django_scheduled_tasks.delete_scheduledtask"
RUN_TASK = "django_scheduled_tasks.run_scheduledtask"
PAUSE_TASK = "django_scheduled_tasks.pause_scheduledtask"
VIEW_EXECUTION = "django_scheduled_tasks.view_execution"
DELETE_EXECUTION = "django_scheduled_tasks.delete_execution"
CANCEL_EXECUTION = "django_scheduled_tasks.cancel_execution"
VIEW_LOGS = "django_scheduled_tasks.view_execution_logs"

if TYPE_CHECKING:
    from django.contrib.auth.models import _User

    User: TypeAlias = _User  # for the type checker, the project's AUTH_USER_MODEL
else:
    User = AbstractBaseUser

Caller = AbstractBaseUser | AnonymousUser | None
"""Who asks: a person or program that is signed in, a visitor, or nobody."""


def may(user: Caller, permission: str, subject: Model | None = None) -> bool:
    """Whether *user* has *permission*, on all objects or on *subject*.

    Django's own backend knows permissions on all objects only and answers no when it is asked about one; backends for
    single objects answer about these. So both are asked.
    """
    if user is None or not user.is_active:
        return False
    asked: Any = user
    return bool(asked.has_perm(permission) or (subject is not None and asked.has_perm(permission, subject)))


def require(user: Caller, permission: str, subject: Model | None = None) -> None:
    """Raise unless *user* has *permission*.

    Raises:
        NotAuthenticated: Nobody is logged in.
        PermissionDenied: Somebody is, without the permission.
    """
    if may(user, permission, subject):
        return
    if user is None or not user.is_authenticated:
        raise NotAuthenticated
    raise PermissionDenied


def requiring(user: Caller, permission: str) -> Callable[[Model], None]:
    """Return what services take as ``authorize``: it raises unless *user* has *permission* on the row it is given."""

    def authorize(subject: Model) -> None:
        require(user, permission, subject)

    return authorize


def starting(user: Caller, overlap: Overlap | None = None) -> Callable[[ScheduledTask], None]:
    """Return what services take as ``authorize``: may *user* start the task, with the overlap policy *overlap*?

    Who may run a task may not also overrule what its editors decided about overlaps.
    """
    # The user's permissions are kept once they have been read; better now than while the task is locked.
    may(user, RUN_TASK)

    def authorize(task: ScheduledTask) -> None:
        require(user, RUN_TASK, task)
        if overlap is not None and overlap != task.overlap:
            require(user, CHANGE_TASK, task)

    return authorize
