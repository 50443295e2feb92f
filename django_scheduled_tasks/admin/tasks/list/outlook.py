"""What was and what comes, of all tasks: the strip above their list, and the page of the next due instants.

A task that is due often is said in one line; it would leave no room for the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext

from django_scheduled_tasks.admin.charts.strip import STRIP_HALF, STRIP_STEP, Lane, Strip, day_strip, strip_edges
from django_scheduled_tasks.admin.ui.html import distance, instant, near_text
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Hold, ScheduledTask
from django_scheduled_tasks.schedules import describe
from django_scheduled_tasks.services.queries.executions import timeline
from django_scheduled_tasks.services.queries.frequent import HOUR, OFTEN, Frequent, frequent
from django_scheduled_tasks.services.queries.holds import all_held_until, holding, is_held_at
from django_scheduled_tasks.translation import say_number

if TYPE_CHECKING:
    from django_scheduled_tasks.admin.tasks.list.changelist import TaskChangeList

STRIP_TASKS = 200
"""The day strip looks at this many tasks: those that are due next."""
UPCOMING_SHOWN = 100
"""The list of upcoming executions shows this many."""
_SECOND = timedelta(seconds=1)
_OFTEN = STRIP_HALF // OFTEN
"""What ran more often in the past half of the strip is a lane as well."""


def strip_of(cl: TaskChangeList) -> SafeString:
    """Return the day strip: what ran, and what is due; grey while nothing starts."""
    edges = strip_edges(cl.now)
    until, is_copy, holds = edges[0] + 2 * STRIP_HALF, cl.context.is_copy, cl.context.holds
    has_all = cl.shows_all and not cl.multi_page
    tasks = [row.task for row in cl.rows] if has_all else timeline.scheduled_tasks(STRIP_TASKS)
    often = [] if is_copy else frequent(tasks)
    folded = {one.task.pk for one in often}
    others = [] if is_copy else [task for task in tasks if task.pk not in folded]
    outlook = timeline.look_ahead(others, until=until, step=STRIP_STEP)
    complete_until = outlook.complete_until
    if len(tasks) >= STRIP_TASKS and (last := tasks[-1].next_run_at):  # the tasks that were not read are due later
        complete_until = min(complete_until, last)
    marks = timeline.marks_between(edges)
    lanes = _lanes(marks, often, Ahead(cl.now, until, holds))
    marks = [mark for mark in marks if mark.task not in lanes]
    marks += [
        timeline.Mark(int((item.at - edges[0]) / STRIP_STEP), item.task.name, "next")
        for item in outlook.upcoming
        if item.at >= cl.now and not is_held_at(item.task, item.at, holds)
    ]
    held_until = until if is_copy else all_held_until(holds, until)
    text = _("Held: nothing is planned here") if is_copy else _("held")
    missed = sorted(_missed(cl, edges[0], but=lanes))
    return day_strip(
        Strip(edges[0], cl.now, marks, complete_until, held_until, text, lanes=list(lanes.values()), missed=missed)
    )


@dataclass(frozen=True, slots=True)
class Ahead:
    """The future half of the strip."""

    now: datetime
    until: datetime
    holds: Sequence[Hold]

    def of(self, one: Frequent) -> tuple[str, datetime | None]:
        """Return what comes of a task that is due often, in words, and from when on."""
        hold = holding(one.task, self.holds)
        values = {"task": one.task.name, "often": _often(one)}
        if hold is not None and hold.until is None:
            return _("%(task)s, %(often)s: held") % values, None
        begin = max(one.first, self.now, *([hold.until] if hold is not None and hold.until is not None else ()))
        count = say_number(one.count(begin, self.until))
        return _("%(task)s, %(often)s: %(count)s more") % {**values, "count": count}, begin


def _lanes(marks: Sequence[timeline.Mark], often: Sequence[Frequent], ahead: Ahead) -> Mapping[str, Lane]:
    """Return a lane for each task that is due often, or that ran often, by its name; the most frequent last."""
    counts: Counter[str] = Counter()
    steps: Counter[int] = Counter()
    for mark in marks:
        counts[mark.task] += mark.count
        steps[mark.step] += mark.count
    rates = {name: count / _OFTEN for name, count in counts.items() if count > _OFTEN}
    due = {one.task.name: one for one in often}
    rates |= {name: one.an_hour / (HOUR / OFTEN) for name, one in due.items()}
    found = {}
    for name in sorted(rates, key=lambda name: (rates[name], name)):
        own = [mark for mark in marks if mark.task == name]
        is_more = any(steps[mark.step] >= timeline.STRIP_CAP for mark in own)
        text, begin = ahead.of(due[name]) if name in due else ("", None)
        past = _ran(own, is_more=is_more)
        failed = sorted({mark.step for mark in own if mark.kind == "bad"})
        found[name] = Lane(text, past if name in due else f"{name}: {past}", failed, begin)
    return found


def _ran(marks: Sequence[timeline.Mark], *, is_more: bool) -> str:
    """Return how many completed and failed; with *is_more* that is the least that it may have been."""
    completed, failed = (sum(mark.count for mark in marks if mark.kind == kind) for kind in ("ok", "bad"))
    texts = (
        (completed, npgettext("executions", "%(count)s completed", "%(count)s completed", completed)),
        (failed, npgettext("executions", "%(count)s failed", "%(count)s failed", failed)),
    )
    more = "+" if is_more else ""
    return ", ".join(text % {"count": f"{say_number(count)}{more}"} for count, text in texts if count)


def _missed(cl: TaskChangeList, start: datetime, *, but: Collection[str]) -> Iterator[tuple[datetime, str]]:
    """Yield what the rows of the page have missed since *start*: when it was due, and which task."""
    for row in cl.rows:
        for execution in row.recent if row.task.name not in but else ():
            due = execution.scheduled_for
            if execution.outcome == Outcome.MISSED and due is not None and start <= due <= cl.now:
                values = {"task": row.task.name, "instant": near_text(due, cl.now)}
                yield due, _("%(task)s: missed %(instant)s") % values


def _often(one: Frequent) -> str:
    """Return how often it is due, inside a sentence; its expression where no sentence is certain to be right."""
    text = describe(one.schedule)
    return f"{text[:1].lower()}{text[1:]}" if text else one.task.expression


@dataclass(frozen=True, slots=True)
class UpcomingRow:
    """A line of the page of what comes."""

    at: SafeString | str
    distance: SafeString
    task: ScheduledTask
    more: str = ""
    """How it goes on, of a task that is due often."""


def upcoming_rows(tasks: Sequence[ScheduledTask], now: datetime) -> list[UpcomingRow]:
    """Return the next due instants of *tasks*; a task that is due often has one line."""
    often = {one.task.pk: one for one in frequent(tasks)}
    far = now.replace(year=now.year + 20, day=1)
    rest = [task for task in tasks if task.pk not in often]
    found = [(item.at, item.task) for item in timeline.look_ahead(rest, until=far, limit=UPCOMING_SHOWN).upcoming]
    found += [(one.first, one.task) for one in often.values()]
    return [
        UpcomingRow(
            instant(at, seconds=True, now=now),
            distance(at, now),
            task,
            _goes_on(often[task.pk], now) if task.pk in often else "",
        )
        for at, task in sorted(found, key=lambda item: item[0])[:UPCOMING_SHOWN]
    ]


def _goes_on(one: Frequent, now: datetime) -> str:
    count = one.count(one.first + _SECOND, one.first + HOUR)
    text = ngettext(
        "%(often)s: next %(instant)s, then %(count)s more within the hour",
        "%(often)s: next %(instant)s, then %(count)s more within the hour",
        count,
    )
    if one.first - now < HOUR:
        text = ngettext(
            "%(often)s: next %(instant)s, then %(count)s more this hour",
            "%(often)s: next %(instant)s, then %(count)s more this hour",
            count,
        )
    return text % {"often": _often(one), "instant": near_text(one.first, now), "count": say_number(count)}
