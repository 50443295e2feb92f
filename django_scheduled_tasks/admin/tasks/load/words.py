"""The load of the week in words: minutes, names of tasks, and what is not counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from django_scheduled_tasks.admin.ui.text.humanize import whole_duration_text
from django_scheduled_tasks.planner.load import Worst
from django_scheduled_tasks.services.queries.load.week import LeftOut, WeekLoad
from django_scheduled_tasks.translation import say_number


def minute_text(moment: datetime) -> str:
    """Return ``Mon 00:00`` in the current time zone."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'D')} {local:%H:%M}"


def second_text(moment: datetime) -> str:
    """Return ``Mon 00:03:12`` in the current time zone."""
    return f"{minute_text(moment)}:{moment:%S}"


def tasks_text(count: int) -> str:
    """Return ``14 tasks``."""
    return ngettext("%(count)s task", "%(count)s tasks", count) % {"count": say_number(count)}


def processes_text(count: int | None) -> str:
    """Return how many worker processes there are."""
    if count is None:
        return _("how many worker processes there are is not known")
    text = ngettext("%(count)s worker process", "%(count)s worker processes", count)
    return text % {"count": say_number(count)}


def week_text(found: WeekLoad) -> str:
    """Return which week it is, in which zone, and how many processes there are."""
    # Translators: format of a day, as in Django's date filter.
    day = date_format(found.load.days[0], pgettext("date format", "D j M"))
    week = _("Week from %(day)s") % {"day": day}
    return f"{week} · {found.zone} · {processes_text(found.processes)}"


def busy_text(found: WeekLoad, worst: Worst) -> tuple[str, str]:
    """Return how many processes are busy, and of how many and for how long."""
    length = whole_duration_text(worst.over)
    if not found.processes:
        return say_number(worst.busy), _("for %(duration)s") % {"duration": length}
    values = {"all": say_number(found.processes), "duration": length}
    return say_number(worst.busy), _("of %(all)s, for %(duration)s") % values


def waits_text(found: WeekLoad, worst: Worst) -> str:
    """Return which task waits the longest, and up to how long."""
    if not worst.waits:
        return ""
    place, longest = worst.waits[0]
    values = {"task": found.members[place][0][1], "duration": whole_duration_text(longest)}
    return _("%(task)s, up to %(duration)s") % values


def others_of(found: WeekLoad, worst: Worst) -> list[str]:
    """Return the names of the tasks of a stretch, the one that waits the longest left out."""
    first = worst.waits[0][0] if worst.waits else None
    return [name for place in worst.works for name in found.names([place])[1 if place == first else 0 :]]


def expected_text(found: WeekLoad) -> str:
    """Return what the numbers are."""
    parts = [_("Expected: due runs × usual duration.")]
    if found.processes:
        text = ngettext(
            "“!” more than the %(count)s process.", "“!” more than the %(count)s processes.", found.processes
        )
        parts.append(text % {"count": say_number(found.processes)})
    if found.unmeasured:
        text = ngettext(
            "%(count)s task has never completed and counts for a second.",
            "%(count)s tasks have never completed and count for a second each.",
            found.unmeasured,
        )
        parts.append(text % {"count": say_number(found.unmeasured)})
    if found.is_estimated:
        parts.append(_("There are so many different schedules that some count as ones like them."))
    return " ".join(parts)


def fits_text(processes: int | None) -> str:
    """Return that no minute needs more processes than there are."""
    if not processes:
        return _("At no minute two tasks are busy at once.")
    text = ngettext(
        "No minute needs more than the %(count)s process that is here.",
        "No minute needs more than the %(count)s processes that are here.",
        processes,
    )
    return text % {"count": say_number(processes)}


def counted_text(found: WeekLoad) -> str:
    """Return how many tasks are counted, and why others are not."""
    left = found.left_out
    text = ngettext(
        "%(count)s of %(all)s task counted", "%(count)s of %(all)s tasks counted", found.counted + left.count
    )
    said = text % {"count": say_number(found.counted), "all": say_number(found.counted + left.count)}
    reasons = ", ".join(_reasons(left))
    return f"{said}: {reasons}." if reasons else f"{said}."


def _reasons(left: LeftOut) -> Iterator[str]:
    texts: tuple[tuple[Sequence[str], str, str], ...] = (
        (
            left.paused,
            _("%(task)s is paused"),
            ngettext("%(count)s is paused", "%(count)s are paused", len(left.paused)),
        ),
        (
            left.off,
            _("%(task)s is switched off"),
            ngettext("%(count)s is switched off", "%(count)s are switched off", len(left.off)),
        ),
        (
            left.others,
            _("of %(task)s nothing is due"),
            ngettext("of %(count)s nothing is due", "of %(count)s nothing is due", len(left.others)),
        ),
    )
    for names, one, many in texts:
        if names:
            yield one % {"task": names[0]} if len(names) == 1 else many % {"count": say_number(len(names))}
