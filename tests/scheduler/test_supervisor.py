"""Supervising the cluster: whatever happens to it, it is started again."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from django_scheduled_tasks.scheduler import supervisor as module
from django_scheduled_tasks.scheduler.supervisor import ClusterSupervisor

pytestmark = pytest.mark.every_broker


def test_a_cluster_that_cannot_be_started_at_the_moment_is_started_later(monkeypatch, caplog):
    troubles, started = [OSError("no memory"), OSError("no process")], []

    def start():
        if troubles:
            raise troubles.pop()
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True))
        return started[-1]

    monkeypatch.setattr(module, "_start", start)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    supervisor = ClusterSupervisor()
    supervisor.start()
    try:
        deadline = time.monotonic() + 20
        while not started:
            assert time.monotonic() < deadline, caplog.text
            time.sleep(0.02)
        assert caplog.text.count("could not be started") == 2
    finally:
        supervisor.kill()
        supervisor.stop()
    assert started[0].wait(5) != 0


@pytest.mark.parametrize("code", [0, 3])
def test_a_cluster_that_ends_is_started_again(monkeypatch, caplog, code):
    started = []

    def start():
        started.append(subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"], start_new_session=True))
        return started[-1]

    monkeypatch.setattr(module, "_start", start)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    supervisor = ClusterSupervisor()
    supervisor.start()
    try:
        deadline = time.monotonic() + 20
        while len(started) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        supervisor.stop()
    assert f"ended with exit code {code}" in caplog.text
