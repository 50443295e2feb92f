"""What deciding costs: schedules and the planner alone, no database. Run: ``python -m benchmarks.schedules``."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from uuid import UUID
from zoneinfo import ZoneInfo

from django_scheduled_tasks.lifecycle import CatchUp
from django_scheduled_tasks.planner import TaskPolicy, TaskState, plan, simulate
from django_scheduled_tasks.schedules import Schedule, cron, every, parse_schedule
from django_scheduled_tasks.schedules.calendars import ON_EXCLUDED, WithCalendars, read_calendar

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"
SHAPES: list[tuple[str, str]] = [
    ("cron", "* * * * *"),
    ("cron", "*/15 * * * *"),
    ("cron", "0 * * * *"),
    ("cron", "0 3 * * *"),
    ("cron", "0 3 * * 1-5"),
    ("cron", "0 9 1 * 1"),
    ("cron", "0 8 * * 5L"),
    ("cron", "0 0 29 2 *"),
    ("cron", "* * * * * *"),
    ("interval", "15m"),
    ("interval", "1d"),
    ("dates", "2026-11-25T03:00Z"),
]


SECONDS = float(os.environ.get("BENCH_SECONDS", "0.3"))
"""For how long one call is measured."""


def microseconds(call: Callable[[], object]) -> float:
    """Return the time of one call: the least mean of five rounds."""
    call()
    best, number = float("inf"), 1
    for _ in range(5):
        started = time.process_time()
        for _ in range(number):
            call()
        taken = time.process_time() - started
        best = min(best, taken / number)
        number = max(1, int(SECONDS / 5 / max(taken / number, 1e-9)))
    return best * 1e6


def one_schedule(kind: str, expression: str) -> None:
    """Print the row of one shape."""
    utc = parse_schedule(kind, expression, anchor=NOW)
    zoned = parse_schedule(kind, expression, timezone=BERLIN, anchor=NOW)
    policy = TaskPolicy(task_id=UUID(int=1), schedule=zoned)
    state = TaskState(next_run_at=zoned.next_after(NOW))
    late = (state.next_run_at or NOW) + timedelta(milliseconds=100)
    columns = [
        microseconds(lambda: parse_schedule(kind, expression, timezone=BERLIN, anchor=NOW)),
        microseconds(lambda: utc.next_after(NOW)),
        microseconds(lambda: zoned.next_after(NOW)),
        microseconds(lambda: zoned.previous_before(NOW)),
        microseconds(lambda: plan(policy, state, now=late)),
    ]
    print(f"{expression:<20}" + "".join(f"{column:>12.1f}" for column in columns))


def one_pass(number: int) -> None:
    """Print what it takes to plan many due tasks, each read from its columns first, as the scheduler does."""
    rows = list(islice(cycle(SHAPES[:8]), number))
    states = [TaskState(next_run_at=parse_schedule(*row, timezone=BERLIN).next_after(NOW)) for row in rows]
    started = time.process_time()
    for index, (kind, expression) in enumerate(rows):
        schedule = parse_schedule(kind, expression, timezone=BERLIN)
        policy = TaskPolicy(task_id=UUID(int=index), schedule=schedule, spread=timedelta(minutes=5))
        state = states[index]
        plan(policy, state, now=state.next_run_at or NOW)
    print(f"plan {number:,} due tasks, read from their columns: {time.process_time() - started:.2f} s")


def under_calendars(expression: str) -> None:
    """Print what planning costs with two calendars, the mean of a hundred runs one after the other, by what moves."""
    zone = ZoneInfo(BERLIN)
    weekdays = ["mon", "tue", "wed", "thu", "fri"]
    dates = [{"from": "2026-12-24", "to": "2027-01-01"}]
    calendars = (
        read_calendar("office", BERLIN, {"weekdays": weekdays, "dates": dates}),
        read_calendar("maintenance", BERLIN, {"windows": ["Thu 22:00 – Fri 00:00"]}),
    )
    plain = parse_schedule("cron", expression, timezone=BERLIN)
    named: dict[str, Schedule] = {"without": plain}
    named |= {how: WithCalendars(plain, calendars, how, zone) for how in ON_EXCLUDED}
    columns = []
    for schedule in named.values():
        policy = TaskPolicy(task_id=UUID(int=1), schedule=schedule)

        def hundred(policy: TaskPolicy = policy) -> None:
            state = TaskState(next_run_at=policy.schedule.next_after(NOW))
            for _ in range(100):
                found = plan(policy, state, now=state.next_run_at or NOW)
                state = TaskState(next_run_at=found.next_run_at)

        columns.append(microseconds(hundred) / 100)
    shown = ", ".join(f"{name} {column:.0f}" for name, column in zip(named, columns, strict=True))
    print(f"plan {expression!r} with two calendars: {shown} µs")


def long_downtime(schedule: Schedule, days: int, catch_up: CatchUp) -> None:
    """Print what it takes to plan one task after a long downtime."""
    policy = TaskPolicy(task_id=UUID(int=1), schedule=schedule, catch_up=catch_up)
    state = TaskState(next_run_at=schedule.next_after(NOW - timedelta(days=days)))
    started = time.process_time()
    planned = plan(policy, state, now=NOW)
    taken = (time.process_time() - started) * 1_000
    due = sum(decision.count for decision in planned.decisions)
    print(f"plan {schedule.expression!r} after {days} days, {due:,} due, {catch_up}: {taken:.1f} ms")


def main() -> None:
    """Print all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.schedules", description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000, help="how many due tasks are planned in one pass")
    parser.add_argument("--days", type=int, default=365, help="how long the long downtime is")
    options = parser.parse_args()
    print(
        f"Python {platform.python_version()}, {platform.machine()}; microseconds of CPU a call, zone: UTC or {BERLIN}\n"
    )
    titles = ("parse", "next, UTC", "next, zone", "prev, zone", "plan")
    print(f"{'expression':<20}" + "".join(f"{title:>12}" for title in titles))
    for kind, expression in SHAPES:
        one_schedule(kind, expression)
    print()
    one_pass(options.tasks)
    for expression in ("0 9 * * *", "*/30 * * * *"):
        under_calendars(expression)
    for schedule in (every("1s"), cron("* * * * * *", timezone=BERLIN), cron("0 3 * * *", timezone=BERLIN)):
        for catch_up in (CatchUp.LATEST, CatchUp.ALL):
            long_downtime(schedule, options.days, catch_up)
    policy = TaskPolicy(task_id=UUID(int=1), schedule=cron("*/15 * * * *", timezone=BERLIN))
    started = time.process_time()
    ledger = simulate(policy, NOW, NOW + timedelta(days=100), durations=timedelta(minutes=1))
    print(f"simulate {len(ledger.entries):,} executions: {time.process_time() - started:.2f} s")


if __name__ == "__main__":
    main()
