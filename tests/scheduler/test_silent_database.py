"""A database that is frozen, or behind a network that swallows packets."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from django_scheduled_tasks.db.limits import Watch, limit_connecting
from django_scheduled_tasks.models import Execution
from tests.cluster import directed, scheduler, wait_until
from tests.database import ALIAS, connection
from tests.factories import make_task
from tests.profiles import MARIADB_PORT, POSTGRES_PORT
from tests.servers import Silent

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def proxy() -> Iterator[Silent]:
    if connection.vendor == "sqlite":
        pytest.skip("a file always answers")
    server = Silent(POSTGRES_PORT if connection.vendor == "postgresql" else MARIADB_PORT)
    yield server
    server.stop()


@pytest.mark.cluster
def test_a_scheduler_says_so_goes_on_when_it_answers_again_and_stops_when_asked(proxy):
    environment = {"PGPORT": str(proxy.port), "MYSQL_TCP_PORT": str(proxy.port)}
    with directed(), scheduler(settings={"DATABASE_TIMEOUT": 2}, environment=environment) as process:
        make_task(schedule_kind="cron", expression="* * * * * *", overlap="allow")
        wait_until(Execution.objects.exists, what="it plans")
        proxy.is_frozen = True
        # MariaDB's client has a limit of its own, which is over at the same moment.
        said = ("The database has not answered for", *["(timed out)"] * (connection.vendor == "mysql"))
        wait_until(lambda: any(words in process.text() for words in said), what="it notices")
        wait_until(lambda: "The database does not answer, trying again" in process.text(), what="it tries again")
        proxy.is_frozen = False
        before = Execution.objects.count()
        wait_until(lambda: Execution.objects.count() > before + 2, timeout=40, what="it goes on")
        proxy.is_frozen = True
        time.sleep(1.5)
        began = time.monotonic()
        process.popen.terminate()
        assert process.popen.wait(40) == 0, process.text()
        assert time.monotonic() - began < 25
        proxy.is_frozen = False


def test_a_thread_that_waits_gets_an_error_and_one_that_works_does_not():
    if connection.vendor != "postgresql":
        pytest.skip("the statement that takes long is PostgreSQL's")
    watch = Watch(connection._connections[ALIAS], others=list, limit=0.4)
    try:
        for _ in range(8):
            time.sleep(0.1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        watch.end()
        time.sleep(0.8)  # it sleeps, and nobody waits for anything
        assert connection.is_usable()
        with connection.cursor() as cursor, pytest.raises(OperationalError):
            cursor.execute("SELECT pg_sleep(3)")
    finally:
        watch.close()
        connection.close()
    time.sleep(3)  # the server notices only then that nobody waits any more
    assert not connection.execute_wrappers


def test_the_limits_of_the_project_stay(monkeypatch):
    for given in ({}, {"connect_timeout": 77}):
        options = dict(given)
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
        limit_connecting(ALIAS, 4.5, answer=30)
        assert options.get("connect_timeout", 5) == given.get("connect_timeout", 5)
        assert ("connect_timeout" in options) == (connection.vendor != "sqlite" or bool(given))
