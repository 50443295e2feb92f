"""How many calls may wait: none of a WSGI server's threads are kept from other requests but a few."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import RequestFactory

from django_scheduled_tasks.api.http import longpoll
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from tests.api.conftest import ROOT, client_of
from tests.database import connection
from tests.factories import VIEWER, make_execution, make_user

AT_ONCE = 1.5
"""Seconds within which a call that does not wait is answered, also on a busy machine."""


def most(settings: Any, count: int | None) -> None:
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"MAX_WAITING_CALLS": count}


@pytest.fixture
def slow_polls(monkeypatch) -> None:
    """Let who waits look only once in a while."""
    monkeypatch.setattr(longpoll, "FIRST_POLL", 0.2)


class Waiters:
    """Calls with ``?wait=`` from threads of their own."""

    def __init__(self, execution: Execution, user: Any) -> None:
        self.answers: list[tuple[float, Any]] = []
        self._threads: list[threading.Thread] = []
        self._url = f"{ROOT}/tasks/{execution.task_name}/status/{execution.tracking_id}/?wait=20"
        self._user = user

    def begin(self, count: int) -> None:
        self._threads += [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        began = time.monotonic()
        response = client_of(user=self._user).get(self._url)
        connection.close()
        self.answers.append((time.monotonic() - began, response))


@pytest.fixture
def waiters(transactional_db, slow_polls) -> Iterator[Waiters]:
    execution = make_execution()
    found = Waiters(execution, make_user(*VIEWER))
    yield found
    Execution.objects.all().delete()
    found.join()


def test_one_more_than_may_wait_is_answered_at_once_and_told_when_to_ask_again(waiters, settings):
    most(settings, 2)
    waiters.begin(7)
    deadline = time.monotonic() + 15
    while len(waiters.answers) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    assert len(waiters.answers) == 5, "two wait"
    for _seconds, response in waiters.answers:
        assert (response.status_code, response.json()["info"]["status"]) == (200, "pending")
        assert int(response["Retry-After"]) >= 1
    Execution.objects.update(status=Status.COMPLETED, outcome="succeeded", completed_at="2026-01-01T00:00:00Z")
    waiters.join()
    assert [response.json()["info"]["status"] for _seconds, response in waiters.answers[5:]] == ["completed"] * 2


@pytest.mark.django_db
def test_a_place_is_free_again_afterwards_also_after_an_error(viewer, settings, monkeypatch):
    most(settings, 1)
    execution = make_execution()
    address = f"{ROOT}/tasks/{execution.task_name}/status/{execution.tracking_id}/"
    has_ended = longpoll.has_ended

    def fail(_tracking_id: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(longpoll, "has_ended", fail)
    with pytest.raises(ZeroDivisionError):
        viewer.get(f"{address}?wait=1")
    monkeypatch.setattr(longpoll, "has_ended", has_ended)
    for _ in range(2):
        began = time.monotonic()
        assert viewer.get(f"{address}?wait=1").status_code == 200
        assert time.monotonic() - began >= 1, "it waits"


@pytest.mark.django_db
@pytest.mark.parametrize("setting", [None, 0])
def test_the_only_thread_of_a_process_does_not_wait(viewer, settings, setting):
    most(settings, setting)
    execution = make_execution()
    address = f"{ROOT}/tasks/{execution.task_name}/status/{execution.tracking_id}/"
    began = time.monotonic()
    response = viewer.get(f"{address}?wait=20")
    assert time.monotonic() - began < AT_ONCE
    assert (response.json()["info"]["status"], response["Retry-After"]) == ("pending", "1")


@pytest.mark.parametrize(
    ("setting", "threads", "expected"), [(None, True, 2), (None, False, 0), (5, True, 5), (5, False, 5), (0, True, 0)]
)
def test_how_many_may_wait(settings, setting, threads, expected):
    most(settings, setting)
    request = RequestFactory().get("/", **{"wsgi.multithread": threads})
    assert longpoll.most_waiting(request) == expected
