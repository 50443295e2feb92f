"""The card in the form of an alert rule: what the rule would have told in the last days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import get_language_bidi, ngettext, pgettext
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.alerts.rules.form import AlertRuleForm
from django_scheduled_tasks.admin.ui.base import TEMPLATES
from django_scheduled_tasks.models import AlertRule, RuleScope, ScheduledTask
from django_scheduled_tasks.services.alerts.deciding.replay import MOST_COUNTED, Replay, Told, replay
from django_scheduled_tasks.services.alerts.telling.wording import KIND_NAMES
from django_scheduled_tasks.services.permissions import VIEW_TASK, Caller, may
from django_scheduled_tasks.translation import say_number

LEAST_HISTORY = 7
"""Fewer days of history are said."""
TOLD_SHOWN = 5
_STEP, _BAR, _TOP, _HEIGHT, _FOOT = 28, 24, 16, 32, 14
_WEEK = 7
_DECIDING = ("scope", "tag", "task", "kinds", "after", "closes_after")


class _Asked(AlertRuleForm):
    """The form without the checks of what is stored: nothing is saved."""

    def _post_clean(self) -> None:
        pass


def card_of(rule: AlertRule, user: Caller) -> SafeString:
    """Return the card of *rule*, which need not be saved; seven statements. *user*: who reads it."""
    tasks = None if may(user, VIEW_TASK) else ScheduledTask.objects.none()
    found = replay(rule, tasks=tasks)
    context = {
        "found": found,
        "chart": chart(found) if found.history else "",
        "told": _told_text(found),
        "none": _none_text(found) if not found.told else "",
        "legend": _legend(found),
        "history": _history_text(found),
        "silent": _silent_text(found),
    }
    return render_to_string(f"{TEMPLATES}/alert/card.html", context)


def card_from(given: Mapping[str, Any], user: Caller) -> SafeString:
    """Return the card of what is typed in the form, or what is missing until there is one."""
    form = _Asked(given)
    form.full_clean()
    wrong = [str(error) for name in _DECIDING for error in form.errors.get(name, ())]
    if wrong:
        return render_to_string(f"{TEMPLATES}/alert/card.html", {"wrong": wrong[0]})
    cleaned = form.cleaned_data
    rule = AlertRule(
        scope=cleaned["scope"],
        tag=cleaned.get("tag") or "",
        task=cleaned.get("task"),
        kinds=cleaned["kinds"],
        after=cleaned["after"],
        closes_after=cleaned["closes_after"],
    )
    if rule.scope == RuleScope.TASK and not may(user, VIEW_TASK, rule.task):
        rule.task = None
    return card_of(rule, user)


def chart(found: Replay) -> SafeString:
    """Return a bar a day: failures red from the line up on a grey track, and above it where it would have told."""
    most = max((day.failures for day in found.days), default=0) or 1
    width = len(found.days) * _STEP
    parts = []
    for place, day in enumerate(found.days):
        x = (len(found.days) - 1 - place if get_language_bidi() else place) * _STEP + 2
        height = max(round(day.failures / most * _HEIGHT), 3) if day.failures else 0
        parts.append(
            format_html(
                '<g><title>{}</title><rect class="dst-track" x="{}" y="{}" width="{}" height="{}"></rect>{}{}{}</g>',
                _day_text(day.day, day.failures),
                x,
                _TOP,
                _BAR,
                _HEIGHT,
                format_html(
                    '<rect class="dst-bad" x="{}" y="{}" width="{}" height="{}"></rect>',
                    x,
                    _TOP + _HEIGHT - height,
                    _BAR,
                    height,
                )
                if height
                else "",
                _text("dst-text-strong", x + _BAR // 2, _TOP - 5, _mark(found, place)),
                _text("dst-text", x + _BAR // 2, _TOP + _HEIGHT + _FOOT - 2, _label(found, place)),
            )
        )
    return format_html(
        '<svg class="dst-told-days" viewBox="-14 0 {} {}" role="img" aria-label="{}">{}</svg>',
        width + 28,
        _TOP + _HEIGHT + _FOOT,
        found.headline,
        format_html_join("", "{}", ((part,) for part in parts)),
    )


def _text(style: str, x: int, y: int, text: str) -> SafeString:
    if not text:
        return SafeString("")
    return format_html('<text class="{}" x="{}" y="{}" text-anchor="middle">{}</text>', style, x, y, text)


def _mark(found: Replay, place: int) -> str:
    """Return the mark above a day; with its word where there is room for it."""
    if not found.days[place].told:
        return ""
    is_near = any(day.told for day in (*found.days[max(place - 1, 0) : place], *found.days[place + 1 : place + 2]))
    word = _("told")
    return "▼" if is_near else f"▼ {word}"


def _label(found: Replay, place: int) -> str:
    last = len(found.days) - 1
    if place == last:
        return _("today")
    return _short(found.days[place].day) if place % _WEEK == 0 and last - place >= _WEEK // 2 else ""


def _short(day: date) -> str:
    # Translators: format of a date without its year, as in Django's date filter.
    return date_format(day, pgettext("date format", "M j"))


def _day_text(day: date, failures: int) -> str:
    text = ngettext("%(day)s: %(count)s failure", "%(day)s: %(count)s failures", failures)
    return text % {"day": _short(day), "count": failures}


def _told_text(found: Replay) -> str:
    if not found.told:
        return ""
    newest = found.told[-TOLD_SHOWN:]
    texts = ", ".join(f"{_when(one, found)} {one.words}" for one in newest)
    if more := len(found.told) - len(newest):
        texts = ngettext("%(told)s and %(count)s before", "%(told)s and %(count)s before", more) % {
            "told": texts,
            "count": say_number(more),
        }
    return _("told: %(told)s") % {"told": texts}


def _when(one: Told, found: Replay) -> str:
    day = localtime(one.at).date()
    return _("today") if day == found.days[-1].day else _short(day)


def _tasks(found: Replay) -> str:
    text = ngettext("%(count)s task", "%(count)s tasks", found.tasks)
    return text % {"count": say_number(found.tasks)}


def _none_text(found: Replay) -> str:
    runs = say_number(found.runs) if found.runs < MOST_COUNTED else f"{say_number(MOST_COUNTED)}+"
    text = ngettext(
        "%(tasks)s ran %(runs)s times and failed once.",
        "%(tasks)s ran %(runs)s times and failed %(count)s times.",
        found.failures,
    )
    return text % {"tasks": _tasks(found), "runs": runs, "count": say_number(found.failures)}


def _legend(found: Replay) -> str:
    return _("final failures of %(tasks)s, by day") % {"tasks": _tasks(found)}


def _history_text(found: Replay) -> str:
    if found.history >= LEAST_HISTORY:
        return ""
    if not found.history:
        return _("No history yet.")
    text = ngettext("Only %(count)s day of history.", "Only %(count)s days of history.", found.history)
    return text % {"count": found.history}


def _silent_text(found: Replay) -> str:
    if not found.kinds:
        return ""
    names = ", ".join(str(KIND_NAMES[kind]) for kind in KIND_NAMES if kind in found.kinds)
    return _("Not counted, since they leave no trace: %(kinds)s.") % {"kinds": names}
