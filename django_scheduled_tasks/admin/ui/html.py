"""Small pieces of HTML for every screen: links, icons, status pills, instants. Nothing here runs a query."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.admin import AdminSite
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from django_scheduled_tasks.admin.ui.text.humanize import distance_text, percent_text, percentage, units
from django_scheduled_tasks.admin.ui.text.labels import STATUS_LABELS, WAS_RUNNING, StatusLabel, label_of
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.installation.state import standing
from django_scheduled_tasks.services.messages import for_everybody, in_words

_BREAKS = re.compile(r"([._/-]+)(?=[^._/-])")
_WEEK = 6
"""Days from now within which the name of the weekday says which one is meant."""
ERROR_SHOWN = 90
"""How many characters of an error message a list shows."""


def page_url(site: AdminSite, page: str, *arguments: object) -> str:
    """Return the URL of an admin page of ours, such as ``presence_changelist``; empty on a *site* that lacks it.

    A project may register only some of our models on a site of its own.
    """
    try:
        return reverse(f"admin:django_scheduled_tasks_{page}", args=arguments, current_app=site.name)
    except NoReverseMatch:
        return ""


def with_query(url: str, **parameters: object) -> str:
    """Return *url* with a query; empty if it is."""
    return f"{url}?{urlencode(parameters)}" if url else ""


def task_url(site: AdminSite, page: str, pk: UUID | None = None) -> str:
    """Return the URL of an admin page of tasks, or an empty text: ``changelist``, ``change``, ``run_once``, …"""
    return page_url(site, f"scheduledtask_{page}", *([] if pk is None else [pk]))


def execution_url(site: AdminSite, page: str, pk: int | None = None) -> str:
    """Return the URL of an admin page of executions, or an empty text: ``changelist``, ``change``, ``cancel``, …"""
    return page_url(site, f"execution_{page}", *([] if pk is None else [pk]))


def after_start_url(site: AdminSite, execution: Execution) -> str:
    """Return where to lead somebody who has started *execution*: to its page, or where there is none its task's."""
    return execution_url(site, "change", execution.pk) or task_url(site, "change", execution.task_id)


def execution_name(pk: int) -> str:
    """Return the name of an execution for people: Execution #81."""
    return _("Execution #%(number)s") % {"number": pk}


def execution_link(site: AdminSite, pk: int, text: str = "") -> SafeString:
    """Return a link to an execution's page; its text alone where the site has none."""
    return link(execution_url(site, "change", pk), text or execution_name(pk))


def link(url: str, text: str) -> SafeString:
    """Return a link, or the text alone if *url* is empty."""
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


def icon(name: str) -> SafeString:
    """Return an icon; its shape is in ``icons.html``, which each page includes once."""
    return format_html(
        '<svg class="dst-icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">'
        '<use href="#dst-i-{}"></use></svg>',
        name,
    )


def pill(word: StatusLabel, text: str = "", href: str = "", title: str = "") -> SafeString:
    """Return a status pill: icon, text and colour; a link if *href* is given."""
    inner = format_html("{}<span>{}</span>", icon(word.icon), text or word.label)
    more = format_html(' title="{}"', title) if title else ""
    if href:
        return format_html('<a class="dst-pill dst-{}" href="{}"{}>{}</a>', word.tone, href, more, inner)
    return format_html('<span class="dst-pill dst-{}"{}>{}</span>', word.tone, more, inner)


def label_and_text(execution: Execution) -> tuple[StatusLabel, str]:
    """Return the label of an execution's status and its text, with the progress: Running 62%."""
    word = label_of(execution.status, execution.outcome, execution.attempt)
    if standing().was_running(execution):
        return WAS_RUNNING, str(WAS_RUNNING.label)
    if word is STATUS_LABELS["running"]:
        done = percentage(execution.progress_current, execution.progress_total)
        if done is not None:
            return word, f"{word.label} {percent_text(done)}"
    return word, str(word.label)


def execution_pill(execution: Execution, href: str = "", title: str = "") -> SafeString:
    """Return the status pill of an execution."""
    word, text = label_and_text(execution)
    return pill(word, text, href, title)


def instant_text(moment: datetime, *, seconds: bool = False, now: datetime | None = None) -> str:
    """Return an instant in the current time zone: Nov 24, 03:00; with the year if it is not this year."""
    return Instants(now).text(moment, seconds=seconds)


