"""Supervising the cluster: whatever happens to it, it is started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from django_scheduled_tasks.scheduler import supervisor as module
from django_scheduled_tasks.scheduler.supervisor import ClusterSupervisor
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import QUICKLY, TestProcess, directed, finish, scheduler, start, wait_for_status, wait_until
from tests.database import connection
from tests.factories import make_task

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


def test_a_cluster_does_not_repeat_the_checks_of_its_scheduler(monkeypatch):
    commands = []
    monkeypatch.setattr(module.subprocess, "Popen", lambda command, **_options: commands.append(command))
    module._start()
    assert commands[0][-2:] == ["qcluster", "--skip-checks"]


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


def test_a_cluster_that_does_not_stop_within_the_setting_is_killed(monkeypatch, settings, caplog):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"STOP_TIMEOUT": timedelta(seconds=1)}
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    monkeypatch.setattr(module, "_start", lambda: process)
    supervisor = ClusterSupervisor()
    supervisor.start()
    process.stdout.readline()
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 10
    assert process.wait(5) == -signal.SIGKILL
    assert "did not stop within 1 s" in caplog.text
    process.stdout.close()


@pytest.mark.cluster
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_that_runs_with_the_scheduler_stops_it_in_order(number):
    """A terminal's Ctrl-C and some supervisors signal the whole group: django-q2's own processes must not get it."""
    with directed(), scheduler("--with-cluster") as process:
        execution = run_once(make_task(function="testapp.sleep", params={"seconds": 3})).execution
        wait_for_status(execution, "processing", timeout=60)
        began = time.monotonic()
        process.kill(number)
        assert process.popen.wait(30) == 0, process.text()
        assert time.monotonic() - began < 20
        assert "is killed" not in process.text()
        execution.refresh_from_db()
        assert execution.outcome == "succeeded"


@pytest.mark.cluster
@pytest.mark.django_db(transaction=True)
def test_without_tables_the_scheduler_says_what_to_do(monkeypatch, tmp_path):
    if connection.vendor != "sqlite":
        pytest.skip("an empty database is made quickly on SQLite")
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "empty.sqlite3"))
    for arguments in (["--once"], []):
        process = start(TestProcess, "runscheduler", QUICKLY, *arguments, queue="none")
        try:
            wait_until(
                lambda p=process: "are missing: run manage.py migrate" in p.text(), what="it says so", timeout=60
            )
            if arguments:
                assert process.popen.wait(20) == 1
                assert "Traceback" not in process.text()
            assert "does not answer" not in process.text()
        finally:
            finish(process)
