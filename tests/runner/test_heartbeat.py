"""What the heartbeat does, beat by beat."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, Presence, frozen_at, read_now
from django_scheduled_tasks.runner import heartbeat, timeout, worker
from django_scheduled_tasks.runner.attempt import FunctionThread
from django_scheduled_tasks.runner.heartbeat import Heart, end_process, set_watchdog, stop_in_time, tend
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.services.scheduling import presence
from tests.database import connection
from tests.runner.attempts import attempt_of, long_ago

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def exits(monkeypatch, heartbeat_is_here):
    """What would end this process is only noted."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    return statuses


def test_a_run_that_has_just_begun_costs_no_statement():
    attempt = attempt_of()
    with CaptureQueriesContext(connection) as queries:
        tend(attempt)
    assert len(queries) == 0


def test_a_long_run_renews_its_lease_and_looks_once():
    attempt = long_ago(attempt_of())
    Execution.objects.update(lease_until=read_now())
    with CaptureQueriesContext(connection) as queries:
        tend(attempt)
        tend(attempt)
    assert len(queries) == 2
    assert Execution.objects.get().lease_until > read_now() + timedelta(seconds=50)


def test_a_lease_is_never_renewed_past_the_time_limit():
    attempt = attempt_of(timeout=timedelta(seconds=30))
    attempt.clock.renewed_at -= 100
    tend(attempt)
    execution = Execution.objects.get()
    assert execution.lease_until - execution.started_at == timedelta(seconds=35)


def test_one_that_lost_its_execution_is_told_and_left_alone():
    attempt = long_ago(attempt_of())
    Execution.objects.update(attempt=2)
    tend(attempt)
    assert attempt.stop.lost
    assert attempt.stop.should_stop
    with CaptureQueriesContext(connection) as queries:
        tend(attempt)
    assert len(queries) == 0


def test_progress_is_written_at_most_twice_a_second(heartbeat_is_here):
    attempt = attempt_of()
    with CaptureQueriesContext(connection) as queries:
        for number in range(100):
            attempt.progress.report(number, 100, "x" * 1000)
            tend(attempt)
    assert len(queries) == 1
    execution = Execution.objects.get()
    assert (execution.progress_current, len(execution.progress_message)) == (0, 500)
    assert attempt.last_progress()["progress_current"] == 99


def test_lines_are_written_at_most_once_a_second():
    attempt = attempt_of()
    attempt.log.write("stdout", "one\n")
    tend(attempt)
    assert not attempt.execution.logs.exists()
    attempt.log._flushed_at -= 1
    tend(attempt)
    assert attempt.execution.logs.get().message == "one"


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
    Presence.objects.update(last_seen_at=read_now() - timedelta(seconds=11))
    Heart("reports").beat()
    assert Presence.objects.get().last_seen_at >= first.last_seen_at


def test_of_two_workers_of_a_host_one_says_so_and_the_other_looks_now_and_then_until_it_is_gone(monkeypatch):
    clock, hearts, start = SimpleNamespace(now=1000.0), [Heart(), Heart()], read_now()
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: clock.now))
    said: list[tuple[int, bool]] = []
    real = presence.seen

    def seen(kind, **options):
        said.append((number, real(kind, **options)))
        return said[-1][1]

    monkeypatch.setattr(presence, "seen", seen)
    ages = []
    for beat in range(120):
        clock.now = 1000 + beat / 2
        with frozen_at(start + timedelta(seconds=beat / 2)):
            for number in (0, 1) if beat < 60 else (1,):
                hearts[number].beat()
            ages.append(read_now() - Presence.objects.get().last_seen_at)
    assert said[:6] == [(0, True), (1, False)] * 3
    assert max(ages[:60]) <= timedelta(seconds=10)
    assert max(ages) < timedelta(seconds=20), "it takes over in time"
    assert [one for one in said if one[1]][-1] == (1, True)


def test_the_thread_starts_once(monkeypatch):
    monkeypatch.setattr(process, "heartbeat", None)
    over, queues = threading.Event(), []

    def beat(queue: str, _cluster: object) -> None:
        queues.append(queue)
        over.wait(10)

    monkeypatch.setattr(worker, "beat_for_ever", beat)
    worker.start("a")
    worker.start("b")
    thread = process.heartbeat
    over.set()
    thread.join(10)
    assert queues == ["a"]


# --- ending what does not yield -------------------------------------------------------------------------------------


def test_within_its_time_nothing_is_stopped(exits):
    attempt = attempt_of()
    attempt.stop.limit_at = time.monotonic() + 60
    stop_in_time(attempt)
    assert exits == []
    assert not attempt.thread.was_interrupted


def test_the_function_is_interrupted_once_by_force(exits, monkeypatch):
    sent = []
    monkeypatch.setattr(timeout, "interrupt", sent.append)
    attempt = attempt_of()
    attempt.stop.cancel_requested, attempt.stop.force_at = True, time.monotonic()
    stop_in_time(attempt)
    stop_in_time(attempt)
    assert sent == [attempt]
    assert exits == []


