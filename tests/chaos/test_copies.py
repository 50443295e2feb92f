"""Copies of a database beside the original, on one broker: real schedulers and workers in both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, Installation, ScheduledTask
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import (
    QUICKLY,
    START_WITHIN,
    Cluster,
    TestProcess,
    cluster,
    directed,
    finish,
    scheduler,
    start,
    wait_until,
)
from tests.copies import base_backup, database_copy, drop, replace, rows
from tests.database import connection
from tests.factories import make_task
from tests.servers import PostgreSQL

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Way:
    """How the copy is made, and what is unlike in it."""

    how: str
    key: str = "tests"
    """The copy's SECRET_KEY."""
    original: str = ""
    """The original's ENVIRONMENT."""
    copy: str = ""
    """The copy's."""
    said: str = ""
    """What its scheduler says."""

    @property
    def is_possible(self) -> bool:
        wanted = {"template": {"postgresql"}, "dump": {"postgresql", "mysql"}, "file": {"sqlite"}}[self.how]
        return connection.vendor in wanted and not (self.is_told_by_place and connection.vendor == "mysql")

    @property
    def is_told_by_place(self) -> bool:
        """Whether nothing but the place is another one: MySQL and MariaDB say too little of it."""
        return self.key == "tests" and self.copy == self.original == ""


PLACE, KEY, NAME = "Address and system", "SECRET_KEY is another one", "ENVIRONMENT says"
WAYS = [
    Way("template", said=PLACE),
    Way("dump", said=PLACE),
    Way("dump", key="another", said=KEY),
    Way("dump", original="production", copy="staging", said=NAME),
    Way("template", copy="staging", said=NAME),
    Way("template", original="production", key="another", copy="production", said=KEY),
    Way("file", said=PLACE),
    Way("file", key="another", said=KEY),
    Way("file", original="production", copy="staging", said=NAME),
]
IN_GATE = {WAYS[2], WAYS[3], WAYS[6]}


def ways() -> list[Any]:
    named = [(way, "-".join(filter(None, [way.how, way.key, way.original, way.copy]))) for way in WAYS]
    return [
        pytest.param(way, id=name, marks=[] if way in IN_GATE else [pytest.mark.slow])
        for way, name in named
        if way.is_possible
    ]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@contextmanager
def running(kind: type[Any], *command: str, name: str, queue: str, way: Way, server: str = "") -> Iterator[Any]:
    """Run a command in the copy called *name*; *server*: the port of the server that has it, if it is another one."""
    overrides = {"SCHEDULED_TASKS": {"ENVIRONMENT": way.copy}, "SECRET_KEY": way.key}
    environment = {"SCHEDULED_TASKS_TEST_DATABASE": name} | ({"PGPORT": server} if server else {})
    process = start(kind, *command, QUICKLY, queue=queue, overrides=overrides, environment=environment)
    try:
        yield process
    finally:
        finish(process)


@contextmanager
def copy_at_work(name: str, queue: str, way: Way, server: str = "") -> Iterator[TestProcess]:
    """Run a scheduler and workers in the copy; yield the scheduler once it has looked and the workers are ready."""
    with (
        running(TestProcess, "runscheduler", name=name, queue=queue, way=way, server=server) as copied_scheduler,
        running(Cluster, "qcluster", name=name, queue=queue, way=way, server=server) as workers,
    ):
        wait_until(lambda: "Nothing runs by schedule" in copied_scheduler.text(), timeout=START_WITHIN, what="held")
        wait_until(lambda: len(workers.worker_pids()) == 2, timeout=START_WITHIN, what="the copy's workers are ready")
        yield copied_scheduler


def each_second(path: Path) -> ScheduledTask:
    return make_task(
        name="each second",
        function="testapp.append_line",
        params={"path": str(path)},
        schedule_kind="cron",
        expression="* * * * * *",
        overlap="allow",
        catch_up="all",
    )


@pytest.mark.every_database
@pytest.mark.parametrize("way", ways())
def test_a_copy_starts_nothing_and_takes_nothing_from_the_original(way, tmp_path):
    path = tmp_path / "lines"
    with directed(settings={"ENVIRONMENT": way.original, "RESEND_AFTER": 600}) as queue:
        Installation.objects.all().delete()  # that of the migration
        state.settle_in()
        each_second(path)
        waiting = [run_once(make_task(function="testapp.append_line", params={"path": str(path)})) for _ in range(3)]
        with database_copy(way.how) as name:
            before = rows(name, "SELECT id, status, started_at FROM django_scheduled_tasks_execution ORDER BY id")
            planned = rows(name, "SELECT id, next_run_at FROM django_scheduled_tasks_scheduledtask ORDER BY id")
            with copy_at_work(name, queue, way) as copied_scheduler:
                assert way.said in copied_scheduler.text()
                with cluster(), scheduler():
                    wait_until(lambda: len(lines(path)) >= 7, timeout=60, what="the original has run seven")
            after = rows(name, "SELECT id, status, started_at FROM django_scheduled_tasks_execution ORDER BY id")
            assert after == before
            assert rows(name, "SELECT id, next_run_at FROM django_scheduled_tasks_scheduledtask ORDER BY id") == planned
            assert not rows(name, "SELECT id FROM django_scheduled_tasks_presence WHERE kind = 'scheduler'")
    for one in waiting:
        one.execution.refresh_from_db()
        assert one.execution.status == Status.COMPLETED
    # Nothing was sent twice, so no message was taken by the copy, and nothing ran twice.
    ran = Execution.objects.exclude(started_at=None)
    assert set(ran.values_list("submissions", flat=True)) == {1}
    numbers = [line.split()[1] for line in lines(path)]
    assert len(numbers) == len(set(numbers)) == ran.count()


