"""The card about how long the executions of a task take, on its page: plot, facts, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.charts.durations import draw, plot_of_days, plot_of_runs, plot_of_weeks
from django_scheduled_tasks.admin.tasks.list.row import RowContext
from django_scheduled_tasks.admin.ui.base import TEMPLATES
from django_scheduled_tasks.admin.ui.html import (
    execution_link,
    execution_pill,
    execution_url,
    instant,
    near,
    task_url,
    with_query,
)
from django_scheduled_tasks.admin.ui.missed import shown_at
from django_scheduled_tasks.admin.ui.text.humanize import duration_text, percent_text
from django_scheduled_tasks.admin.ui.text.labels import STATUS_COUNTS
from django_scheduled_tasks.alerting.conditions import LEAST_SAMPLES
from django_scheduled_tasks.lifecycle import ENDED
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.queries.executions.durations import (
    A_DAY,
    DAYS,
    Day,
    Durations,
    Run,
    days_of,
    durations_of,
)
from django_scheduled_tasks.services.queries.executions.year import Week, has_year, weeks_of


def card(task: ScheduledTask, recent: Sequence[Execution], context: RowContext, *, over: str) -> SafeString | str:
    """Return the card; empty while no execution has ended.

    Args:
        task: Whose.
        recent: Its newest executions, newest first.
        context: Of the page.
        over: ``days``: days are drawn, for which two statements more are made; ``weeks``: weeks of a year, for which
            one is; else runs.
    """
    found = durations_of(task, recent)
    if not found.runs:
        return ""
    url = execution_url(context.site, "changelist")
    days = over == "days"
    weeks = over == "weeks" and has_year(task)
    by_day = days_of(task, context.now) if days else []
    by_week = weeks_of(task, context.now) if weeks else []
    if weeks:
        plot = plot_of_weeks(by_week, found, list(map(_week_text, by_week)))
    elif days:
        plot = plot_of_days(by_day, found, [_day_url(url, task, day) for day in by_day], list(map(_day_text, by_day)))
    else:
        rows = {row.pk: row for row in recent}
        texts = [context.titles.title(rows[run.number]) for run in found.runs]
        plot = plot_of_runs(found, [execution_url(context.site, "change", run.number) for run in found.runs], texts)
    page = task_url(context.site, "change", task.pk)
    shown: dict[str, Any] = {
        "plot": draw(plot),
        "facts": list(_facts(found, context)),
        "chips": [
            (_last_runs(len(found.runs)), page, not days and not weeks),
            (_("%(count)s days") % {"count": DAYS}, with_query(page, durations="days"), days),
            *([(_("1 year"), with_query(page, durations="weeks"), weeks)] if has_year(task) else []),
        ],
        "all_url": with_query(url, task=task.pk),
        "runs": list(_table(recent, context)) if not days and not weeks else [],
        "weeks": [week for week in reversed(by_week) if week.total],
        "by_week": weeks,
        "days": [day for day in reversed(by_day) if day.took or day.failed or day.others],
        "has_band": found.usual is not None,
        "too_few": _too_few(found),
        "cut": any(day.is_cut for day in by_day),
        "a_day": A_DAY,
    }
    return render_to_string(f"{TEMPLATES}/scheduledtask/durations.html", shown)


def _week_text(week: Week) -> str:
    """Return a week in words: Week from 24 November: 9 completed, 1 failed; on average 21 s, the longest 51 s."""
    parts = [
        str(STATUS_COUNTS[key] % {"count": count})
        for key, count in (("completed", week.completed), ("failed", week.failed))
        if count
    ]
    begin = _("Week from %(day)s") % {"day": date_format(week.day, "DATE_FORMAT")}
    text = f"{begin}: {', '.join(parts)}" if parts else begin
    if week.mean is None or week.longest is None:
        return text
    values = {"mean": duration_text(week.mean), "longest": duration_text(week.longest)}
    took = _("on average %(mean)s, the longest %(longest)s") % values
    return f"{text}; {took}"


def _last_runs(count: int) -> str:
    return ngettext("Last %(count)s run", "Last %(count)s runs", count) % {"count": count}


def _facts(found: Durations, context: RowContext) -> Iterator[tuple[str, Any]]:
    counted, succeeded = len(found.counted), len(found.succeeded)
    if counted:
        values = {"count": succeeded, "all": counted, "percent": percent_text(succeeded * 100 // counted)}
        yield _("Succeeded"), _("%(count)s of %(all)s (%(percent)s)") % values
    if found.usual is not None and found.within is not None:
        yield _("Usually"), duration_text(found.usual)
        yield _("19 of 20 within"), duration_text(found.within)
    if found.longest is not None and found.longest.took is not None:
        yield _("Longest"), format_html("{} {}", duration_text(found.longest.took), _number(found.longest, context))
    failed = found.last_failed
    never = ngettext("Never in %(count)s", "Never in %(count)s", len(found.runs)) % {"count": len(found.runs)}
    when = format_html("{} {}", near(failed.at, context.now), _number(failed, context)) if failed is not None else never
    yield _("Last failed"), when


def _number(run: Run, context: RowContext) -> SafeString:
    return execution_link(context.site, run.number, f"#{run.number}")


def _too_few(found: Durations) -> str:
    """Return that there are too few to say what is usual; empty if there are enough."""
    if found.usual is not None:
        return ""
    values = {"least": LEAST_SAMPLES, "count": len(found.succeeded)}
    return _("Usual time after %(least)s runs that complete; so far %(count)s.") % values


def _table(recent: Sequence[Execution], context: RowContext) -> Iterator[tuple[Any, ...]]:
    for row in recent:
        if row.status in ENDED:
            took = duration_text(row.completed_at - row.started_at) if row.started_at and row.completed_at else ""
            at = instant(shown_at(row), seconds=True, now=context.now)
            yield execution_link(context.site, row.pk, f"#{row.pk}"), execution_pill(row), at, took


def _day_url(url: str, task: ScheduledTask, day: Day) -> str:
    """Return where the executions of a day are listed, in the zone of the page."""
    if not url or not (day.took or day.failed or day.others):
        return ""
    edges = {"from": localtime(day.start).isoformat(), "to": localtime(day.end).isoformat()}
    return f"{url}?{urlencode({'task': task.pk, **edges})}"


def _day_text(day: Day) -> str:
    """Return a day in words: 24 November: 3 completed, 1 failed; half of them within 21 s, the longest 51 s."""
    parts = [
        str(STATUS_COUNTS[key] % {"count": count})
        for key, count in (("completed", len(day.took)), ("failed", day.failed))
        if count
    ]
    text = f"{date_format(day.day, 'DATE_FORMAT')}: {', '.join(parts)}"
    if day.median is None:
        return text
    longest: timedelta = max(day.took)
    values = {"median": duration_text(day.median), "longest": duration_text(longest)}
    took = _("half of them within %(median)s, the longest %(longest)s") % values
    return f"{text}; {took}"
