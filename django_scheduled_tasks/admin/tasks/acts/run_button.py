"""The button of a row of the list that starts its task, and the door to its parameters below."""

from __future__ import annotations

from datetime import datetime

from django.contrib.admin import AdminSite
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.tasks.acts.reasons import asks_before_run
from django_scheduled_tasks.admin.ui.html import icon, task_url, with_query
from django_scheduled_tasks.admin.ui.missed import run_now_text
from django_scheduled_tasks.exceptions import FunctionNotRegistered
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.registry import registry


def has_parameters(function: str) -> bool:
    """Whether *function* takes any parameters."""
    try:
        return registry.get(function).parameters.takes_any
    except FunctionNotRegistered:
        return False


def run_url(site: AdminSite, task: ScheduledTask, missed: Execution | None) -> str:
    """Return the address that starts *task* or asks first; for the instant of *missed*, if something was."""
    url = task_url(site, "run_once", task.pk)
    return with_query(url, again=missed.pk) if missed is not None else url


def run_button(
    task: ScheduledTask, *, site: AdminSite, now: datetime, back: str, broken: str, missed: Execution | None
) -> SafeString:
    """Return the button. With an ellipsis it opens a page; it is disabled while the task is broken.

    Args:
        task: What it starts.
        site: The admin site.
        now: Aware; decides which day is today.
        back: The query string that leads back to the list as it is.
        broken: Why this process cannot run it; empty if it can.
        missed: What it makes good; None: it runs the task once.
    """
    url = run_url(site, task, missed)
    text = run_now_text(missed, now) if missed is not None else _("Run once")
    label = f"{text}: {task.name}" if missed is not None else _("Run once: %(task)s") % {"task": task.name}
    if broken:
        return format_html(
            '<button type="button" class="dst-button" disabled aria-label="{}" title="{}">{}{}</button>',
            label,
            broken,
            icon("play"),
            text,
        )
    if asks_before_run(task):
        return format_html(
            '<a class="dst-button" data-dst-key="r" id="dst-run-{}" href="{}" aria-label="{}">{}{}</a>',
            task.pk,
            url,
            f"{label}…",
            icon("play"),
            f"{text}…",
        )
    sent = url if not back else f"{url}{'&' if missed is not None else '?'}{back.removeprefix('?')}"
    button = format_html(
        '<button type="submit" class="dst-button" data-dst-key="r" id="dst-run-{}" formaction="{}" hx-post="{}"'
        ' hx-swap="none" hx-sync="this:drop" aria-label="{}">{}{}</button>',
        task.pk,
        sent,
        sent,
        label,
        icon("play"),
        text,
    )
    return format_html("{}{}", button, door(task, url))


def run_now_button(task: ScheduledTask, missed: Execution, *, site: AdminSite, now: datetime) -> SafeString:
    """Return the button of another list's form that makes *missed* good, and its door; or a link to what asks first."""
    url = run_url(site, task, missed)
    if not url:
        return SafeString("")
    text = run_now_text(missed, now)
    if asks_before_run(task):
        return format_html(
            '<a class="dst-button" data-dst-key="r" href="{}" aria-label="{}: {}…">{}…</a>', url, text, task.name, text
        )
    return format_html(
        '<button type="submit" class="dst-button" data-dst-key="r" formaction="{}" aria-label="{}: {}">{}</button>{}',
        f"{url}&from_page=1",
        text,
        task.name,
        text,
        door(task, url),
    )


def door(task: ScheduledTask, url: str) -> SafeString:
    """Return the link to the page that asks for parameters first; nothing if the function takes none."""
    if not has_parameters(task.function):
        return SafeString("")
    label = _("Run once with other parameters: %(task)s") % {"task": task.name}
    return format_html(
        '<a class="dst-door" data-dst-key="R" href="{}" aria-label="{}">{}</a>', url, label, _("with other parameters…")
    )
