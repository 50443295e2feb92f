"""Capturing from within: what stands in for sys.stdout, several attempts at once, lines that cannot be written."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest
from django.db import OperationalError

from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.capture.hooks import Tee
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.running.redaction import CUT
from tests.factories import make_execution, make_task
from tests.runner.attempts import attempt_at, attempt_of

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def messages(attempt: RunningAttempt) -> list[str]:
    return list(attempt.execution.logs.order_by("number").values_list("message", flat=True))


def test_the_stand_in_behaves_like_the_stream():
    with Tee(io.StringIO("a\nb\n"), "stdout", process.hooks) as tee:
        assert list(tee) == ["a\n", "b\n"]
        assert tee.write("c") == 1
        tee.writelines(["d", "e"])
        assert tee.getvalue() == "a\nb\ncde"
        assert tee.writable()
    assert tee.closed


def test_streams_and_levels_are_put_back_unless_the_function_changed_them():
    streams, level = (sys.stdout, sys.stderr), logging.root.level
    attempt = attempt_of()
    with process.running(attempt):
        assert sys.stdout is not streams[0]
        assert logging.root.level == logging.INFO
    assert (sys.stdout, sys.stderr) == streams
    assert logging.root.level == level
    mine = io.StringIO()
    try:
        with process.running(attempt):
            sys.stdout = mine
            logging.root.setLevel(logging.CRITICAL)
        assert sys.stdout is mine
        assert logging.root.level == logging.CRITICAL
    finally:
        sys.stdout = streams[0]
        logging.root.setLevel(level)


def test_two_attempts_in_one_process_get_their_own_lines():
    first, second = attempt_of(), attempt_of(log_level="ERROR")
    inside, over = threading.Event(), threading.Event()

    def other() -> None:
        with process.running(second):
            print("second")
            logging.getLogger("x").warning("too low for the second")
            inside.set()
            over.wait(10)

    thread = threading.Thread(target=other)
    with process.running(first):
        thread.start()
        inside.wait(10)
        print("first")
        logging.getLogger("x").info("first")
    assert logging.root.level == logging.WARNING
    over.set()
    thread.join(10)
    first.log.flush()
    second.log.flush()
    assert messages(first) == ["first", "first"]
    assert messages(second) == ["second"]


def test_a_thread_that_was_there_before_belongs_to_nobody():
    go, over, seen = threading.Event(), threading.Event(), []

    def bystander() -> None:
        go.wait(10)
        seen.append(process.current())
        print("not mine")
        over.set()

    thread = threading.Thread(target=bystander)
    thread.start()
    attempt = attempt_of()
    with process.running(attempt):
        go.set()
        over.wait(10)
    thread.join(10)
    attempt.log.flush()
    assert seen == [None]
    assert messages(attempt) == []


def test_a_handler_that_writes_to_stderr_does_not_double_the_line(capsys):
    attempt = attempt_of()
    alone = logging.getLogger("shop.stderr")
    alone.propagate = False
    handler = logging.StreamHandler(sys.stderr)
    with process.running(attempt):
        handler.setStream(sys.stderr)
        alone.addHandler(handler)
        alone.warning("once")
        alone.removeHandler(handler)
    attempt.log.flush()
    assert messages(attempt) == ["once"]
    assert "once" in capsys.readouterr().err


def test_progress_bars_keep_their_last_state_and_odd_records_do_no_harm():
    attempt = attempt_of()
    alone = logging.getLogger("shop.odd")
    alone.propagate = False
    alone.addHandler(logging.NullHandler())
    with process.running(attempt):
        print("10 %\r20 %\r100 %", end="\r\n")
        alone.error("%d items", "no number")
    attempt.log.flush()
    assert messages(attempt)[0] == "100 %"
    assert messages(attempt)[1].startswith("%d items (could not be formatted: ")


def test_lines_that_cannot_be_written_are_kept_for_the_next_time_and_said_once(monkeypatch, caplog):
    attempt = attempt_of()
    attempt.log.write("stdout", "one\n")
    write = logs.write

    def refuse(*_args, **_options):
        raise OperationalError("gone")

    monkeypatch.setattr(logs, "write", refuse)
    attempt.log.flush()
    attempt.log.flush()
    monkeypatch.setattr(logs, "write", write)
    attempt.log.write("stdout", "two\n")
    attempt.log.flush()
    assert messages(attempt) == ["one", "two"]
    assert [record.getMessage() for record in caplog.records] == [
        f"Log lines of execution {attempt.execution.pk} could not be written: gone"
    ]


def test_attempts_share_what_may_be_kept(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"LOG_MAX_LINES": 41}
    execution = make_execution(make_task(max_attempts=2))
    for number_of_attempt in (1, 2):
        attempt = attempt_at(execution)
        attempt.execution.attempt = number_of_attempt
        with process.running(attempt):
            for number in range(100):
                print(number_of_attempt, number)
        attempt.log.flush()
    assert execution.logs.filter(attempt=1).count() == 21
    assert execution.logs.filter(attempt=2).count() == 20
    assert list(execution.logs.values_list("number", flat=True)) == list(range(1, 42))


@pytest.mark.parametrize("where", ["write", "add"])
def test_what_logs_while_a_line_is_taken_in_does_not_wait_for_itself(monkeypatch, where):
    """As a finaliser does, which the garbage collector calls wherever it likes."""
    attempt = attempt_of()
    capture = attempt.log
    real, inner = capture._now, []

    def now():
        if not inner:
            inner.append(True)
            capture.add("WARNING", "aiohttp", "Unclosed client session")
        return real()

    monkeypatch.setattr(capture, "_now", now)
    act = (
        (lambda: capture.write("stdout", "one\ntwo\n")) if where == "write" else lambda: capture.add("INFO", "a", "one")
    )
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    attempt.log.flush()
    assert {"Unclosed client session", "one"} <= set(messages(attempt))


def test_no_part_of_a_secret_is_shown_where_a_long_line_is_cut(settings):
    token = "sk_live_4eC39HqLyjWDarjtT1zdp7dc9876543210ab"
    attempt = attempt_of(function="testapp.secretive", params={"password": token})
    with process.running(attempt):
        print([f"https://api.example/{number}?t={token}" for number in range(300)])
        print("x" * 50_000)
    attempt.log.flush()
    first, second = messages(attempt)
    assert first.endswith(CUT)
    assert second.endswith(CUT)
    assert not any(token[:size] in first for size in (8, 12, 20))


def test_however_long_a_progress_bar_runs_its_last_state_is_kept():
    attempt = attempt_of()
    with process.running(attempt):
        for number in range(2_000):
            print(f"\r{number / 20:.1f}% {'#' * 60}", end="", file=sys.stderr)
        print("\r100.0%\r", end="", file=sys.stderr)
        print(file=sys.stderr)
        print("next", file=sys.stderr)
        print("a" * 9_000 + "\r" + "b" * 9_000 + "\r", end="")
        print("short")
    attempt.log.flush()
    assert messages(attempt) == ["100.0%", "next", "short"]


def test_of_a_task_that_keeps_no_log_nothing_is_captured_and_others_get_their_lines(capsys):
    silent, heard = attempt_of(log_level="none"), attempt_of()
    with process.running(silent):
        assert sys.stdout is not None
        print("into the void")
        logging.getLogger("x").critical("into the void")
        silent.log.add("WARNING", "django_scheduled_tasks", "ours")
    with process.running(heard):
        thread = threading.Thread(target=_say_in, args=(silent,))
        thread.start()
        thread.join(10)
        print("heard")
    for attempt in (silent, heard):
        attempt.log.flush()
    assert messages(silent) == []
    assert messages(heard) == ["heard"]
    assert "into the void" in capsys.readouterr().out


def _say_in(attempt) -> None:
    with process.running(attempt):
        print("within the other")
        logging.getLogger("x").error("within the other")
