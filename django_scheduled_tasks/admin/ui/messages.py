"""The messages after a task was started, or was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import execution_link, task_url, with_query
from django_scheduled_tasks.admin.ui.live import tail
from django_scheduled_tasks.admin.ui.text.humanize import short_duration_text
from django_scheduled_tasks.exceptions import (
    AlreadyRunning,
    ConfirmationRequired,
    FunctionNotRegistered,
    ScheduledTasksError,
)
from django_scheduled_tasks.models import Execution, PresenceKind, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.services.permissions import CHANGE_TASK, Caller, may
from django_scheduled_tasks.services.queries.explain.standing import why_it_is_held
from django_scheduled_tasks.services.scheduling import presence

COMMAND = SafeString("<code>python manage.py qcluster</code>")


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its level (as in ``django.contrib.messages``) and its HTML."""

    level: int
    html: SafeString
    executions: Sequence[Execution] = field(default=())

    @property
    def tag(self) -> str:
        """The CSS class of messages with this level."""
        return messages.DEFAULT_TAGS[self.level]


def show(request: HttpRequest, said: Message) -> None:
    """Show a message on the next page that the user sees."""
    messages.add_message(request, said.level, said.html)


def started(site: AdminSite, execution: Execution, *, replayed: bool = False) -> Message:
    """Return the message for a queued execution, with a link; a warning if it is held or no worker is running."""
    link = format_html("<strong>{}</strong>", execution_link(site, execution.pk))
    if replayed:
        return Message(
            messages.INFO,
            format_html("{} {}", format_html(_("Already started: {execution}."), execution=link), tail(execution)),
        )
    execution.refresh_from_db(
        using=write_alias(), fields=["status", "outcome", "attempt", "started_at", "completed_at"]
    )
    if execution.is_open and execution.task is not None and (held := why_it_is_held(execution.task)):
        text = format_html(_('Queued "{task}" as {execution}; it waits.'), task=execution.task_name, execution=link)
        return Message(messages.WARNING, format_html("{} {} {}", text, held, tail(execution)))
    without_worker = _without_worker() if execution.is_open else None
    if without_worker is None:
        text = format_html(_('Queued "{task}" as {execution}.'), task=execution.task_name, execution=link)
        return Message(messages.SUCCESS, format_html("{} {}", text, tail(execution)))
    text = format_html(
        _("Queued as {execution}, but {problem}. Start one: {command}"),
        execution=link,
        problem=without_worker,
        command=COMMAND,
    )
    return Message(messages.WARNING, format_html("{} {}", text, tail(execution)))


