"""Calls that are waited for no longer than a limit."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from django_scheduled_tasks.engines import deadline as module
from django_scheduled_tasks.engines.deadline import MOST_THREADS, Callers, NoAnswer


def fail() -> None:
    raise OSError("refused")


def test_what_a_call_returns_and_raises_comes_back():
    callers = Callers()
    assert callers.call(lambda: 3, within=5) == 3
    with pytest.raises(OSError, match="refused"):
        callers.call(fail, within=5)
    assert callers.call(threading.get_ident, within=5) != threading.get_ident()


def test_a_call_that_takes_too_long_is_left_alone_and_others_are_refused_until_it_comes_back():
    callers, answers = Callers(), threading.Event()
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="within 0.1 s"):
        callers.call(answers.wait, within=0.1)
    with pytest.raises(NoAnswer, match="did not answer a moment ago"):
        callers.call(lambda: 1, within=30)
    assert time.monotonic() - began < 10
    answers.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert callers.call(lambda: 2, within=5) == 2
            break
        except NoAnswer:
            time.sleep(0.01)
    else:
        pytest.fail("it is refused for good")


def test_a_client_that_gives_up_by_itself_just_in_time_is_not_waited_for_each_time():
    callers = Callers()

    def give_up() -> None:
        time.sleep(0.3)
        fail()

    with pytest.raises(OSError, match="refused"):
        callers.call(give_up, within=0.5)
    with pytest.raises(NoAnswer, match="a moment ago"):
        callers.call(lambda: 1, within=5)


def test_a_server_that_never_comes_back_is_tried_again_now_and_then(monkeypatch):
    monkeypatch.setattr(module, "TRY_AGAIN_AFTER", 0.0)
    callers = Callers()
    for _ in range(MOST_THREADS + 2):  # all threads are taken, and nobody waits for longer than the limit
        with pytest.raises(NoAnswer):
            callers.call(threading.Event().wait, within=0.05)


def test_many_at_once_share_a_few_threads():
    callers, threads = Callers(), set()

    def call(number: int) -> int:
        def act() -> int:
            threads.add(threading.get_ident())
            time.sleep(0.01)
            return number

        return callers.call(act, within=30)

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(call, range(36))) == list(range(36))
    assert len(threads) <= MOST_THREADS


def test_a_forked_child_has_threads_of_its_own():
    callers = Callers()
    callers.call(lambda: 1, within=5)
    if (child := os.fork()) == 0:
        try:
            os._exit(callers.call(lambda: 7, within=10))
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
