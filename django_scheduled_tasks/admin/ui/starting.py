"""The one way in which the admin starts a task: from a button, a page, or a bulk action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui import messages
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.html import execution_name
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.lifecycle import Outcome, Overlap, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.permissions import starting
from django_scheduled_tasks.services.starting.run_once import RunOnce, run_once


def start(
    model_admin: ModelAdmin,
    request: HttpRequest,
    task: ScheduledTask,
    *,
    confirmed: bool,
    overlap: Overlap | None = None,
    rerun_of: Execution | None = None,
    **options: Any,
) -> RunOnce:
    """Start *task* through the service, and write a log entry to its history.

    Args:
        model_admin: Writes the log entry.
        request: Whose user starts the task.
        task: The task.
        confirmed: Whether the user has been asked, on the page for it, and said yes.
        overlap: Overrides the task's overlap policy.
        rerun_of: The execution that is repeated.
        options: Further arguments of :func:`~django_scheduled_tasks.services.starting.run_once.run_once`.
    Raises:
        ScheduledTasksError: The task was not started; a sentence says why.
    """
    done = run_once(
        task,
        trigger=Trigger.ADMIN,
        user=signed_in(request),
        authorize=starting(request.user, overlap, confirmed=confirmed),
        overlap=overlap,
        rerun_of=rerun_of,
        **options,
    )
    if not done.replayed:
        name = execution_name(done.execution.pk)
        note = _("Run once: %(execution)s.") % {"execution": name}
        if rerun_of is not None and rerun_of.outcome == Outcome.MISSED:
            note = _("Run now: %(execution)s, for #%(number)s, which was missed.")
            note %= {"execution": name, "number": rerun_of.pk}
        elif rerun_of is not None:
            note = _("Run again: %(execution)s, as #%(number)s.") % {"execution": name, "number": rerun_of.pk}
        model_admin.log_change(request, task, note)
    return done


def start_each(
    model_admin: ModelAdmin,
    request: HttpRequest,
    wanted: Iterable[tuple[ScheduledTask, dict[str, Any]]],
) -> list[messages.Message]:
    """Start several tasks, each with its options for :func:`start`; return the messages to show.

    A bulk action asks nothing, so a task that wants to be confirmed is refused, with a link to its page.
    """
    done: list[Execution] = []
    refused: list[messages.Refusal] = []
    for task, options in wanted:
        try:
            done.append(start(model_admin, request, task, confirmed=False, **options).execution)
        except ScheduledTasksError as exc:
            refused.append(messages.Refusal(task, exc, options.get("rerun_of")))
    return messages.several(model_admin.admin_site, done, refused, request.user) if done or refused else []
