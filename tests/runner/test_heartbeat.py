"""What the heartbeat does, beat by beat."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, Presence, read_now
from django_scheduled_tasks.runner import heartbeat, timeout, worker
from django_scheduled_tasks.runner.attempt import Running, WorkerProcess, entered
from django_scheduled_tasks.runner.capture.buffer import Capture
from django_scheduled_tasks.runner.heartbeat import Heart, end_process, stop_in_time, tend
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.running.claim import claim
from django_scheduled_tasks.store.executions import load
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def exits(monkeypatch, heartbeat_is_here):
    """What would end this process is only noted."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    return statuses


def running_of(**values) -> Running:
    execution = load(str(make_execution(make_task(**values)).tracking_id))
    assert claim(execution, now=execution.database_now)
    return Running(execution, loaded_at=execution.database_now)


def long_ago(running: Running, seconds: float = 100) -> Running:
    running.started -= seconds
    running.looked -= seconds
    running.renewed -= seconds
    return running


def test_a_run_that_has_just_begun_costs_no_statement():
    running = running_of()
    with CaptureQueriesContext(connection) as queries:
        tend(running)
    assert len(queries) == 0


def test_a_long_run_renews_its_lease_and_looks_once():
    running = long_ago(running_of())
    Execution.objects.update(lease_until=read_now())
    with CaptureQueriesContext(connection) as queries:
        tend(running)
        tend(running)
    assert len(queries) == 2
    assert Execution.objects.get().lease_until > read_now() + timedelta(seconds=50)


def test_a_lease_is_never_renewed_past_the_time_limit():
    running = running_of(timeout=timedelta(seconds=30))
    running.renewed -= 100
    tend(running)
    execution = Execution.objects.get()
    assert execution.lease_until - execution.started_at == timedelta(seconds=35)


def test_one_that_lost_its_execution_is_told_and_left_alone():
    running = long_ago(running_of())
    Execution.objects.update(attempt=2)
    tend(running)
    assert running.lost
    assert running.should_stop
    with CaptureQueriesContext(connection) as queries:
        tend(running)
    assert len(queries) == 0


def test_progress_is_written_at_most_twice_a_second(heartbeat_is_here):
    running = running_of()
    with CaptureQueriesContext(connection) as queries:
        for number in range(100):
            running.progress(number, 100, "x" * 1000)
            tend(running)
    assert len(queries) == 1
    execution = Execution.objects.get()
    assert (execution.progress_current, len(execution.progress_message)) == (0, 500)
    assert running.last_progress()["progress_current"] == 99


def test_lines_are_written_at_most_once_a_second():
    running = running_of()
    capture = running.capture = Capture(running, level=20, used=logs.Used())
    capture.write("stdout", "one\n")
    tend(running)
    assert not running.execution.logs.exists()
    capture._flushed -= 1
    tend(running)
    assert running.execution.logs.get().message == "one"


def test_a_database_that_is_away_is_said_once_and_waited_for(monkeypatch, caplog):
    heart = Heart("reports")
    answers = iter([OperationalError("gone"), OperationalError("gone"), RuntimeError("a bug"), None])

    def seen(*_args, **_options):
        if error := next(answers):
            raise error

    monkeypatch.setattr(heartbeat.presence, "seen", seen)
    for _ in range(4):
        heart.beat()
    texts = [record.getMessage() for record in caplog.records]
    assert texts == [
        "The heartbeat does not reach the database, and tries again: gone",
        "The heartbeat failed, and goes on",
        "The heartbeat reaches the database again",
    ]


def test_a_host_writes_its_presence_once_whatever_the_number_of_its_processes():
    Heart("reports").beat()
    first = Presence.objects.get()
    assert (first.kind, first.queue) == ("worker", "reports")
    Heart("reports").beat()
    assert Presence.objects.get().last_seen_at == first.last_seen_at
    Presence.objects.update(last_seen_at=read_now() - timedelta(seconds=6))
    Heart("reports").beat()
    assert Presence.objects.get().last_seen_at >= first.last_seen_at


def test_the_thread_starts_once(monkeypatch):
    monkeypatch.setattr(WorkerProcess, "heartbeat", None)
    over, queues = threading.Event(), []

    def beat(queue: str) -> None:
        queues.append(queue)
        over.wait(10)

    monkeypatch.setattr(worker, "beat_for_ever", beat)
    worker.start("a")
    worker.start("b")
    thread = WorkerProcess.heartbeat
    over.set()
    thread.join(10)
    assert queues == ["a"]


# --- ending what does not yield -------------------------------------------------------------------------------------


def test_within_its_time_nothing_is_stopped(exits):
    running = running_of()
    running.limit_at = time.monotonic() + 60
    stop_in_time(running)
    assert exits == []
    assert not running.interrupted


def test_the_function_is_interrupted_once_by_force(exits, monkeypatch):
    sent = []
    monkeypatch.setattr(timeout, "interrupt", sent.append)
    running = running_of()
    running.cancel_requested, running.force_at = True, time.monotonic()
    stop_in_time(running)
    stop_in_time(running)
    assert sent == [running]
    assert exits == []


@pytest.mark.parametrize("why", ["late", "cancelled"])
def test_a_process_that_does_not_yield_records_its_end_and_ends(exits, why):
    running = running_of(timeout=timedelta(seconds=1) if why == "late" else None)
    running.capture = Capture(running, level=20, used=logs.Used())
    running.capture.write("stdout", "the last words")
    running.progress(3, 4, "nearly")
    if why == "late":
        long_ago(running, 10)
        running.limit_at = running.started + 1
    else:
        running.cancel_requested, running.force_at = True, time.monotonic() - 10
    with entered(running):
        stop_in_time(running)
    assert exits == [1]
    execution = Execution.objects.get()
    assert execution.status == Status.ERRORS
    assert execution.outcome == (Outcome.TIMED_OUT if why == "late" else Outcome.CANCELLED)
    assert execution.error_message.endswith("It did not yield, so its worker was ended.")
    assert "test_a_process_that_does_not_yield" in execution.traceback
    assert execution.logs.get().message == "the last words"
    assert execution.progress_current == 3
    assert execution.attempts.get().outcome == execution.outcome


def test_a_process_in_which_others_run_as_well_goes_on(exits):
    first, second = running_of(), running_of()
    first.limit_at = time.monotonic() - 10
    with entered(first), entered(second):
        stop_in_time(first)
    assert exits == []


def test_a_function_that_ends_at_the_last_moment_keeps_its_end(exits):
    running = running_of()
    assert running.take_end()
    end_process(running)
    assert exits == []
    assert Execution.objects.get().status == Status.PROCESSING


def test_a_process_ends_even_if_that_cannot_be_recorded(exits, monkeypatch, caplog):
    running = running_of()
    running.limit_at = running.started

    def refuse(*_args, **_options):
        raise OperationalError("gone")

    monkeypatch.setattr(heartbeat.finish, "fail", refuse)
    end_process(running)
    assert exits == [1]
    assert "the scheduler will" in caplog.text


def test_a_function_in_another_thread_is_interrupted_there(exits):
    running = running_of()
    running.limit_at = time.monotonic() - 1
    ended: list[BaseException] = []

    def loop() -> None:
        try:
            while True:
                pass
        except BaseException as error:
            ended.append(error)

    running.thread = threading.Thread(target=loop)
    running.thread.start()
    timeout.interrupt(running)
    running.thread.join(10)
    assert [type(error).__name__ for error in ended] == ["TaskTimedOut"]
    running.has_ended = True
    timeout.interrupt(running)  # too late: nobody is hit
