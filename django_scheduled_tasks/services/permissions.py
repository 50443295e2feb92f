"""Who may do what: the same checks for the admin, the API and every other caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model

from django_scheduled_tasks.exceptions import ConfirmationRequired, NotAuthenticated, PermissionDenied
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.installation.state import is_held
from django_scheduled_tasks.services.visibility import is_visible

VIEW_TASK = "django_scheduled_tasks.view_scheduledtask"
ADD_TASK = "django_scheduled_tasks.add_scheduledtask"
CHANGE_TASK = "django_scheduled_tasks.change_scheduledtask"
DELETE_TASK = "django_scheduled_tasks.delete_scheduledtask"
RUN_TASK = "django_scheduled_tasks.run_scheduledtask"
PAUSE_TASK = "django_scheduled_tasks.pause_scheduledtask"
VIEW_EXECUTION = "django_scheduled_tasks.view_execution"
DELETE_EXECUTION = "django_scheduled_tasks.delete_execution"
CANCEL_EXECUTION = "django_scheduled_tasks.cancel_execution"
ADOPT = "django_scheduled_tasks.adopt_installation"
COMMENT_EXECUTION = "django_scheduled_tasks.comment_execution"
EXPORT_EXECUTIONS = "django_scheduled_tasks.export_executions"
VIEW_LOGS = "django_scheduled_tasks.view_execution_logs"
VIEW_HOLD = "django_scheduled_tasks.view_hold"
ADD_HOLD = "django_scheduled_tasks.add_hold"
CHANGE_HOLD = "django_scheduled_tasks.change_hold"
VIEW_CHANGE = "django_scheduled_tasks.view_change"
EXPORT_CHANGES = "django_scheduled_tasks.export_changes"
VIEW_ALERT = "django_scheduled_tasks.view_alert"
CHANGE_ALERT = "django_scheduled_tasks.change_alert"
VIEW_RULE = "django_scheduled_tasks.view_alertrule"
ADD_RULE = "django_scheduled_tasks.add_alertrule"
CHANGE_RULE = "django_scheduled_tasks.change_alertrule"
DELETE_RULE = "django_scheduled_tasks.delete_alertrule"
VIEW_CHANNEL = "django_scheduled_tasks.view_channel"
ADD_CHANNEL = "django_scheduled_tasks.add_channel"
CHANGE_CHANNEL = "django_scheduled_tasks.change_channel"
DELETE_CHANNEL = "django_scheduled_tasks.delete_channel"
VIEW_CALENDAR = "django_scheduled_tasks.view_calendar"
ADD_CALENDAR = "django_scheduled_tasks.add_calendar"
CHANGE_CALENDAR = "django_scheduled_tasks.change_calendar"
DELETE_CALENDAR = "django_scheduled_tasks.delete_calendar"

Caller = AbstractBaseUser | AnonymousUser | None
"""Who asks: a person or program that is signed in, a visitor, or nobody."""


def may(user: Caller, permission: str, subject: Model | None = None) -> bool:
    """Whether *user* has *permission*, on all objects or on *subject*.

    Django's own backend knows permissions on all objects only, and answers no when it is asked about one object.
    Backends for single objects answer about these. So both are asked. What is about a task that the user may not see at
    all, nobody may do anything with.
    """
    if user is None or not user.is_active or not is_visible(user, subject):
        return False
    asked: Any = user
    return bool(asked.has_perm(permission) or (subject is not None and asked.has_perm(permission, subject)))


def require(user: Caller, permission: str, subject: Model | None = None) -> None:
    """Raise unless *user* has *permission*.

    Raises:
        NotAuthenticated: Nobody is signed in.
        PermissionDenied: The user does not have the permission.
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


def asks_first(task: ScheduledTask) -> bool:
    """Whether a person is asked before Run once: the task says so, is not for this environment, or this is a copy."""
    return task.confirm or not task.runs_here or is_held()


def starting(
    user: Caller, overlap: Overlap | None = None, *, confirmed: bool = True
) -> Callable[[ScheduledTask], None]:
    """Return what services take as ``authorize``: may *user* start the task, with the overlap policy *overlap*?

    A user who may run a task may not also override the overlap policy that its editors chose.

    Args:
        user: Who asks.
        overlap: The overlap policy asked for; None: the task's own.
        confirmed: False for a click or a bulk action that has not asked the user. A program that names the task in its
            call needs no confirmation.
    """
    # Django caches a user's permissions; read them now rather than while the task is locked.
    may(user, RUN_TASK)

    def authorize(task: ScheduledTask) -> None:
        require(user, RUN_TASK, task)
        if overlap is not None and overlap != task.overlap:
            require(user, CHANGE_TASK, task)
        if not confirmed and asks_first(task):
            raise ConfirmationRequired(task=task.name)

    return authorize
