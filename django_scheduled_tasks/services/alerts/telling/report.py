"""The report of a day or a week, for the channels that subscribe to it: what failed, was missed, got slower, and the
next change of clocks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Q, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.channels import Message, NotDelivered
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.lifecycle import FAILED_OUTCOMES, Outcome, Status
from django_scheduled_tasks.models import Channel, Execution, Report, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.schedules import format_duration
from django_scheduled_tasks.services.alerts.channels import deliver
from django_scheduled_tasks.services.alerts.telling.outbox import target_of
from django_scheduled_tasks.services.alerts.telling.wording import at as at_text
from django_scheduled_tasks.services.installation.state import is_held
from django_scheduled_tasks.services.queries.clock_changes import ZoneChange, next_changes
from django_scheduled_tasks.services.tasks.edit import create_task, update_task

logger = logging.getLogger(__name__)

FUNCTION, NAME, WHEN = "django_scheduled_tasks.send_reports", "scheduled-tasks-report", "0 8 * * *"
"""The task that sends reports: its function, and how it is called and when it runs unless somebody changes it."""
LENGTHS = {Report.DAILY: timedelta(days=1), Report.WEEKLY: timedelta(days=7)}
WEEKLY_ON = 0
"""The day of the week on which weekly reports are sent, in the zone of the project: Monday."""
MOST_NAMED = 20
"""Of each kind so many tasks are named."""
SLOWER = 1.5
"""A task got slower if it takes so many times as long as in the time before …"""
SLOWER_BY, LEAST_RUNS = timedelta(seconds=5), 5
"""… and by so much longer, with so many runs in both."""
CLOCKS_WITHIN = timedelta(days=14)
"""A change of clocks is told so long before."""


@dataclass(frozen=True, slots=True)
class Slower:
    """A task that takes longer than it did."""

    task: str
    before: timedelta
    now: timedelta


@dataclass(frozen=True, slots=True)
class Findings:
    """What a report says."""

    since: datetime
    until: datetime
    succeeded: int
    failed: Sequence[tuple[str, int]]
    """Names of tasks and how often, most often first."""
    missed: Sequence[tuple[str, int]]
    slower: Sequence[Slower]
    clocks: Sequence[ZoneChange]
    """Zones of tasks whose clocks will change, when, and what becomes of their tasks."""

    @property
    def is_well(self) -> bool:
        """Whether nothing failed or was missed."""
        return not self.failed and not self.missed


def look_back(until: datetime, length: timedelta) -> Findings:
    """Return what happened within *length* before *until*; three statements, however many tasks there are."""
    since = until - length
    rows = _ends(since, until)
    before = {name: (runs, usual) for name, _s, _f, _m, runs, usual in _ends(since - length, since)}
    slower = [one for row in rows if row[0] in before and (one := _slower(row[0], before[row[0]], row[4:])) is not None]
    return Findings(
        since,
        until,
        succeeded=sum(row[1] for row in rows),
        failed=_most((row[0], row[2]) for row in rows),
        missed=_most((row[0], row[3]) for row in rows),
        slower=sorted(slower, key=lambda one: one.before / one.now),
        clocks=next_changes(until, within=CLOCKS_WITHIN),
    )


_Ends = tuple[str, int, int, int, int, timedelta | None]


def _ends(since: datetime, until: datetime) -> list[_Ends]:
    """Return, by name of task: how many succeeded, failed, were missed, ran, and how long a success took on average."""
    took = ExpressionWrapper(F("completed_at") - F("started_at"), output_field=DurationField())
    has_run = Q(status=Status.COMPLETED, started_at__isnull=False)
    rows = Execution.objects.using(write_alias()).filter(triggered_at__gte=since, triggered_at__lt=until).order_by()
    return list(
        rows.values_list("task_name").annotate(
            succeeded=Count("pk", filter=Q(status=Status.COMPLETED)),
            failed=Count("pk", filter=Q(outcome__in=sorted(FAILED_OUTCOMES))),
            missed=Count("pk", filter=Q(outcome=Outcome.MISSED)),
            runs=Count("pk", filter=has_run),
            usual=Avg(took, filter=has_run),
        )
    )


def _slower(name: str, before: tuple[int, timedelta | None], now: tuple[int, timedelta | None]) -> Slower | None:
    """Return that a task got slower; None if it did not, or ran too rarely to say so."""
    if before[1] is None or now[1] is None or min(before[0], now[0]) < LEAST_RUNS:
        return None
    is_slower = now[1] > before[1] * SLOWER and now[1] - before[1] > SLOWER_BY
    return Slower(name, before[1], now[1]) if is_slower else None


def _most(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(((name, count) for name, count in counts if count), key=lambda pair: (-pair[1], pair[0]))


# --- in words


def text_of(found: Findings) -> str:
    """Return the report as text, a line for each thing."""
    begin, end = at_text(found.since), at_text(found.until)
    return "\n".join([_("From %(begin)s to %(end)s") % {"begin": begin, "end": end}, "", *_lines(found), ""])


def _lines(found: Findings) -> Iterator[str]:
    if found.is_well:
        yield _("Nothing failed, and nothing was missed.")
    for heading, counts in ((_("Failed:"), found.failed), (_("Missed:"), found.missed)):
        if counts:
            times = [_("%(task)s (%(count)s times)") % {"task": name, "count": count} for name, count in counts]
            yield f"{heading} {_named(times)}"
    yield ngettext("%(count)s execution succeeded.", "%(count)s executions succeeded.", found.succeeded) % {
        "count": found.succeeded
    }
    for one in found.slower[:MOST_NAMED]:
        values = {"task": one.task, "now": format_duration(one.now), "before": format_duration(one.before)}
        yield _("Slower: %(task)s took %(now)s on average, %(before)s in the time before.") % values
    for change in found.clocks:
        yield from _clock_lines(change)
    if site := get_settings().SITE_URL:
        yield site


def _clock_lines(found: ZoneChange) -> Iterator[str]:
    text = ngettext(
        "The clocks of %(zone)s change on %(instant)s; %(count)s task goes by them.",
        "The clocks of %(zone)s change on %(instant)s; %(count)s tasks go by them.",
        found.tasks,
    )
    yield text % {"zone": found.zone, "instant": at_text(found.change.at), "count": found.tasks}
    for one in found.named[:MOST_NAMED]:
        yield f"- {one.name}: {one.effect.sentence}"
    if found.touched > MOST_NAMED:
        yield "- " + _("and %(count)s more") % {"count": found.touched - MOST_NAMED}


def _named(items: Sequence[str]) -> str:
    more = [_("and %(count)s more") % {"count": len(items) - MOST_NAMED}] if len(items) > MOST_NAMED else []
    return ", ".join([*items[:MOST_NAMED], *more])


def message_of(found: Findings, report: Report, channel: Channel) -> Message:
    """Return what is sent to *channel*. Its id is the same if the same report is sent again."""
    day = found.until.astimezone(ZoneInfo(get_settings().time_zone)).date()
    subject = _("Report of the day") if report == Report.DAILY else _("Report of the week")
    payload = {
        "type": f"report.{report}",
        "since": iso_milliseconds(found.since),
        "until": iso_milliseconds(found.until),
        "succeeded": found.succeeded,
        "failed": dict(found.failed[:MOST_NAMED]),
        "missed": dict(found.missed[:MOST_NAMED]),
    }
    return Message(f"report-{report}-{channel.pk}-{day}", subject, text_of(found), payload)


# --- sending


def send_due_reports(now: datetime | None = None) -> list[str]:
    """Send the reports that are due today, and return what each channel answered; in a copy of a database none.

    Raises:
        NotDelivered: One or more channels did not take theirs; the others have been sent.
    """
    if is_held():
        return []
    now = now or read_now()
    is_weekly = now.astimezone(ZoneInfo(get_settings().time_zone)).weekday() == WEEKLY_ON
    said, failed = [], []
    with translation.override(settings.LANGUAGE_CODE):
        for report in (Report.DAILY, *([Report.WEEKLY] if is_weekly else [])):
            if not (channels := list(_subscribed().filter(report=str(report)).order_by("pk"))):
                continue
            found = look_back(now, LENGTHS[report])
            for channel in channels:
                try:
                    said.append(f"{channel.name}: {deliver(target_of(channel), message_of(found, report, channel))}")
                except NotDelivered as exc:
                    failed.append(f"{channel.name}: {exc}")
    if failed:
        raise NotDelivered("; ".join(failed))
    return said


def _subscribed() -> QuerySet[Channel]:
    return Channel.objects.using(write_alias()).filter(enabled=True).exclude(report="")


def settle_subscriptions() -> None:
    """Have the task that sends reports if a channel subscribes, and switch it off if none does; two statements."""
    is_wanted = _subscribed().exists()
    task = ScheduledTask.objects.using(write_alias()).filter(function=FUNCTION).first()
    if task is None and is_wanted:
        create_task(name=NAME, function=FUNCTION, schedule_kind="cron", expression=WHEN)
    elif task is not None and task.enabled != is_wanted:
        update_task(task, enabled=is_wanted)
