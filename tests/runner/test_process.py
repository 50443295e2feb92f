"""What a process is and what runs in it: threads, contexts and children of functions."""

from __future__ import annotations

import contextvars
import os
import signal
import sys
import threading
from datetime import timedelta

import pytest

from django_scheduled_tasks import context
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_task
from tests.runner.attempts import attempt_of

pytestmark = pytest.mark.django_db(transaction=True)


def end_in(seconds: int) -> None:
    """Let this child process end if it waits for ever."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)


def exit_code_of_child(act) -> int:
    """Return how a forked child ends that calls *act*; 0 if nothing was raised."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    end_in(20)
    try:
        act()
    except BaseException as error:
        print(repr(error), file=sys.__stderr__, flush=True)
        os._exit(1)
    os._exit(0)


@pytest.mark.parametrize("in_worker", [False, True])
def test_a_child_of_a_function_knows_the_execution_and_records_nothing(engine, in_worker, request):
    if in_worker:
        request.getfixturevalue("heartbeat_is_here")
    execution = run_once(make_task(function="testapp.report_from_child")).execution
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    on_record = "" if in_worker else "the parent's"  # in a worker the heartbeat writes it, which does nothing here
    assert (execution.outcome, execution.result) == (Outcome.SUCCEEDED, [f"{execution.pk} False", on_record])
    assert (execution.progress_current, execution.progress_message) == (1, "the parent's")
    assert not execution.logs.exists()


def test_a_child_begins_anew(heartbeat_is_here, monkeypatch):
    monkeypatch.setattr(process, "take_waiting", lambda _seconds: [])
    monkeypatch.setattr(process.watchdog, "_due_at", 1e9)

    def check() -> None:
        assert (process.attempts, process.batches) == ((), ())
        assert not process.is_worker
        assert process.take_waiting is None
        assert attempt.is_inherited
        assert not process.watchdog._is_usable, "it would wait for its parent's thread"

    attempt = attempt_of()
    with process.working_off(["a", "b"]), process.running(attempt):
        assert exit_code_of_child(check) == 0
        assert process.attempts == (attempt,)
        assert process.is_worker
        assert not attempt.is_inherited


def test_a_child_does_not_wait_for_what_another_thread_of_its_parent_held():
    attempt = attempt_of()
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with process._lock, process.hooks._lock, attempt.log._lock, attempt.progress._lock:
            held.set()
            over.wait(60)

    def use() -> None:
        print("not kept")
        context.progress(1, 2, "not kept")
        with process.running(attempt_in_child):
            print("kept by nobody")

    attempt_in_child = attempt_of()
    with process.running(attempt):
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(10)
        try:
            assert exit_code_of_child(use) == 0
        finally:
            over.set()
            thread.join(10)


def test_what_a_function_leaves_running_no_longer_belongs_to_it():
    attempt, seen = attempt_of(), []
    with process.running(attempt):
        kept = contextvars.copy_context()
        assert process.current() is attempt
    with process.running(attempt_of()):
        kept.run(lambda: seen.append(process.current()))
    assert seen == [None]
    assert process.current() is None


def test_a_thread_of_a_function_belongs_to_it_only_if_nothing_else_runs():
    seen: list[object] = []

    def look() -> None:
        thread = threading.Thread(target=lambda: seen.append(process.current()))
        thread.start()
        thread.join(10)

    first, second = attempt_of(), attempt_of(timeout=timedelta(seconds=5))
    with process.running(first):
        look()
        with process.running(second):
            look()
    look()
    assert seen == [first, None, None]
