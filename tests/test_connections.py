"""Kinds of connections to PostgreSQL: psycopg's pool, PgBouncer, persistent and not. All that is due runs, once."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django_q.conf import Conf

from django_scheduled_tasks.db.connections.pools import own_connection
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import cluster, directed, scheduler, wait_until
from tests.database import ALIAS, connection
from tests.factories import make_task
from tests.profiles import POSTGRES_HOST, POSTGRES_PORT
from tests.servers import spare_port

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
]
HAS_POOL = importlib.util.find_spec("psycopg_pool") is not None
needs_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="these are of PostgreSQL")
needs_pool = pytest.mark.skipif(not HAS_POOL, reason="psycopg_pool is not installed")
needs_pgbouncer = pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="there is no pgbouncer on this machine")


def pool(**options: Any) -> dict[str, Any]:
    return {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": options or True}}


@contextmanager
def installation(monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, Any]) -> Iterator[Any]:
    """Run a scheduler and two workers whose connections are made with *changes* to the database's settings.

    The broker is the database too: so that all of django-q2's processes use it, before and after they are forked.
    """
    monkeypatch.setattr(Conf, "ORM", ALIAS)
    monkeypatch.setenv("SCHEDULED_TASKS_TEST_CONNECTION", json.dumps(changes))
    module, settings = "tests.connection_settings", {"LEASE": 3, "PRESENCE_INTERVAL": 1, "DATABASE_TIMEOUT": 5}
    broker = {"orm": ALIAS}
    with (
        directed(),
        cluster(workers=2, settings=settings, q_cluster=broker, module=module) as workers,
        scheduler(settings=settings, q_cluster=broker, module=module) as process,
    ):
        yield workers, process


@needs_postgres
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(pool(), marks=needs_pool, id="pool"),
        pytest.param(pool(min_size=1, max_size=1, timeout=5), marks=[needs_pool, pytest.mark.slow], id="pool of one"),
        pytest.param({"CONN_MAX_AGE": None}, marks=pytest.mark.slow, id="persistent"),
        pytest.param({"CONN_MAX_AGE": 0}, marks=pytest.mark.slow, id="not persistent"),
    ],
)
def test_all_that_is_due_runs_once_and_nothing_stands_still(monkeypatch, changes):
    with installation(monkeypatch, changes) as (workers, process):
        for number in range(4):
            make_task(name=f"each {number}", schedule_kind="cron", expression="* * * * * *", overlap="allow")
        long = run_once(make_task(function="testapp.sleep", params={"seconds": 8})).execution
        wait_until(lambda: Execution.objects.filter(outcome=Outcome.SUCCEEDED).count() >= 32, what="they run")
        wait_until(lambda: not Execution.objects.filter(pk=long.pk).open().exists(), what="the long one ends")
        written = workers.text() + process.text()
        assert "couldn't get a connection" not in written
        assert "didn't produce records" not in written
        assert "does not answer" not in written
        assert "does not reach the database" not in written
        assert len(workers.worker_pids()) == 2, "no worker died"
    assert set(Execution.objects.ended().values_list("outcome", flat=True)) <= {Outcome.SUCCEEDED}
    long.refresh_from_db()
    assert (long.outcome, long.attempt) == (Outcome.SUCCEEDED, 1)


@needs_postgres
@needs_pool
def test_who_listens_and_who_beats_is_not_one_of_the_pool(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"pool": {"min_size": 1, "max_size": 1}})
    own = own_connection(ALIAS)
    assert own.pool is None
    assert connection.settings_dict["OPTIONS"]["pool"], "the others still have it"
    with own.cursor() as cursor:
        cursor.execute("SELECT 1")
    own.close()


class PgBouncer:
    """PgBouncer before the test's PostgreSQL, each transaction on whatever connection is free."""

    def __init__(self, folder: Path) -> None:
        self.port = spare_port()
        user = str(connection.settings_dict["USER"])
        config = folder / "pgbouncer.ini"
        users = folder / "users.txt"
        users.write_text(f'"{user}" "{connection.settings_dict["PASSWORD"]}"\n')
        config.write_text(
            f"[databases]\n* = host={POSTGRES_HOST} port={POSTGRES_PORT} user={user}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nauth_type = any\n"
            f"auth_file = {users}\npool_mode = transaction\ndefault_pool_size = 5\nunix_socket_dir =\n"
            "ignore_startup_parameters = extra_float_digits\n"
        )
        for path in (folder, config, users):
            path.chmod(0o755)
        self._process = subprocess.Popen(["pgbouncer", "-q", *self._user(), str(config)])

    @staticmethod
    def _user() -> list[str]:
        return ["-u", "nobody"] if os.geteuid() == 0 else []

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


@needs_postgres
@needs_pgbouncer
@pytest.mark.parametrize(
    "age", [pytest.param(0, id="not persistent"), pytest.param(None, marks=pytest.mark.slow, id="persistent")]
)
def test_behind_pgbouncer(monkeypatch, age):
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))  # one of pytest's may be read by its user only
    bouncer = PgBouncer(folder)
    try:
        time.sleep(0.5)
        changes = {"HOST": "127.0.0.1", "PORT": bouncer.port, "CONN_MAX_AGE": age, "DISABLE_SERVER_SIDE_CURSORS": True}
        with installation(monkeypatch, changes) as (workers, process):
            make_task(schedule_kind="cron", expression="* * * * * *", overlap="allow")
            run_once(make_task())
            wait_until(lambda: Execution.objects.filter(outcome=Outcome.SUCCEEDED).count() >= 5, what="they run")
            assert "does not answer" not in workers.text() + process.text()
    finally:
        bouncer.stop()
        shutil.rmtree(folder)
    assert set(Execution.objects.ended().values_list("outcome", flat=True)) == {Outcome.SUCCEEDED}
    connections.close_all()