@pytest.mark.parametrize("why", ["late", "cancelled"])
def test_a_process_that_does_not_yield_records_its_end_and_ends(exits, why):
    attempt = attempt_of(timeout=timedelta(seconds=1) if why == "late" else None)
    attempt.log.write("stdout", "the last words")
    attempt.progress.report(3, 4, "nearly")
    if why == "late":
        long_ago(attempt, 10)
        attempt.stop.limit_at = attempt.clock.started_at + 1
    else:
        attempt.stop.cancel_requested, attempt.stop.force_at = True, time.monotonic() - 10
    with process.running(attempt):
        stop_in_time(attempt)
    assert exits == [1]
    execution = Execution.objects.get()
    assert execution.status == Status.ERRORS
    assert execution.outcome == (Outcome.TIMED_OUT if why == "late" else Outcome.CANCELLED)
    assert execution.error_message.endswith("It did not yield, so its worker was ended.")
    assert "test_a_process_that_does_not_yield" in execution.traceback
    assert execution.logs.get(logger="stdout").message == "the last words"
    assert execution.progress_current == 3
    assert execution.attempts.get().outcome == execution.outcome


def test_a_process_in_which_others_run_as_well_goes_on(exits):
    first, second = attempt_of(), attempt_of()
    first.stop.limit_at = time.monotonic() - 10
    with process.running(first), process.running(second):
        stop_in_time(first)
    assert exits == []


def test_a_function_that_ends_at_the_last_moment_keeps_its_end(exits):
    attempt = attempt_of()
    assert attempt.claim_end()
    end_process(attempt)
    assert exits == []
    assert Execution.objects.get().status == Status.PROCESSING


def test_a_process_ends_even_if_that_cannot_be_recorded(exits, monkeypatch, caplog):
    attempt = attempt_of()
    attempt.stop.limit_at = attempt.clock.started_at

    def refuse(*_args, **_options):
        raise OperationalError("gone")

    monkeypatch.setattr(heartbeat.finish, "fail", refuse)
    end_process(attempt)
    assert exits == [1]
    assert "the scheduler will" in caplog.text


def test_a_function_in_another_thread_is_interrupted_there(exits):
    attempt = attempt_of()
    attempt.stop.limit_at = time.monotonic() - 1
    ended: list[BaseException] = []

    def loop() -> None:
        try:
            while True:
                pass
        except BaseException as error:
            ended.append(error)

    attempt.thread = FunctionThread(threading.Thread(target=loop))
    attempt.thread.thread.start()
    timeout.interrupt(attempt)
    attempt.thread.thread.join(10)
    assert [type(error).__name__ for error in ended] == ["TaskTimedOut"]
    attempt.thread.has_ended = True
    timeout.interrupt(attempt)  # too late: nobody is hit


# --- the watchdog -----------------------------------------------------------------------------------------------------


@pytest.fixture
def watchdog(heartbeat_is_here, monkeypatch) -> list[float | None]:
    """For how many seconds the watchdog was set; None where it was stopped."""
    found: list[float | None] = []

    def note(due_at, **_options):
        found.append(None if due_at is None else round(due_at - time.monotonic()))

    monkeypatch.setattr(process.watchdog, "set", note)
    monkeypatch.setattr(timeout.signal, "getitimer", lambda _which: (0.0, 0.0))  # pytest-timeout's is no engine's
    return found


def test_a_function_with_a_limit_is_watched_until_a_moment_after_its_process_should_have_ended(watchdog):
    attempt = attempt_of(timeout=timedelta(seconds=30))
    with process.running(attempt), timeout.enforced(attempt):
        set_watchdog()
    assert watchdog == [34, 34]
    Heart().beat()
    assert watchdog[2:] == [None]


def test_a_function_without_a_limit_is_not_watched(watchdog):
    attempt = attempt_of()
    with process.running(attempt), timeout.enforced(attempt):
        set_watchdog()
    assert watchdog == [None, None]


def test_a_function_that_ended_late_is_no_longer_watched_while_its_end_is_recorded(watchdog):
    attempt = attempt_of(timeout=timedelta(seconds=30))
    with process.running(attempt), timeout.enforced(attempt):
        attempt.stop.limit_at = time.monotonic()
    assert watchdog == [34, None]


def test_of_several_the_first_limit_counts(watchdog):
    attempts = [attempt_of(timeout=timedelta(seconds=seconds)) for seconds in (60, 30)]
    with process.running(attempts[0]), timeout.enforced(attempts[0]):
        with process.running(attempts[1]), timeout.enforced(attempts[1]):
            set_watchdog()
        set_watchdog()
    assert watchdog == [64, 34, 34, 64]
