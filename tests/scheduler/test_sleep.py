"""Sleeping while the database goes away: whoever sleeps wakes up, and listens anew."""

from __future__ import annotations

import time

import pytest
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.scheduler import sleep
from django_scheduled_tasks.scheduler.sleep import Sleeper
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from tests.cluster import scheduler, wait_until
from tests.database import connection
from tests.factories import make_task

pytestmark = [
    pytest.mark.every_broker,
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL can tell others"),
]


def end_other_connections() -> int:
    """Do to all others what a restart of the server does; return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


@pytest.fixture
def sleeper():
    found = Sleeper()
    yield found
    found.close()


@pytest.mark.parametrize("times", [1, 2])
def test_a_sleeper_whose_connection_was_ended_wakes_up_and_hears_the_next_word(sleeper, times):
    assert not sleeper.sleep(0)
    for _ in range(times):
        assert end_other_connections() == 1
        while sleeper.sleep(0.5):  # the server's last word, and then the end of the connection
            assert sleeper.sleep(0) in {True, False}
    began = time.monotonic()
    wake_schedulers()
    assert sleeper.sleep(10)
    assert time.monotonic() - began < 5


def test_a_sleeper_whose_connection_broke_while_it_was_awake_sleeps_all_the_same(sleeper):
    assert sleeper.listen() is not None
    sleeper.listen().close()
    assert sleeper.sleep(0.01)
    assert not sleeper.sleep(0.01)


def test_a_sleeper_knows_that_it_hears_once_it_has_heard(sleeper):
    sleeper.ask_for_a_word()
    assert not sleeper.hears, "it does not listen yet"
    sleeper.listen()
    sleeper.ask_for_a_word()
    assert sleeper.hears
    assert not sleeper.sleep(0), "its own word wakes nobody up who asked for it"
    with CaptureQueriesContext(connection) as queries:
        sleeper.ask_for_a_word()
    assert len(queries) == 0, "once is enough"
    assert end_other_connections() == 1
    while sleeper.sleep(0.5):
        sleeper.listen()
    assert not sleeper.hears, "the new connection has to show it"


def test_a_sleeper_behind_a_pooler_that_gives_its_connection_to_others_does_not_hear(sleeper, monkeypatch):
    monkeypatch.setattr(sleep, "CHANNEL", "what_nobody_says_anything_on")
    sleeper.listen()
    sleeper.ask_for_a_word()
    assert not sleeper.sleep(0)
    assert not sleeper.hears


def test_a_connection_that_breaks_while_a_word_is_waited_for_is_made_anew(sleeper, monkeypatch):
    first = sleeper.listen()
    monkeypatch.setattr(sleep, "wake_schedulers", first.close)
    sleeper.ask_for_a_word()
    assert not sleeper.hears
    monkeypatch.undo()
    assert sleeper.listen() is not first
    sleeper.ask_for_a_word()
    assert sleeper.hears


@pytest.mark.cluster
def test_a_scheduler_outlives_restarts_of_the_database_server():
    with scheduler() as process:
        for _ in range(3):
            wait_until(lambda: end_other_connections() >= 2, what="it is connected again, and listens")
            time.sleep(0.3)
        before = Execution.objects.count()
        make_task(schedule_kind="cron", expression="* * * * * *", overlap="allow")
        wait_until(lambda: Execution.objects.count() > before + 1, what="it goes on with its work")
        assert process.is_running, process.text()
