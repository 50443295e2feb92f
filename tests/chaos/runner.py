"""Drives schedulers and workers while breaking everything around them, then reads the ledger.

``python -m tests.chaos --seed 1 --minutes 30``: on a PostgreSQL and a Redis of its own it runs two schedulers (the
clock of one is wrong), two clusters and 200 tasks with mixed schedules and policies. Meanwhile it kills processes,
stops and continues them, flushes and restarts Redis, restarts PostgreSQL as by a crash, and doubles and reorders
messages.

Then: every expected occurrence has exactly one row; no execution ran to its end twice unless its task allows that;
every open execution reached an end within two lease periods; and each of them was counted once, by task and outcome.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError, InterfaceError, connection

from tests.cluster import TestProcess, finish, is_alive, start
from tests.servers import PostgreSQL, Redis

TASKS = 200
QUEUE = "chaos"
SETTLE = 45.0
"""Seconds without any end, after the last fault, until the rest is given up: two leases, and the longest wait to be
sent again."""
COUNTED_WITHIN = 3.0
"""Seconds until what was counted has to be what has ended."""

WELL = "Zero lost, zero doubled, nothing left open."


@dataclass
class Report:
    """What was done, and what was found."""

    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    occurrences: int = 0
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return it for people."""
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        lines = [
            f"{self.faults.total()} faults: {faults}",
            f"{self.occurrences} occurrences expected; executions: {outcomes}",
            *([f"{len(self.problems)} problems:", *self.problems[:50]] if self.problems else [WELL]),
        ]
        return "\n".join(lines)


