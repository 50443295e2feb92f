"""Show what a task would do: each occurrence, and what becomes of it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.planner import Ledger, LedgerEntry, simulate
from django_scheduled_tasks.printable import on_one_line, printable
from django_scheduled_tasks.schedules import describe, parse_duration, parse_timezone
from django_scheduled_tasks.services.queries.lookup import get_task

_WEEK = timedelta(days=7)
_COLUMNS = ("#", "SCHEDULED FOR", "DECIDED", "STARTED", "ENDED", "OUTCOME", "WHY")


class Command(BaseCommand):
    """Print the ledger that the scheduler would write, from the planner that it uses. Nothing is run or saved."""

    help = "Show what a task would do between two instants: each occurrence, and whether it runs or why not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("task", metavar="NAME", help="the task's name or id")
        parser.add_argument("--from", dest="start", metavar="INSTANT", help="ISO 8601; default: now")
        parser.add_argument("--to", dest="end", metavar="INSTANT", help="ISO 8601; default: a week later")
        parser.add_argument(
            "--downtime",
            action="append",
            default=[],
            metavar="A/B",
            help="no scheduler runs from A to B, two ISO 8601 instants; may be given several times",
        )
        parser.add_argument(
            "--duration", default="0s", help="how long each run takes: 90s, 5m, 2h30m; default: no time"
        )
        parser.add_argument("--limit", type=int, default=1_000, help="the most rows; default: 1000")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, **options: Any) -> None:
        """Simulate and print."""
        try:
            task = get_task(options["task"])
            zone = parse_timezone(task.timezone)
            start = _instant(options["start"], zone) if options["start"] else datetime.now(UTC).replace(microsecond=0)
            end = _instant(options["end"], zone) if options["end"] else start + _WEEK
            if end <= start:
                raise CommandError("--to has to be later than --from.")
            ledger = simulate(
                task.policy,
                start,
                end,
                downtime=[_range(text, zone) for text in options["downtime"]],
                durations=parse_duration(options["duration"]),
                limit=options["limit"],
            )
        except ScheduledTasksError as exc:
            raise CommandError(printable(exc.message)) from exc
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(task, start, end, ledger), indent=2))
        else:
            self._print(task, zone, ledger)

    def _print(self, task: ScheduledTask, zone: ZoneInfo, ledger: Ledger) -> None:
        schedule = task.schedule
        sentence = describe(schedule)
        self.stdout.write(on_one_line(f"{task.name}: {sentence or schedule.expression} ({zone.key})"))
        if not task.enabled:
            self.stdout.write("It is switched off, so nothing is due.")
        elif task.paused_at is not None:
            until = f"until {_shown(task.paused_until, zone)}" if task.paused_until else "until someone resumes it"
            self.stdout.write(f"It is paused {until}.")
        rows = [_COLUMNS, *(_row(entry, zone) for entry in ledger.entries)]
        widths = [max(len(row[index]) for row in rows) for index in range(len(_COLUMNS))]
        for row in rows:
            self.stdout.write("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
        counts = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(ledger.counts().items()))
        self.stdout.write(f"{counts or 'Nothing is due'}. Next: {_shown(ledger.next_run_at, zone) or 'none'}.")
        if ledger.truncated:
            self.stdout.write("There is more; raise --limit to see it.")


def _instant(text: str, zone: ZoneInfo) -> datetime:
    """Read an ISO 8601 instant; without an offset it is meant in *zone*."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError(
            f'"{text}" is not an instant. Write it like 2026-11-24T03:00 or 2026-11-24T03:00Z.'
        ) from None


def _range(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, slash, second = text.partition("/")
    if not slash:
        raise CommandError(f'"{text}" is not a downtime. Write two instants with a slash between them.')
    return _instant(first.strip(), zone), _instant(second.strip(), zone)


def _shown(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %z}" if moment else ""


def _row(entry: LedgerEntry, zone: ZoneInfo) -> tuple[str, ...]:
    instants = (entry.scheduled_for, entry.decided_at, entry.started_at, entry.ended_at)
    outcome = f"{entry.outcome} ×{entry.count:,}" if entry.count > 1 else str(entry.outcome)
    why = entry.reason if not entry.blocked_by else f"{entry.reason} (#{entry.blocked_by})".strip()
    why = on_one_line(why)
    return (str(entry.number), *(_shown(moment, zone) for moment in instants), outcome, why)


def _json_instant(moment: datetime | None) -> str | None:
    return iso_milliseconds(moment) if moment else None


def _as_json(task: ScheduledTask, start: datetime, end: datetime, ledger: Ledger) -> dict[str, Any]:
    return {
        "task": task.name,
        "timezone": task.timezone,
        "from": _json_instant(start),
        "to": _json_instant(end),
        "entries": [
            {
                "number": entry.number,
                "decision": str(entry.kind),
                "scheduledFor": _json_instant(entry.scheduled_for),
                "decidedAt": _json_instant(entry.decided_at),
                "notBefore": _json_instant(entry.not_before),
                "startedAt": _json_instant(entry.started_at),
                "endedAt": _json_instant(entry.ended_at),
                "outcome": entry.outcome and str(entry.outcome),
                "blockedBy": entry.blocked_by,
                "count": entry.count,
                "reason": entry.reason,
            }
            for entry in ledger.entries
        ],
        "counts": ledger.counts(),
        "nextRunAt": _json_instant(ledger.next_run_at),
        "truncated": ledger.truncated,
    }