class Instants:
    """Formats many instants in the current time zone; zone and date formats are looked up once.

    Args:
        now: Aware; decides which day is today. Default: the present.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self.zone = timezone.get_current_timezone()
        self.today = (now or datetime.now(UTC)).astimezone(self.zone).date()
        self._days: dict[date, str] = {}

    def text(self, moment: datetime, *, seconds: bool = False) -> str:
        """Return one instant as text; with *seconds*, today's reads: today 03:00:00."""
        local = moment.astimezone(self.zone)
        clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        day = local.date()
        if day not in self._days:
            self._days[day] = self._day_text(day)
        return self._today % {"time": clock} if seconds and day == self.today else f"{self._days[day]}, {clock}"

    @cached_property
    def _today(self) -> str:
        return _("today %(time)s")

    def _day_text(self, day: date) -> str:
        # Translators: format of a date without and with its year, as in Django's date filter.
        written = pgettext("date format", "M j") if day.year == self.today.year else pgettext("date format", "M j, Y")
        return date_format(day, written)


def instant(moment: datetime | None, *, seconds: bool = False, now: datetime | None = None) -> SafeString | str:
    """Return an instant as a ``<time>`` element; a dash for None."""
    return "—" if moment is None else time_element(moment, instant_text(moment, seconds=seconds, now=now))


def distance(moment: datetime, now: datetime) -> SafeString:
    """Return the distance to an instant, such as "in 6 h". A script updates it; its title is the exact instant."""
    return time_element(moment, distance_text(moment, now), more=SafeString(" data-dst-relative"))


def near_text(moment: datetime, now: datetime) -> str:
    """Return an instant in the current time zone: 05:00 today, Fri 04:00 within a week, else Nov 24, 03:00."""
    local, today = timezone.localtime(moment), timezone.localtime(now).date()
    days = abs((local.date() - today).days)
    if days == 0:
        return f"{local:%H:%M}"
    if days <= _WEEK:
        return f"{date_format(local, 'D')} {local:%H:%M}"
    return instant_text(moment, now=now)


def near(moment: datetime, now: datetime) -> SafeString:
    """Return :func:`near_text` as a ``<time>`` element."""
    return time_element(moment, near_text(moment, now))


def time_element(moment: datetime, text: str, *, more: SafeString | str = "") -> SafeString:
    """Return *text* as a ``<time>`` element, with the whole instant as its title and *more* attributes."""
    return format_html(
        '<time datetime="{}"{} title="{}">{}</time>', iso_milliseconds(moment), more, instant_title(moment), text
    )


def instant_title(moment: datetime) -> str:
    """Return an instant in full, in the current time zone and in UTC; a script adds the time of the browser."""
    local, zone = timezone.localtime(moment), zone_name()
    texts = [f"{local:%Y-%m-%d %H:%M:%S} {zone}"]
    if zone != "UTC":
        texts.append(f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    return "\n".join(texts)


def elapsed(since: datetime, text: str) -> SafeString:
    """Return a running duration; a script counts it up."""
    return format_html(
        '<span data-dst-since="{}" data-units="{}">{}</span>', iso_milliseconds(since), "|".join(units()), text
    )


def first_line(execution: Any, limit: int = ERROR_SHOWN, *, sees_logs: bool) -> str:
    """Return the first line of an error: ConnectionError: SMTP server refused; of its message, what one may see."""
    message = getattr(execution, "error_line", None)
    if message is None:
        message = execution.error_message
    if not sees_logs:
        message = for_everybody(message, execution.outcome)
    line = message.strip().partition("\n")[0]
    if execution.outcome not in {
        "",
        "failed",
    }:  # our own message, not one of the user's function
        line = in_words(line)
    kind = execution.error_type.rpartition(".")[2]
    text = f"{kind}: {line}" if kind and line else line or kind
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def zone_name() -> str:
    """Return the name of the current time zone."""
    return timezone.get_current_timezone_name()


def city(zone: str) -> str:
    """Return the last part of the name of a time zone: Berlin."""
    return zone.rpartition("/")[2].replace("_", " ")


def breakable(text: str) -> SafeString:
    """Return *text* with places where a line may end: after dots, dashes, underscores and slashes."""
    return SafeString(_BREAKS.sub(r"\1<wbr>", escape(text)))  # nosec B703  (it has been escaped)
