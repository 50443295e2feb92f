"""Rolls one release after another over a project under load, with crashes in between, and has the ledger read.

``python -m tests.chaos.deploys --seed 7 --deploys 200``: on a PostgreSQL and a Redis of its own run two schedulers and
two clusters, with a dozen tasks that are due each second or so and start others. Each deploy adds, renames, moves,
changes or removes tasks, functions and parameters, and replaces one process after another. Meanwhile processes are
killed, old ones come back, the old image migrates again, a release is rolled back. Two minutes of a deploy pass in
three seconds (:mod:`tests.chaos.deploys.tempo`).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction

from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.tasks.edit import create_task
from tests.chaos.deploys import audit
from tests.chaos.deploys.fleet import SLOTS, Fleet
from tests.chaos.deploys.source import FIRST_TOOL, TOOLS, Source, changed, first_source
from tests.chaos.deploys.verdict import Report, Verdict

SETTLE_WITHIN = 40.0
"""Seconds that the last release gets to have its way."""
STANDSTILL = 15.0
"""Seconds without any end until what is open is given up."""
BACKLOG, BACKLOG_WITHIN = 40, 60.0
"""How many executions may wait when a deploy begins, on a machine that is too busy, and how long it waits for that."""
RESTS = (0.0, 0.0, 0.5, 1.0, 2.0, 6.0)
"""Seconds until the next deploy: often releases of the one before are not forgotten by then, sometimes they are."""
ROLLED_BACK, ODDITY = 0.12, 0.45
"""How often a deploy goes back in its middle, and how often something else happens after a step."""


class Deploys:
    """One run.

    Args:
        folder: An empty one, for the releases.
        queue: Of the broker.
        seed: The same seed makes the same releases and the same crashes, in the same order.
        broken_rule: A rule that all processes break, to see that the verdict finds it.
        say: Called with progress.
    """

    def __init__(
        self, folder: Path, queue: str, *, seed: int, broken_rule: str = "", say: Callable[[str], None] = print
    ) -> None:
        self.random = random.Random(seed)
        self.fleet = Fleet(folder, queue, broken_rule)
        self.fleet.trace.touch()
        self.source = first_source(self.random)
        self.sources = {self.source.name: self.source}
        self.events: Counter[str] = Counter()
        self._say = say
        self._number = 1

    def run(self, deploys: int, *, minutes: float = float("inf")) -> Report:
        """Make *deploys* deploys, or as many as *minutes* allow, let all settle, and read the ledger."""
        deadline = time.monotonic() + 60 * minutes
        audit.install()
        try:
            self._begin()
            for number in range(1, deploys + 1):
                if time.monotonic() > deadline:
                    break
                self._wait(lambda: Execution.objects.filter(status="pending").count() < BACKLOG, BACKLOG_WITHIN)
                began = time.monotonic()
                about = self._deploy()
                self._say(f"{number:4}/{deploys} {time.monotonic() - began:4.1f} s  {about}")
            began = time.monotonic()
            self._settle()
            report = self._verdict().report()
            self._say(f"settled and read in {time.monotonic() - began:.1f} s")
            return report
        finally:
            self.fleet.end()
            audit.remove()

    # --- the deploys

    def _begin(self) -> None:
        self.fleet.migrate(self.source)
        self._make_tasks_by_hand()
        for life in [self.fleet.start(slot, self.source) for slot in SLOTS]:
            self.fleet.wait(life)

    def _make_tasks_by_hand(self) -> None:
        """Make a task for each tool, as in the admin; this process does not know their functions."""
        for line in range(FIRST_TOOL, FIRST_TOOL + TOOLS):
            path = next(item.path for item in self.source.items if item.line == line)
            with transaction.atomic():
                task = create_task(
                    name=f"by hand {line}",
                    function="testapp.noop",
                    schedule_kind="cron",
                    expression="*/2 * * * * *",
                    overlap="allow",
                    catch_up="all",
                )
                ScheduledTask.objects.filter(pk=task.pk).update(function=path, params={"line": line})
                audit.rewrite(task.pk, function=path, params={"line": line})

    def _deploy(self) -> str:
        """Replace one process after another; return what was done."""
        old, self._number = self.source, self._number + 1
        new = changed(old, self._number, self.random)
        self.sources[new.name] = new
        told: list[str] = [f"{old.name} → {new.name}: {', '.join(new.changes)}"]
        if self.random.random() < 0.75:
            self.fleet.migrate(new)
            told.append("migrate")
        order = self.random.sample(SLOTS, len(SLOTS))
        back_after = self.random.randint(1, 3) if self.random.random() < ROLLED_BACK else None
        for number, slot in enumerate(order):
            if number == back_after:
                self.events["roll back"] += 1
                told.append("roll back")
                for one in order[:number]:
                    self._replace(one, old)
                self.source = old
                break
            self._replace(slot, new)
            if self.random.random() < ODDITY:
                told.append(self._oddity(old, new, order[: number + 1]))
            self.fleet.reap()
        else:
            self.source = new
        for life in self.fleet.running():  # what has come back is replaced for good
            if life.source is not self.source:
                self._replace(life.slot, self.source)
        time.sleep(self.random.choice(RESTS))
        self.events["deploy"] += 1
        return "; ".join(told)

    def _replace(self, slot: str, source: Source) -> None:
        """Put a process of *source* in the place of the one in *slot*, in one of the ways of deploying."""
        way = self.random.choice(["surge", "surge", "recreate", "kill"])
        if way == "recreate":
            self.fleet.stop(slot)
        elif way == "kill":
            self.fleet.kill(slot)
            self.events[f"kill -9 {slot.partition('-')[0]}"] += 1
        self.fleet.wait(self.fleet.start(slot, source))
        if way == "surge":
            self.fleet.stop(slot)

    def _oddity(self, old: Source, new: Source, done: list[str]) -> str:
        """Let something go wrong in the middle of a roll; return what."""
        what = self.random.choice(
            ["kill scheduler", "kill worker", "kill cluster", "old one comes back", "old image migrates"]
        )
        if what == "kill worker":
            self.fleet.kill_worker(self.random.choice(self.fleet.running("workers")).slot)
        elif what == "old one comes back":
            slot = self.random.choice(done)
            self.fleet.stop(slot)
            self.fleet.wait(self.fleet.start(slot, old))
        elif what == "old image migrates":
            self.fleet.migrate(old)
        else:
            life = self.random.choice(self.fleet.running("scheduler" if what == "kill scheduler" else "workers"))
            self.fleet.kill(life.slot)
            self.fleet.wait(self.fleet.start(life.slot, life.source))
        self.events[what] += 1
        return what

    # --- the end

    def _settle(self) -> None:
        """Wait until the last release has had its way and all has ended that was due."""
        self.fleet.reap(wait=True)
        self._wait(lambda: not self._verdict().unsettled(self.source), SETTLE_WITHIN)
        self.stopped = self._end_schedules()
        self._wait_for_ends()

    @staticmethod
    def _wait_for_ends() -> None:
        before, since = -1, time.monotonic()
        while (left := Execution.objects.open().count()) and time.monotonic() - since < STANDSTILL:
            if left != before:
                before, since = left, time.monotonic()
            time.sleep(0.2)

    def _end_schedules(self) -> dict[Any, ScheduledTask]:
        """Let no further occurrence become due; return the tasks as they were."""
        with transaction.atomic():
            tasks = {task.pk: task for task in ScheduledTask.objects.select_for_update()}
            ScheduledTask.objects.update(next_run_at=None)
        return tasks

    def _verdict(self) -> Verdict:
        return Verdict(self.fleet, self.sources, self.source, self.events, getattr(self, "stopped", {}))

    @staticmethod
    def _wait(condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.2)
