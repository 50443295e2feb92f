"""Who was told of an alert, and when: never more of a channel than its name and its last answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.html import near, near_text
from django_scheduled_tasks.alerting import Event, Kind
from django_scheduled_tasks.models import Alert, Notice
from django_scheduled_tasks.services.alerts.rules import Rules
from django_scheduled_tasks.services.alerts.telling import wording


def told_cell(alert: Alert, notices: Sequence[Notice], now: datetime, rules: Rules) -> SafeString:
    """Return the cell of the list: the channels that were told, or why nobody was."""
    sent = [notice for notice in notices if notice.sent_at is not None]
    waiting = [notice for notice in notices if notice.sent_at is None]
    lines = []
    if sent:
        names = ", ".join(dict.fromkeys(notice.channel.name for notice in sent))
        last = max(notice.sent_at for notice in sent if notice.sent_at is not None)
        lines.append(format_html('{}<span class="dst-sub">{}</span>', names, near(last, now)))
    told = {notice.channel_id for notice in sent}
    for notice in waiting:
        if notice.channel_id not in told:
            words = _("not yet") if notice.next_try_at is not None else _("given up")
            sub = f"{words}: {notice.answer}" if notice.answer else words
            lines.append(format_html('{}<span class="dst-sub">{}</span>', notice.channel.name, sub))
    if lines:
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines))
    return format_html('{}<span class="dst-sub">{}</span>', _("Nobody"), _why_nobody(alert, now, rules))


def _why_nobody(alert: Alert, now: datetime, rules: Rules) -> str:
    if alert.silenced_until is not None and alert.silenced_until > now:
        return _("it is silent")
    kind = Kind(alert.kind)
    about = [rule for rule in rules.about(alert.task) if kind in rule.kinds and rule.channels]
    if not about:
        return _("no rule")
    ends = [
        end
        for rule in about
        if rule.quiet is not None and kind not in rule.at_once and (end := rule.quiet.over_at(now))
    ]
    return _("quiet until %(instant)s") % {"instant": near_text(min(ends), now)} if ends else _("not yet")


def notice_line(notice: Notice) -> str:
    """Return what one channel was told, when, and what it answered last."""
    words = {Event.OPENED: _("opened"), Event.REMINDER: _("reminder"), Event.CLOSED: _("closed")}
    values = {"channel": notice.channel.name, "event": words[Event(notice.event)], "answer": notice.answer}
    if notice.sent_at is not None:
        return _("%(channel)s, %(event)s, %(instant)s") % {**values, "instant": wording.at(notice.sent_at)}
    if notice.next_try_at is None:
        return _("%(channel)s, %(event)s: given up. %(answer)s") % values
    return _("%(channel)s, %(event)s: not yet. %(answer)s") % values
