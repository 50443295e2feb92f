"""A scheduler asks whether it is at home, and does nothing in a copy."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import Execution, Installation, Presence, ScheduledTask, read_now
from django_scheduled_tasks.scheduler import home
from django_scheduled_tasks.scheduler.home import Home
from django_scheduled_tasks.scheduler.loop import Loop
from django_scheduled_tasks.services.installation import state
from tests.database import connection
from tests.factories import make_task
from tests.services.installation.conftest import installation, staging  # noqa: F401

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def test_it_asks_at_the_start_at_a_new_connection_and_now_and_then(
    installation,  # noqa: F811
    django_assert_num_queries,
    monkeypatch,
):
    place = Home()
    assert place.is_here()
    with django_assert_num_queries(0):
        assert all(place.is_here() for _ in range(100))
    connection.close()
    Installation.objects.update(environment="production")
    assert not state.is_held()
    monkeypatch.setattr(state, "get_settings", lambda: type("Settings", (), {"ENVIRONMENT": "staging"}))
    assert not place.is_here()


def test_it_says_once_that_it_is_held_and_once_that_it_is_not(staging, monkeypatch):  # noqa: F811
    said: list[str] = []
    monkeypatch.setattr(home.logger, "error", lambda text, *_values, **_more: said.append(text))
    monkeypatch.setattr(home.logger, "warning", lambda text, *_values, **_more: said.append(text))
    monkeypatch.setattr(state, "CHECK_HELD_EVERY", 0.0)
    place = Home()
    assert not place.is_here()
    assert not place.is_here()
    Installation.objects.update(environment="staging")
    assert place.is_here()
    assert ["Nothing runs" in text for text in said] == [True, False]


def test_the_loop_does_nothing_in_a_copy_and_goes_on_after_the_adoption(staging, monkeypatch):  # noqa: F811
    task = make_task(schedule_kind="interval", expression="1h")
    ScheduledTask.objects.update(next_run_at=read_now())
    loop, slept = Loop(), []

    def sleep(_seconds: float) -> None:
        slept.append(Execution.objects.count())
        if len(slept) == 1:
            assert not Presence.objects.exists()
            Installation.objects.update(environment="staging")
        else:
            loop.stop()

    monkeypatch.setattr(state, "CHECK_HELD_EVERY", 0.0)
    monkeypatch.setattr(loop._sleeper, "sleep", sleep)
    monkeypatch.setattr(loop, "_sleep_until", lambda _moment: loop.stop())
    loop.run()
    assert slept[0] == 0
    assert task.executions.count() == 1
