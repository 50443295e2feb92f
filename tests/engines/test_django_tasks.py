"""The engine for Django's Tasks framework, with the real worker of django-tasks-db."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution, Presence, PresenceKind
from django_scheduled_tasks.services.running.cancel import cancel
from tests.cluster import ROOT, TestProcess, finish, is_alive, start, wait_for_end, wait_for_status, wait_until
from tests.factories import make_task

pytest.importorskip("django_tasks_db")
pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]
MODULE = "tests.engines.django_tasks_settings"


def manage(*command: str) -> str:
    """Run a command of the project that has this engine, on the test's database."""
    process = start(TestProcess, *command, queue="unused", module=MODULE)
    try:
        assert process.popen.wait(60) == 0, process.text()
        return process.text()
    finally:
        finish(process)


def run_once(name: str) -> Execution:
    """Start a task from a process of that project."""
    text = manage(
        "shell", "--no-imports", "-c", f"from django_scheduled_tasks import task; print(task({name!r}).run_once())"
    )
    assert "errors=None" in text, text
    return Execution.objects.latest("pk")


@pytest.fixture(scope="module")
def tables(django_db_setup, django_db_blocker) -> None:
    """The tables of django-tasks-db are there; they stay, since its migrations cannot be undone."""
    with django_db_blocker.unblock():
        manage("migrate", "django_tasks_database", "--verbosity=0")


@pytest.fixture
def worker(tables) -> Iterator[TestProcess]:
    process = start(
        TestProcess,
        "db_worker",
        "--no-startup-delay",
        "--interval=0.1",
        "--queue-name=*",
        queue="unused",
        module=MODULE,
    )
    yield process
    finish(process)


def test_executions_run_in_a_worker_of_django_tasks_db(worker):
    make_task(name="add", function="testapp.add", params={"a": 1}, queue="slow")
    make_task(name="fail", function="testapp.fail")
    make_task(name="say", function="testapp.say")
    assert wait_for_end(run_once("add")).result == 3
    assert wait_for_end(run_once("fail")).error_message == "It broke."
    said = wait_for_end(run_once("say"))
    assert said.logs.get().message == "hello"
    assert said.worker_pid == worker.pid
    assert Presence.objects.filter(kind=PresenceKind.WORKER).exists()


def test_limits_and_cancel_work_there_as_well(worker):
    make_task(name="sleep", function="testapp.sleep", params={"seconds": 60}, timeout=timedelta(seconds=1))
    make_task(name="nap", function="testapp.sleep_with_progress")
    assert wait_for_end(run_once("sleep")).outcome == Outcome.TIMED_OUT
    nap = wait_for_status(run_once("nap"), "processing")
    cancel(nap.tracking_id)
    assert wait_for_end(nap).outcome == Outcome.CANCELLED
    assert worker.is_running


@pytest.mark.slow
def test_a_function_that_does_not_yield_takes_the_worker_with_it(worker):
    make_task(name="deaf", function="testapp.sleep_and_swallow", timeout=timedelta(seconds=1))
    assert wait_for_end(run_once("deaf")).outcome == Outcome.TIMED_OUT
    wait_until(lambda: not is_alive(worker.pid), timeout=3, what="the worker is gone")


def test_a_queue_that_the_backend_does_not_have_is_said_and_the_row_is_kept(tables):
    make_task(name="lost", function="testapp.noop", queue="nowhere")
    text = manage("shell", "--no-imports", "-c", "from django_scheduled_tasks import task; task('lost').run_once()")
    assert "Queue 'nowhere' is not valid for backend" in text
    assert Execution.objects.get().is_open


def test_without_the_package_the_setting_is_refused_with_a_hint():
    code = (
        "import sys; sys.modules['django_tasks'] = None\n"
        "import django; django.VERSION = (5, 2, 0, 'final', 0)\n"
        "django.setup()\n"
        "import django_scheduled_tasks.engines.django_tasks"
    )
    surroundings = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=False)
    assert "needs the package django-tasks" in found.stderr
    assert found.returncode == 1


@pytest.mark.parametrize(("name", "elsewhere"), [("DatabaseBackend", False), ("RQBackend", True)])
def test_a_backend_that_does_not_answer_is_not_waited_for_unless_it_is_the_database(name, elsewhere):
    code = (
        "import time, django\n"
        "django.setup()\n"
        "from uuid import uuid4\n"
        "from django_scheduled_tasks.engines import Submission, django_tasks as module\n"
        "from django_scheduled_tasks.exceptions import EngineUnavailable\n"
        f"backend = type({name!r}, (), {{'queues': set(), '__module__': 'elsewhere'}})()\n"
        "module._framework.task_backends = {module.ALIAS: backend}\n"
        "module.run_execution = type('Job', (), {'enqueue': lambda *_: time.sleep(4)})()\n"
        "engine, began = module.DjangoTasksEngine(), time.monotonic()\n"
        "try:\n"
        "    engine.submit([Submission(uuid4())])\n"
        "except EngineUnavailable as exc:\n"
        "    print(exc)\n"
        "print(engine.waits_for_server, time.monotonic() - began < 3.8)\n"
    )
    surroundings = os.environ | {"DJANGO_SETTINGS_MODULE": MODULE, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines()[-1:] == [f"{elsewhere} {elsewhere}"], found.stderr
    assert ("no answer within 2 s" in found.stdout) == elsewhere
