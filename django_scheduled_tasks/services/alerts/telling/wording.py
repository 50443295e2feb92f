"""What people are told of an alert: name, kind, since when, a sentence and a link; nothing that a function said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_scheduled_tasks.alerting import Event, Kind
from django_scheduled_tasks.channels import Message
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import Alert, Notice
from django_scheduled_tasks.schedules import format_duration

KIND_NAMES: Mapping[Kind, Promise] = {
    Kind.FAILING: gettext_lazy("Failing"),
    Kind.MISSED: gettext_lazy("Missed"),
    Kind.LATE: gettext_lazy("Late"),
    Kind.TOO_LONG: gettext_lazy("Too long"),
    Kind.STALE: gettext_lazy("No success"),
    Kind.DEADLINE: gettext_lazy("Deadline"),
    Kind.PAUSED_BY_SYSTEM: gettext_lazy("Paused by the system"),
    Kind.BROKEN: gettext_lazy("Broken"),
    Kind.NO_SCHEDULER: gettext_lazy("No scheduler"),
    Kind.NO_WORKER: gettext_lazy("No worker"),
    Kind.STUCK: gettext_lazy("Stuck"),
    Kind.HELD_COPY: gettext_lazy("Copy"),
    Kind.TWO_RELEASES: gettext_lazy("Two releases"),
}
_SENTENCES: Mapping[Kind, Promise] = {
    Kind.LATE: gettext_lazy("It is due and has not started."),
    Kind.STALE: gettext_lazy("It has not succeeded for too long."),
    Kind.DEADLINE: gettext_lazy("It has not succeeded by the time by which it must."),
    Kind.PAUSED_BY_SYSTEM: gettext_lazy("The scheduler has paused it."),
    Kind.BROKEN: gettext_lazy("No process that runs knows its function, or can read its schedule."),
    Kind.NO_SCHEDULER: gettext_lazy("No scheduler answers: nothing starts by schedule."),
    Kind.STUCK: gettext_lazy("What waits is not taken, although a worker answers."),
    Kind.HELD_COPY: gettext_lazy("The database is a copy: nothing runs by schedule."),
    Kind.TWO_RELEASES: gettext_lazy("Two releases run for longer than a deploy takes."),
}
MOST_NAMED = 10
"""A digest names so many alerts."""


def kind_name(kind: str) -> str:
    """Return what people call *kind*."""
    return str(KIND_NAMES[Kind(kind)])


def where(alert: Alert) -> str:
    """Return what the alert is about: its task, its queue, or the installation."""
    if alert.task_name:
        return alert.task_name
    return _("Queue %(name)s") % {"name": alert.queue} if alert.queue else _("Installation")


def sentence(alert: Alert) -> str:
    """Return what is wrong, or, of an alert that is closed, how it ended."""
    return _what_is_wrong(alert) if alert.is_open else how_it_ended(alert)


def _what_is_wrong(alert: Alert) -> str:
    kind, values = Kind(alert.kind), {"number": alert.latest_execution, "count": alert.count}
    if kind == Kind.FAILING:
        text = ngettext(
            "Execution #%(number)s failed.",
            "%(count)s executions in a row failed; the last one is #%(number)s.",
            alert.count,
        )
        return text % values
    if kind == Kind.MISSED:
        text = ngettext(
            "An occurrence was missed: #%(number)s.",
            "Occurrences were missed %(count)s times, the last one is #%(number)s.",
            alert.count,
        )
        return text % values
    if kind == Kind.TOO_LONG:
        limit = format_duration(alert.limit) if alert.limit is not None else ""
        return _("Execution #%(number)s runs for more than %(limit)s.") % {**values, "limit": limit}
    if kind == Kind.STALE and alert.limit is not None:
        return _("It has not succeeded for %(limit)s.") % {"limit": format_duration(alert.limit)}
    if kind == Kind.NO_WORKER:
        if alert.queue:
            return _("No worker takes what waits in the queue %(name)s.") % {"name": alert.queue}
        return _("No worker answers: nothing starts.")
    return str(_SENTENCES[kind])


def how_it_ended(alert: Alert) -> str:
    """Return how an alert ended."""
    if alert.closed_by_hand:
        who = str(alert.closed_by) if alert.closed_by is not None else ""
        said = _("Closed by %(user)s") % {"user": who} if who else _("Closed by hand")
        return f"{said}: “{alert.comment}”." if alert.comment else f"{said}."
    if alert.closing_execution is not None:
        return _("Execution #%(number)s completed.") % {"number": alert.closing_execution}
    return _("It is over.")


def link(alert: Alert) -> str:
    """Return the address of the alert's page in the admin; empty without ``SITE_URL``."""
    site = get_settings().SITE_URL.rstrip("/")
    if not site or alert.pk is None:
        return site
    try:
        return site + reverse("admin:django_scheduled_tasks_alert_change", args=[alert.pk])
    except NoReverseMatch:  # the project has no admin
        return site


