"""The watchdog ends a process in which no Python code can run, and no other."""

from __future__ import annotations

import faulthandler
import subprocess
import sys
import time

import pytest

from django_scheduled_tasks.runner.process import TOLERANCE, Watchdog

SET_UP = """
import os, sys, time
import django
django.setup()
from django_scheduled_tasks.runner.process import Watchdog
watchdog = Watchdog()
def end_in(seconds, **options):
    watchdog.set(time.monotonic() + seconds, **options)
"""
STUCK = """
print("stuck", flush=True)
def looking_for_a_needle():
    import re
    re.match(r"(a+)+$", "a" * 64 + "b")  # holds the interpreter for ages
looking_for_a_needle()
"""


def run(source: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SET_UP + source]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_ends_a_process_that_is_stuck_in_c_and_says_where():
    began = time.monotonic()
    done = run("end_in(0.5)" + STUCK)
    assert done.stdout == "stuck\n"
    assert done.returncode != 0
    assert "looking_for_a_needle" in done.stderr
    assert time.monotonic() - began >= 0.5


def test_set_again_it_counts_from_then():
    done = run("end_in(0.5); end_in(2); time.sleep(1); print('alive', flush=True)" + STUCK)
    assert done.stdout == "alive\nstuck\n"
    assert done.returncode != 0


def test_set_to_never_it_lets_the_process_live():
    done = run("end_in(0.2); watchdog.set(None); time.sleep(0.5); print('alive')")
    assert (done.stdout, done.returncode, done.stderr) == ("alive\n", 0, "")


def test_it_needs_no_stderr():
    done = run("sys.__stderr__ = None; end_in(0.3)" + STUCK)
    assert done.returncode != 0
    assert "needle" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("act", ["pass", "watchdog.set(None)", "end_in(0.1)"])
def test_a_child_process_is_neither_ended_nor_stopped_by_its_parents_watchdog(act):
    """Whatever it does with it: the thread that waits is not there, and Python would wait for that thread for ever."""
    source = f"""
os.register_at_fork(after_in_child=watchdog.after_fork)
end_in(1)
if os.fork() == 0:
    {act}
    time.sleep(1.5)
    print("the child lives", flush=True)
    os._exit(0)
watchdog.set(None)
os.wait()
"""
    done = run(source)
    assert (done.stdout, done.returncode) == ("the child lives\n", 0)


# --- when it is set anew: each time costs a thread ----------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch) -> list[float | None]:
    """The seconds for which it was set, None where it was stopped."""
    found: list[float | None] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_options: found.append(seconds))
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: found.append(None))
    return found


def test_for_executions_that_follow_each_other_closely_it_is_set_once(calls):
    watchdog, now = Watchdog(), time.monotonic()
    for number in range(10):
        watchdog.set(now + 60 + number / 100, tolerance=TOLERANCE)
    assert len(calls) == 1
    watchdog.set(now + 60.05)
    assert len(calls) == 2


@pytest.mark.parametrize("other", [10, 61, 3600, None])
def test_for_one_with_another_limit_it_is_set_anew(calls, other):
    watchdog, now = Watchdog(), time.monotonic()
    watchdog.set(now + 60)
    watchdog.set(None if other is None else now + other, tolerance=TOLERANCE)
    assert len(calls) == 2


def test_it_is_stopped_once(calls):
    watchdog = Watchdog()
    watchdog.set(None)
    watchdog.set(time.monotonic() + 60)
    watchdog.set(None)
    watchdog.set(None)
    assert calls[1:] == [None]


def test_a_system_that_gives_no_thread_is_no_error_of_the_function(monkeypatch, caplog):
    def refuse(*_arguments, **_options):
        raise RuntimeError("unable to start watchdog thread")

    monkeypatch.setattr(faulthandler, "dump_traceback_later", refuse)
    Watchdog().set(time.monotonic() + 60)
    assert "unable to start" in caplog.text
