"""Real workers and schedulers for tests: they run as processes, on the test's database and the profile's broker.

    @pytest.mark.cluster
    @pytest.mark.django_db(transaction=True)
    def test_it_runs():
        with cluster(workers=2, settings={"LEASE": 3}) as workers, scheduler():
            execution = run_once(make_task(function="testapp.sleep")).execution
            wait_until(lambda: ended(execution), what="the execution ends")

Leave the ``with`` block before the test ends: the tables are emptied then, and must not be in use.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from django.conf import settings as django_settings
from django.test import override_settings
from django_q.brokers import get_broker
from django_q.conf import Conf

from django_scheduled_tasks.engines import base
from django_scheduled_tasks.models import Execution, Presence, PresenceKind
from tests import forkserver
from tests.database import connection
from tests.forkserver import ForkedProcess

ROOT = Path(__file__).resolve().parent.parent
ENGINE = "django_scheduled_tasks.engines.django_q.DjangoQEngine"
START_WITHIN = 90.0
"""Seconds; the machine may be busy."""
SHARED_LEASE = 2.0
"""Seconds, in the cluster that tests of a module share."""
QUICKLY = "--skip-checks"
"""Saves each process a third of its start; tests of the commands themselves run the checks."""
STOP_WITHIN = 5.0
"""Seconds that a process gets to stop by itself before it is killed."""
Value = TypeVar("Value")
_names: list[str] = []
_processes: list[TestProcess] = []


@dataclass
class TestProcess:
    """A process that a test has started, and all that it started in turn."""

    __test__ = False  # not a test class, whatever its name looks like
    popen: subprocess.Popen[bytes] | ForkedProcess
    output: Path

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group as well."""
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def text(self) -> str:
        """What it wrote so far, to both of its outputs."""
        return self.output.read_text(errors="replace")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to it and to all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, within: float = STOP_WITHIN) -> int:
        """Ask it to stop, kill what is left of its group, and return its exit status."""
        if self.is_running:
            self.popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(within)
        self.kill()
        return self.popen.wait(10)


class Cluster(TestProcess):
    """A running ``qcluster``."""

    def worker_pids(self) -> list[int]:
        """The process ids of all workers that it has ever had, oldest first."""
        return [int(pid) for pid in re.findall(r"ready for work at (\d+)", self.text())]

    def alive_worker_pids(self) -> list[int]:
        """The process ids of the workers that are alive now."""
        return [pid for pid in self.worker_pids() if is_alive(pid)]


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], Value], *, timeout: float = 20.0, what: str = "it happens") -> Value:
    """Call *condition* until it is true, and return what it returned.

    Raises:
        AssertionError: Not within *timeout* seconds; with what the processes wrote last.
    """
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            written = "\n".join(f"--- {item.output.name}\n{item.text()[-4000:]}" for item in _processes)
            raise AssertionError(f"Not within {timeout} s: {what}. Last was {value!r}.\n{written}")
        time.sleep(0.02)


def ended(execution: Execution) -> bool:
    """Read *execution* again, and return whether it has ended."""
    execution.refresh_from_db()
    return not execution.is_open


def wait_for_end(execution: Execution, *, timeout: float = 20.0) -> Execution:
    """Wait until *execution* has ended, and return it."""
    wait_until(lambda: ended(execution), timeout=timeout, what=f"execution {execution.pk} ends")
    return execution


def wait_for_status(execution: Execution, status: str, *, timeout: float = 20.0) -> Execution:
    """Wait until *execution* has *status*, and return it."""

    def reached() -> bool:
        execution.refresh_from_db()
        return execution.status == status

    wait_until(reached, timeout=timeout, what=f"execution {execution.pk} is {status}")
    return execution