def at(instant: datetime) -> str:
    """Return *instant* as a message says it, in the zone of the project."""
    return f"{instant.astimezone(ZoneInfo(get_settings().time_zone)):%Y-%m-%d %H:%M %Z}"


def message_of(notices: Sequence[Notice], message_id: str) -> Message:
    """Return what is sent of *notices*, with their alerts, to one channel: one message, or a digest of several."""
    with translation.override(settings.LANGUAGE_CODE):
        return _one(notices[0], message_id) if len(notices) == 1 else _digest(notices, message_id)


def try_message(message_id: str) -> Message:
    """Return a message that says only that it arrives."""
    with translation.override(settings.LANGUAGE_CODE):
        text = _("This is a test. What you read here is what alerts come by.")
        payload = {"type": "alert.test", "sentence": text}
        return Message(message_id, _("Test"), text, payload)


def _one(notice: Notice, message_id: str) -> Message:
    alert, event = notice.alert, Event(notice.event)
    said = how_it_ended(alert) if event == Event.CLOSED else _what_is_wrong(alert)
    lines = [said, _("Since %(instant)s") % {"instant": at(alert.opened_at)}]
    if event == Event.CLOSED and alert.closed_at is not None:
        lines[1] = _("From %(begin)s to %(end)s") % {"begin": at(alert.opened_at), "end": at(alert.closed_at)}
    if address := link(alert):
        lines.append(address)
    payload = {"type": f"alert.{event}", **_facts(alert, event)}
    return Message(message_id, _heading(alert, event), "\n".join(lines) + "\n", payload)


def _heading(alert: Alert, event: Event) -> str:
    kind = kind_name(alert.kind)
    if event == Event.CLOSED:
        return _("Over: %(kind)s, %(where)s") % {"kind": kind, "where": where(alert)}
    if event == Event.REMINDER:
        return _("Still: %(kind)s, %(where)s") % {"kind": kind, "where": where(alert)}
    return _("%(kind)s: %(where)s") % {"kind": kind, "where": where(alert)}


def _digest(notices: Sequence[Notice], message_id: str) -> Message:
    """Return one message about all of *notices*: how many, and the first of them."""
    count = len(notices)
    subject = ngettext("%(count)s alert", "%(count)s alerts", count) % {"count": count}
    lines = [_heading(notice.alert, Event(notice.event)) for notice in notices[:MOST_NAMED]]
    if count > MOST_NAMED:
        lines.append(_("and %(count)s more") % {"count": count - MOST_NAMED})
    if site := get_settings().SITE_URL:
        lines.append(site)
    alerts = [{"event": notice.event, **_facts(notice.alert, Event(notice.event))} for notice in notices[:MOST_NAMED]]
    return Message(
        message_id, subject, "\n".join(lines) + "\n", {"type": "alert.digest", "count": count, "alerts": alerts}
    )


def _facts(alert: Alert, event: Event) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "task": alert.task_name or None,
        "queue": alert.queue or None,
        "since": iso_milliseconds(alert.opened_at),
        "closedAt": iso_milliseconds(alert.closed_at) if event == Event.CLOSED and alert.closed_at else None,
        "count": alert.count,
        "sentence": how_it_ended(alert) if event == Event.CLOSED else _what_is_wrong(alert),
        "link": link(alert) or None,
    }
