"""The processes of a project: two schedulers and two clusters, each of the release that it was started with."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django_scheduled_tasks.models import Presence, PresenceKind
from tests.chaos.deploys.source import Source
from tests.cluster import QUICKLY, ROOT, Cluster, TestProcess, finish, start, wait_until

SLOTS = ("scheduler-1", "scheduler-2", "workers-1", "workers-2")
START_WITHIN, STOP_WITHIN = 60.0, 10.0
SEEN_WITHIN = timedelta(seconds=2)
"""A worker says that it is there within this time."""


def now() -> datetime:
    """Return this machine's instant, which is the database's."""
    return datetime.now(UTC)


@dataclass
class Life:
    """One process, from when it was seen until it was told to stop or killed."""

    slot: str
    source: Source
    process: TestProcess
    since: datetime | None = None
    until: datetime | None = None
    was_killed: bool = False

    def is_there(self, moment: datetime) -> bool:
        """Whether it was certainly there, and had said so, at *moment*."""
        return self.overlaps(moment, moment)

    def overlaps(self, first: datetime, last: datetime) -> bool:
        """Whether it was certainly there at some moment between these two."""
        since, until = self.since, self.until or last
        return since is not None and since <= last and max(since, first) <= until


@dataclass
class Fleet:
    """All processes, those that have ended too.

    Args:
        folder: Where the releases are written, and the trace.
        queue: Of the broker.
        broken_rule: Of :data:`tests.chaos.deploys.tempo.BROKEN_RULES`.
    """

    folder: Path
    queue: str
    broken_rule: str = ""
    lives: list[Life] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)
    """The process ids of workers that had no time to end what they ran."""
    _running: dict[str, Life] = field(default_factory=dict)
    _stopping: list[tuple[float, Life]] = field(default_factory=list)
    _written: dict[int, Path] = field(default_factory=dict)

    @property
    def trace(self) -> Path:
        """What the functions have left."""
        return self.folder / "trace"

    def running(self, kind: str = "") -> list[Life]:
        """Return the processes that run, of all slots or of those whose name begins with *kind*."""
        return [life for slot, life in self._running.items() if slot.startswith(kind)]

    def start(self, slot: str, source: Source) -> Life:
        """Start the process of *slot* in this release, beside that which runs there; see :meth:`wait`."""
        if slot.startswith("scheduler"):
            process = self._command(TestProcess, source, "runscheduler")
        else:
            process = self._command(Cluster, source, "qcluster")
        life = Life(slot, source, process)
        self.lives.append(life)
        before = self._running.get(slot)
        self._running[slot] = life
        if before is not None:
            self._running[f"{slot} before"] = before
        return life

    def wait(self, life: Life) -> None:
        """Wait until the process is there."""
        wait_until(lambda: self._is_ready(life), timeout=START_WITHIN, what=f"{life.slot} is ready")
        assert life.process.is_running, life.process.text()
        life.since = now() + (timedelta(0) if life.slot.startswith("scheduler") else SEEN_WITHIN)

    def stop(self, slot: str) -> None:
        """Ask the process that was in *slot* before, or the one that is, to stop; do not wait for that."""
        life = self._take(slot)
        life.until = now()
        life.process.popen.terminate()
        self._stopping.append((time.monotonic() + STOP_WITHIN, life))

    def kill(self, slot: str) -> None:
        """Kill it, and all that it started."""
        life = self._take(slot)
        life.until, life.was_killed = now(), True
        self._kill(life)
        finish(life.process)

    def kill_worker(self, slot: str) -> None:
        """Kill a worker process; its cluster starts another one."""
        process = self._running[slot].process
        assert isinstance(process, Cluster)
        for pid in process.alive_worker_pids()[-1:]:
            self.killed.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def migrate(self, source: Source) -> None:
        """Run ``migrate`` as the image of this release does."""
        process = self._command(TestProcess, source, "migrate", "--verbosity=0")
        code = process.popen.wait(START_WITHIN)
        text = process.text()
        finish(process)
        assert code == 0, text

    def reap(self, *, wait: bool = False) -> None:
        """Forget processes that have stopped; kill those that do not."""
        for deadline, life in list(self._stopping):
            while wait and life.process.is_running and time.monotonic() < deadline:
                time.sleep(0.02)
            if life.process.is_running and time.monotonic() < deadline:
                continue
            if life.process.is_running:
                self._kill(life)
            self._stopping.remove((deadline, life))
            finish(life.process)

    def ended_by_itself(self) -> Iterator[Life]:
        """Yield the processes that run no longer although nobody has stopped them."""
        yield from (life for life in self._running.values() if not life.process.is_running)

    def end(self) -> None:
        """Kill all."""
        for life in [*self._running.values(), *(life for _deadline, life in self._stopping)]:
            life.process.kill()
            finish(life.process)
        self._running.clear()
        self._stopping.clear()

    def _take(self, slot: str) -> Life:
        return self._running.pop(f"{slot} before" if f"{slot} before" in self._running else slot)

    def _kill(self, life: Life) -> None:
        if isinstance(life.process, Cluster):
            self.killed |= set(life.process.worker_pids())
        life.process.kill()

    def _is_ready(self, life: Life) -> bool:
        if not life.process.is_running:
            return True
        if isinstance(life.process, Cluster):
            return bool(life.process.worker_pids())
        return Presence.objects.filter(kind=PresenceKind.SCHEDULER, pid=life.process.pid).exists()

    def _command(self, kind: type[TestProcess], source: Source, *command: str) -> TestProcess:
        if source.number not in self._written:
            self._written[source.number] = source.write(self.folder)
        environment = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self._written[source.number])]),
            "DEPLOYS_RELEASE": source.name,
            "DEPLOYS_TRACE": str(self.trace),
            "DEPLOYS_BROKEN_RULE": self.broken_rule,
        }
        started: TestProcess = start(
            kind,
            command[0],
            QUICKLY,
            *command[1:],
            queue=self.queue,
            module="tests.chaos.deploys.settings",
            environment=environment,
        )
        return started