class Chaos:
    """One run.

    Args:
        seed: The same seed breaks the same things in the same order.
        seconds: For how long.
        interval: Seconds between two faults, on average.
    """

    def __init__(self, postgres: PostgreSQL, redis: Redis, *, seed: int, seconds: float, interval: float = 0.8) -> None:
        self.postgres, self.redis = postgres, redis
        self.random = random.Random(seed)
        self.seconds, self.interval = seconds, interval
        self.report = Report()
        self.trace = Path(tempfile.mkdtemp(prefix="chaos-")) / "trace"
        self.trace.touch()
        self.processes: dict[str, TestProcess] = {}
        self.stopped: list[tuple[float, int]] = []
        self.handled: dict[Any, datetime | None] = {}
        self.faults: list[tuple[int, str, Callable[[], bool]]] = [
            (30, "kill worker", lambda: self._signal_child(signal.SIGKILL)),
            (10, "kill scheduler", lambda: self._signal_main("scheduler", signal.SIGKILL)),
            (6, "kill cluster", self._kill_cluster),
            (20, "stop worker", lambda: self._signal_child(signal.SIGSTOP)),
            (10, "stop scheduler", lambda: self._signal_main("scheduler", signal.SIGSTOP)),
            (8, "flush Redis", self._flush),
            (3, "restart Redis", self._restart_redis),
            (2, "restart PostgreSQL", self._restart_postgres),
            (10, "double messages", self._double),
            (8, "reorder messages", self._reorder),
        ]

    # --- the run

    def run(self) -> Report:
        """Break things for the time given, let it settle, read the ledger."""
        self._make_tasks()
        for name in ("scheduler-1", "scheduler-2", "cluster-1", "cluster-2"):
            self._start(name)
        try:
            self._break_things()
            until = self._settle()
            self._judge(until)
        finally:
            for process in self.processes.values():
                process.kill(signal.SIGCONT)
                process.kill()
                finish(process)
        return self.report

    def _break_things(self) -> None:
        deadline = time.monotonic() + self.seconds
        weights = [weight for weight, _name, _fault in self.faults]
        while (now := time.monotonic()) < deadline:
            self._continue_stopped(now)
            self._revive()
            ((_weight, name, fault),) = self.random.choices(self.faults, weights)
            try:
                if fault():
                    self.report.faults[name] += 1
            except (OSError, RuntimeError) as exc:
                print(f"({name}: {exc})", file=sys.stderr)
            time.sleep(self.random.expovariate(1 / self.interval))

    def _settle(self) -> datetime:
        """Heal everything, let nothing more become due, wait until what was due is done; return when that was."""
        from django_scheduled_tasks.models import Execution, read_now

        self._continue_stopped(float("inf"))
        self._revive()
        _insist(self._end_schedules)
        until: datetime = _insist(read_now)
        rows = Execution.objects.open()
        left, deadline = -1, time.monotonic() + SETTLE
        while time.monotonic() < deadline and (count := _insist(rows.count)):
            if count != left:  # what has piled up while workers were killed takes its time
                left, deadline = count, time.monotonic() + SETTLE
            self._revive()
            time.sleep(0.5)
        return until

    def _end_schedules(self) -> None:
        """Note up to where each task's occurrences are handled, and let no further ones become due."""
        from django.db import transaction

        from django_scheduled_tasks.models import ScheduledTask

        with transaction.atomic():
            tasks = list(ScheduledTask.objects.select_for_update())
            self.handled = {task.pk: task.next_run_at for task in tasks}
            ScheduledTask.objects.update(next_run_at=None)

    # --- the tasks

    def _make_tasks(self) -> None:
        from django_scheduled_tasks.services.tasks.edit import create_task

        schedules = [
            *({"schedule_kind": "interval", "expression": f"{n}s"} for n in (5, 7, 10, 15, 20, 30)),
            *(
                {"schedule_kind": "cron", "expression": text}
                for text in ("*/10 * * * * *", "*/15 * * * * *", "7 * * * * *")
            ),
            {"schedule_kind": "cron", "expression": "* * * * *", "timezone": "Asia/Kathmandu"},
        ]
        self.retried: set[Any] = set()
        for number in range(TASKS):
            policy: dict[str, Any] = {
                "overlap": self.random.choice(["skip", "skip", "queue_one", "queue_all", "cancel_running", "allow"]),
                "catch_up": self.random.choice(["latest", "latest", "all", "none"]),
                "params": {"seconds": self.random.choice([0, 0, 0, 0, 0.05, 0.2])},
            }
            if self.random.random() < 0.25:
                policy |= {"on_worker_lost": "retry", "max_attempts": 3, "min_backoff": timedelta(seconds=1)}
            if self.random.random() < 0.1:
                policy["concurrency_group"] = f"group {number % 3}"
            if self.random.random() < 0.1:
                policy["spread"] = timedelta(seconds=3)
            task = create_task(
                name=f"chaos {number}", function="chaos.traced", **self.random.choice(schedules), **policy
            )
            if "on_worker_lost" in policy:
                self.retried.add(task.pk)
        self.first_due = {}
        from django_scheduled_tasks.models import ScheduledTask

        for task in ScheduledTask.objects.all():
            self.first_due[task.pk] = task.next_run_at

    # --- processes

    def _start(self, name: str) -> None:
        command = "runscheduler" if name.startswith("scheduler") else "qcluster"
        environment = {"CHAOS_TRACE": str(self.trace)}
        if name == "scheduler-2":
            environment["CHAOS_CLOCK_MINUTES"] = str(self.random.choice([-7, 11]))
        self.processes[name] = start(
            TestProcess, command, queue=QUEUE, module="tests.chaos.settings", environment=environment
        )

    def _revive(self) -> None:
        for name, process in list(self.processes.items()):
            if not process.is_running:
                code = process.popen.returncode
                if name.startswith("scheduler") and code != -signal.SIGKILL:
                    # Its workers come and go with django-q2; a scheduler waits for whatever is away.
                    self.report.problems.append(f"{name} ended by itself, with {code}: {process.text()[-2000:]}")
                process.kill()  # what is left of its group
                finish(process)
                self._start(name)

    def _children(self) -> list[int]:
        found: list[int] = []
        for name, process in self.processes.items():
            if name.startswith("cluster") and process.is_running:
                found += _descendants(process.pid)
        return [pid for pid in found if is_alive(pid)]

    def _signal_child(self, number: int) -> bool:
        children = self._children()
        if not children:
            return False
        return self._send(self.random.choice(children), number)

    def _signal_main(self, kind: str, number: int) -> bool:
        names = [name for name, item in self.processes.items() if name.startswith(kind) and item.is_running]
        return bool(names) and self._send(self.processes[self.random.choice(names)].pid, number)

    def _kill_cluster(self) -> bool:
        name = self.random.choice(["cluster-1", "cluster-2"])
        self.processes[name].kill()
        return True

    def _send(self, pid: int, number: int) -> bool:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        if number == signal.SIGSTOP:
            self.stopped.append((time.monotonic() + self.random.uniform(0.2, 15), pid))
        return True

    def _continue_stopped(self, now: float) -> None:
        for at, pid in list(self.stopped):
            if at <= now:
                self.stopped.remove((at, pid))
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    continue

    # --- servers

    def _client(self) -> Any:
        import redis

        return redis.Redis(port=self.redis.port, socket_timeout=5)

    def _flush(self) -> bool:
        return bool(self._client().flushall())

    def _restart_redis(self) -> bool:
        self.redis.restart()
        return True

    def _restart_postgres(self) -> bool:
        connection.close()
        self.postgres.restart(self.random.choice(["immediate", "fast"]))
        return True

    def _key(self) -> str:
        return f"django_q:{QUEUE}:q"

    def _double(self) -> bool:
        client = self._client()
        messages = client.lrange(self._key(), 0, -1)
        if messages:
            client.rpush(self._key(), *messages[:50])
        return bool(messages)

    def _reorder(self) -> bool:
        client = self._client()
        messages = client.lrange(self._key(), 0, -1)
        self.random.shuffle(messages)
        if len(messages) > 1:
            pipe = client.pipeline()
            pipe.delete(self._key())
            pipe.rpush(self._key(), *messages)
            pipe.execute()
        return len(messages) > 1

    # --- the verdict

    def _judge(self, until: datetime) -> None:
        from django_scheduled_tasks.models import Execution, ScheduledTask

        for task in ScheduledTask.objects.order_by("name_key"):
            if task.paused_at is not None:
                self.report.problems.append(f"{task} was paused: {task.pause_reason}")
            rows = Execution.objects.filter(task=task, trigger="schedule")
            self._judge_occurrences(task, rows, until)
        for status, outcome in Execution.objects.values_list("status", "outcome"):
            self.report.outcomes[outcome or status] += 1
        for row in Execution.objects.filter(triggered_at__lte=until).open():
            self.report.problems.append(f"{row} of {row.task_name} is still {row.status}")
        self._judge_runs()
        self._judge_counts()

    def _judge_occurrences(self, task: Any, rows: Any, until: datetime) -> None:
        """Compare what the schedule says with what the ledger says."""
        expected, instant = set(), self.first_due[task.pk]
        end = self.handled.get(task.pk) or until
        while instant is not None and instant < end:
            expected.add(instant)
            instant = task.schedule.next_after(instant)
        self.report.occurrences += len(expected)
        found = Counter()
        counted = 0
        for scheduled_for, count in rows.values_list("scheduled_for", "occurrences"):
            found[scheduled_for] += 1
            counted += count
        for instant, count in found.items():
            if count > 1:
                self.report.problems.append(f"{task}: {count} rows for {instant}")
            if instant not in expected:
                self.report.problems.append(f"{task}: a row for {instant}, which is no occurrence")
        summaries = counted - len(found)
        lost = expected - set(found)
        if len(lost) > summaries:
            self.report.problems.append(f"{task}: {len(lost)} occurrences have no row, from {min(lost)}")

    def _judge_runs(self) -> None:
        """No execution ran to its end twice, unless its task allows that."""
        from django_scheduled_tasks.models import Execution

        # Before the traces are read: meanwhile the next ones succeed.
        succeeded = set(Execution.objects.filter(outcome="succeeded").values_list("pk", flat=True))
        ends = Counter(int(line.split()[1]) for line in self.trace.read_text().splitlines() if line.startswith("end "))
        twice = [number for number, count in ends.items() if count > 1]
        for row in Execution.objects.filter(pk__in=twice):
            if row.task_id not in self.retried:
                self.report.problems.append(f"{row} of {row.task_name} ran to its end {ends[row.pk]} times")
        known = set(Execution.objects.filter(pk__in=list(ends)).values_list("pk", flat=True))
        if unknown := set(ends) - known:
            self.report.problems.append(f"{len(unknown)} runs have no row: {sorted(unknown)[:5]}")
        for number in succeeded - set(ends):
            self.report.problems.append(f"Execution #{number} is said to have succeeded, but never ran to its end")

    def _judge_counts(self) -> None:
        """What the schedulers have counted is what the ledger says, for each task and each outcome."""
        from django_scheduled_tasks.lifecycle import Outcome
        from django_scheduled_tasks.models import Execution, Total
        from django_scheduled_tasks.services.scheduling.rollup import count_steps

        deadline = time.monotonic() + COUNTED_WITHIN
        while True:
            for _step in count_steps():
                pass
            ledger: Counter[Any] = Counter()
            for *key, many in Execution.objects.ended().values_list("task_name", "function", "outcome", "occurrences"):
                ledger[tuple(key)] += many
            counts = {
                (row.task_name, row.function, str(outcome)): row.of(outcome)
                for row in Total.objects.all()
                for outcome in Outcome
                if row.of(outcome)
            }
            if counts == ledger:
                return
            if time.monotonic() > deadline:  # until then something may have ended in between
                break
            time.sleep(0.2)
        for key in sorted(counts.keys() | ledger.keys()):
            if counts.get(key, 0) != ledger[key]:
                self.report.problems.append(f"{key}: {ledger[key]} ended, {counts.get(key, 0)} were counted")


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    except OSError:
        return found
    return found


def _insist(act: Callable[[], Any]) -> Any:
    """Call *act* until the database is back."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return act()
        except (DatabaseError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