@pytest.mark.every_database
def test_in_a_copy_run_once_works_and_after_the_adoption_the_schedule_as_well(tmp_path):
    path, name_of = tmp_path / "lines", "django_scheduled_tasks_execution"
    way = Way("file" if connection.vendor == "sqlite" else "dump", original="production", copy="staging")
    with directed(settings={"ENVIRONMENT": way.original}) as queue:
        Installation.objects.all().delete()  # that of the migration
        state.settle_in()
        copied = run_once(each_second(path)).execution
        with database_copy(way.how) as name, copy_at_work(name, queue, way):

            def in_copy(condition: str) -> list[tuple[Any, ...]]:
                found = f"SELECT status, outcome FROM {name_of} WHERE {condition}"
                return rows(name, found)

            with running(TestProcess, "run_task", "each second", name=name, queue=queue, way=way) as by_hand:
                assert by_hand.popen.wait(START_WITHIN) == 0, by_hand.text()
            wait_until(lambda: in_copy(f"id > {copied.pk} AND status = 'completed'"), what="it runs in the copy")
            assert in_copy(f"id <= {copied.pk}") == [("pending", "")]
            assert len(lines(path)) == 1
            with running(TestProcess, "adopt_database", "--copy", "--yes", name=name, queue=queue, way=way) as adopt:
                assert adopt.popen.wait(START_WITHIN) == 0, adopt.text()
                assert "1 copied executions were skipped" in adopt.text()
            wait_until(
                lambda: in_copy(f"{connection.ops.quote_name('trigger')} = 'schedule' AND status = 'completed'"),
                timeout=30,
                what="the copy's schedule runs in its new home",
            )
            assert in_copy(f"id <= {copied.pk}") == [("errors", "skipped")]
    copied.refresh_from_db()
    assert copied.status == Status.PENDING


@pytest.mark.every_database
@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL is replaced under a running scheduler")
def test_a_database_that_is_replaced_by_a_copy_under_a_running_scheduler_is_held(tmp_path):
    path = tmp_path / "lines"
    way = Way("template", original="production", copy="staging")
    with (
        directed(settings={"ENVIRONMENT": way.original}) as queue,
        database_copy("template") as name,  # an installation of its own: there is no row in it yet
        running(TestProcess, "runscheduler", name=name, queue=queue, way=way) as staging,
    ):
        original = str(connection.settings_dict["NAME"])
        wait_until(
            lambda: rows(name, "SELECT environment FROM django_scheduled_tasks_installation"),
            timeout=START_WITHIN,
            what="staging is at home",
        )
        Installation.objects.all().delete()  # that of the migration
        state.settle_in()
        each_second(path)
        connection.close()
        drop(name)
        replace(name, original, "template")
        wait_until(lambda: "Nothing runs by schedule" in staging.text(), timeout=30, what="it is held")
        assert not rows(name, "SELECT id FROM django_scheduled_tasks_execution WHERE started_at IS NOT NULL")


@pytest.fixture
def own_server(transactional_db, monkeypatch) -> Iterator[None]:
    """Lead this process and those that it starts to a server of their own, which lets itself be copied."""
    server = PostgreSQL()
    try:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "PORT", str(server.port))
        monkeypatch.setitem(connection.settings_dict, "NAME", "test")
        with running(TestProcess, "migrate", name="test", queue="", way=Way("base backup")) as migrate:
            assert migrate.popen.wait(START_WITHIN) == 0, migrate.text()
        yield
        connection.close()
    finally:
        server.stop()


@pytest.mark.every_database
@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.usefixtures("own_server")
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has base backups")
@pytest.mark.parametrize(
    "way",
    [
        Way("base backup", original="production", copy="staging", said=NAME),
        Way("base backup", key="another", said=KEY),
    ],
    ids=lambda way: way.said,
)
def test_a_base_backup_on_a_server_of_its_own_starts_nothing(way, tmp_path):
    path = tmp_path / "lines"
    with directed(settings={"ENVIRONMENT": way.original}) as queue:
        Installation.objects.all().delete()  # that of the migration
        state.settle_in()
        each_second(path)
        name = str(connection.settings_dict["NAME"])
        with base_backup() as port, copy_at_work(name, queue, way, server=port) as copied:
            assert way.said in copied.text()
            with cluster(), scheduler():
                wait_until(lambda: len(lines(path)) >= 5, timeout=60, what="the original has run five")
            assert rows(name, "SELECT count(*) FROM django_scheduled_tasks_execution", port=port) == [(0,)]
            assert rows(name, "SELECT count(*) FROM django_scheduled_tasks_execution")[0][0] >= 5


@pytest.mark.every_database
@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.usefixtures("own_server")
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has base backups")
def test_a_base_backup_that_nothing_tells_from_a_fail_over_runs_and_says_so_once(tmp_path):
    """The same SECRET_KEY, the same system identifier, no ENVIRONMENT: so is a standby that has taken over."""
    way = Way("base backup")
    with directed() as queue:
        Installation.objects.all().delete()  # that of the migration
        state.settle_in()
        name = str(connection.settings_dict["NAME"])
        with (
            base_backup() as port,
            running(TestProcess, "runscheduler", name=name, queue=queue, way=way, server=port) as copied,
        ):
            wait_until(
                lambda: rows(name, "SELECT moved_from FROM django_scheduled_tasks_installation", port=port) != [("",)],
                timeout=START_WITHIN,
                what="it has moved",
            )
            assert "Nothing runs by schedule" not in copied.text()