@contextmanager
def cluster(
    *,
    workers: int = 2,
    name: str = "",
    settings: Mapping[str, Any] | None = None,
    q_cluster: Mapping[str, Any] | None = None,
    module: str = "tests.cluster_settings",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Run ``qcluster`` within the block; executions recorded in the block go to it.

    Args:
        workers: How many worker processes.
        name: The cluster's name, which is that of its queue; default: that of the enclosing block, else a new one.
        settings: Changes to ``SCHEDULED_TASKS``, here and there; durations in seconds.
        q_cluster: Changes to ``Q_CLUSTER``, there only.
        module: Its settings module.
        environment: Further variables.
    """
    with directed(name, settings) as queue:
        changes = {"SCHEDULED_TASKS": dict(settings or {}), "Q_CLUSTER": {"workers": workers, **(q_cluster or {})}}
        process = start(
            Cluster, "qcluster", QUICKLY, queue=queue, overrides=changes, module=module, environment=environment
        )
        try:
            wait_until(
                lambda: len(process.worker_pids()) >= workers or not process.is_running,
                timeout=START_WITHIN,
                what="the workers are ready",
            )
            assert process.is_running, process.text()
            yield process
        finally:
            finish(process)


@contextmanager
def scheduler(
    *arguments: str,
    settings: Mapping[str, Any] | None = None,
    q_cluster: Mapping[str, Any] | None = None,
    module: str = "tests.cluster_settings",
    environment: Mapping[str, str] | None = None,
) -> Iterator[TestProcess]:
    """Run ``runscheduler`` within the block; inside a :func:`cluster` block it sends to that one.

    Args:
        arguments: Further arguments of the command.
        settings: Changes to ``SCHEDULED_TASKS``, here and there; durations in seconds.
        q_cluster: Changes to ``Q_CLUSTER``, there only.
        module: Its settings module.
        environment: Further variables.
    """
    with directed("", settings) as queue:
        process = start(
            TestProcess,
            "runscheduler",
            QUICKLY,
            *arguments,
            queue=queue,
            overrides={"SCHEDULED_TASKS": _given[-1], "Q_CLUSTER": dict(q_cluster or {})},
            module=module,
            environment=environment,
        )
        try:
            wait_until(lambda: _is_seen(process) or not process.is_running, timeout=START_WITHIN, what="it is seen")
            assert process.is_running, process.text()
            yield process
        finally:
            finish(process)


def _is_seen(process: TestProcess) -> bool:
    return Presence.objects.filter(kind=PresenceKind.SCHEDULER, pid=process.pid).exists()


_given: list[dict[str, Any]] = [{}]


@contextmanager
def directed(name: str = "", settings: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Let this process send to the django-q2 cluster called *name*, and yield that name; nothing is started."""
    name = name or (_names[-1] if _names else f"test-{uuid4().hex[:8]}")
    given = _given[-1] | dict(settings or {})
    before = Conf.CLUSTER_NAME, Conf.PREFIX
    Conf.CLUSTER_NAME = Conf.PREFIX = name  # the latter is the salt with which messages are signed
    engine = base._engines.pop(ENGINE, None)  # it keeps connections to the broker's old queue
    durations = {
        key: timedelta(seconds=value) if isinstance(value, (int, float)) and key in _durations() else value
        for key, value in given.items()
    }
    _names.append(name)
    _given.append(given)
    try:
        with override_settings(SCHEDULED_TASKS=django_settings.SCHEDULED_TASKS | durations | {"ENGINE": ENGINE}):
            yield name
    finally:
        _names.pop()
        _given.pop()
        Conf.CLUSTER_NAME, Conf.PREFIX = before
        base._engines.pop(ENGINE, None)
        if engine is not None:
            base._engines[ENGINE] = engine
        if name not in _names:
            get_broker(name).delete_queue()


def _durations() -> set[str]:
    from dataclasses import fields

    from django_scheduled_tasks.conf import ScheduledTasksSettings

    return {field.name for field in fields(ScheduledTasksSettings) if isinstance(field.default, timedelta)}


def start(
    kind: type[Any],
    *command: str,
    queue: str,
    overrides: Mapping[str, Any] | None = None,
    module: str = "tests.cluster_settings",
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Start ``manage.py`` with *command* on the test's database, as the leader of a process group of its own."""
    handle, path = tempfile.mkstemp(prefix=f"{command[0]}-", suffix=".log")
    surroundings = os.environ | {
        "DJANGO_SETTINGS_MODULE": module,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONUNBUFFERED": "1",
        "SCHEDULED_TASKS_TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "SCHEDULED_TASKS_TEST_CLUSTER": queue,
        "SCHEDULED_TASKS_TEST_ENGINE": ENGINE,
        "SCHEDULED_TASKS_TEST_OVERRIDES": json.dumps(overrides or {}),
        **(environment or {}),
    }
    with os.fdopen(handle, "wb") as output:
        # One that starts a cluster of its own has to be started as people start it.
        if forkserver.IS_USED and "--with-cluster" not in command:
            popen = forkserver.start(command, environment=surroundings, output=Path(path))
        else:
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "django", *command],
                cwd=ROOT,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    process = kind(popen, Path(path))
    _processes.append(process)
    return process


def finish(process: TestProcess) -> None:
    """Stop *process* and all that it started, and forget it."""
    try:
        process.stop()
    finally:
        _processes.remove(process)
        process.output.unlink()