def _without_worker() -> str | None:
    """Return a text about the missing worker; None if a worker is running."""
    seen, now = presence.last_seen(PresenceKind.WORKER), read_now()
    if seen is None:
        return _("no worker has been seen")
    if presence.is_alive(PresenceKind.WORKER):
        return None
    return _("no worker has been seen for %(duration)s") % {"duration": short_duration_text(now - seen)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A task that was not started."""

    task: ScheduledTask
    error: ScheduledTasksError
    rerun_of: Execution | None = None
    """The execution that was to be repeated."""

    def page(self, site: AdminSite) -> str:
        """Return the URL of the page that asks before it starts the task; empty on a site that lacks it."""
        url = task_url(site, "run_once", self.task.pk)
        return with_query(url, again=self.rerun_of.pk) if self.rerun_of else url


def refused(site: AdminSite, refusal: Refusal, user: Caller) -> Message:
    """Return the message that tells *user* why a task was not started."""
    task, error = refusal.task, refusal.error
    if isinstance(error, ConfirmationRequired) and refusal.page(site):
        text = _('Not started: "{task}" asks before Run once. <a href="{url}"><strong>Run once…</strong></a>')
        return Message(messages.WARNING, format_html(text, task=task.name, url=refusal.page(site)))
    if isinstance(error, AlreadyRunning) and error.number is not None:
        link = format_html("<strong>{}</strong>", execution_link(site, error.number))
        text = _('Not started: {execution} of "{task}" is still running.')
        if error.waits:
            text = _('Not started: {execution} of "{task}" still waits to start.')
        said = format_html(text, execution=link, task=task.name)
        url = with_query(task_url(site, "run_once", task.pk), anyway=1)
        if not url or not may(user, CHANGE_TASK, task):
            return Message(messages.WARNING, said)
        anyway = format_html('<a href="{}"><strong>{}</strong></a>', url, _("Run once anyway…"))
        return Message(messages.WARNING, format_html("{} {}", said, anyway))
    if isinstance(error, FunctionNotRegistered):
        text = _("Not started: the function {function} is no longer in the code.")
        return Message(messages.ERROR, format_html(text, function=error.function))
    return Message(messages.ERROR, _not_started(task, error_text(error)))


def _not_started(task: ScheduledTask, reason: str) -> SafeString:
    return format_html(_('Not started "{task}": {reason}'), task=task.name, reason=reason)


def several(
    site: AdminSite,
    done: Sequence[Execution],
    not_done: Sequence[Refusal],
    user: Caller,
) -> list[Message]:
    """Return the messages that tell *user* which tasks were started and which were refused."""
    if len(done) + len(not_done) == 1:
        return [started(site, done[0])] if done else [refused(site, not_done[0], user)]
    found = []
    if done:
        text = ngettext(
            "Queued {count} execution: {executions}.", "Queued {count} executions: {executions}.", len(done)
        )
        queued = format_html(text, count=len(done), executions=_numbers(site, done))
        without_worker = _without_worker()
        if without_worker is None:
            found.append(Message(messages.SUCCESS, queued))
        else:
            more = format_html(_("But {problem}. Start one: {command}"), problem=without_worker, command=COMMAND)
            found.append(Message(messages.WARNING, format_html("{} {}", queued, more)))
    if not_done:
        reasons = format_html_join(", ", "{}", ((_reason(site, item),) for item in not_done))
        found.append(Message(messages.WARNING, format_html(_("Not started: {reasons}."), reasons=reasons)))
    return found


def cancelled(
    site: AdminSite,
    ended: Sequence[Execution],
    asked: Sequence[Execution],
    not_done: Sequence[tuple[Execution, str]],
) -> list[Message]:
    """Return the messages after executions were cancelled: what became of each.

    Args:
        site: The admin site.
        ended: Those that had not started and never will.
        asked: Those that run and have been asked to stop.
        not_done: Those that could not be cancelled, with why.
    """
    found = []
    if ended:
        text = ngettext(
            "Cancelled {count} execution: {executions}.", "Cancelled {count} executions: {executions}.", len(ended)
        )
        found.append(Message(messages.SUCCESS, format_html(text, count=len(ended), executions=_numbers(site, ended))))
    if asked:
        text = ngettext(
            "Asked {count} execution to stop: {executions}.",
            "Asked {count} executions to stop: {executions}.",
            len(asked),
        )
        found.append(Message(messages.SUCCESS, format_html(text, count=len(asked), executions=_numbers(site, asked))))
    if not_done:
        reasons = format_html_join(
            ", ", "{} ({})", ((execution_link(site, row.pk, f"#{row.pk}"), why.rstrip(".")) for row, why in not_done)
        )
        found.append(Message(messages.WARNING, format_html(_("Not cancelled: {reasons}."), reasons=reasons)))
    return found


def _numbers(site: AdminSite, rows: Sequence[Execution]) -> SafeString:
    """Return the numbers of executions, each a link to its page."""
    links = ((execution_link(site, row.pk, f"#{row.pk}"),) for row in rows)
    return format_html_join(", ", "<strong>{}</strong>", links)


def _reason(site: AdminSite, refusal: Refusal) -> SafeString:
    task, error = refusal.task, refusal.error
    if isinstance(error, ConfirmationRequired) and refusal.page(site):
        text = _('"{task}" (asks first: <a href="{url}"><strong>Run once…</strong></a>)')
        return format_html(text, task=task.name, url=refusal.page(site))
    if isinstance(error, AlreadyRunning) and error.number is not None:
        link = execution_link(site, error.number, f"#{error.number}")
        text = _('"{task}" (<strong>{execution}</strong> is still running)')
        if error.waits:
            text = _('"{task}" (<strong>{execution}</strong> still waits to start)')
        return format_html(text, task=task.name, execution=link)
    return format_html('"{}" ({})', task.name, error_text(error).rstrip("."))
