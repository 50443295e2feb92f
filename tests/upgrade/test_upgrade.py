"""The release before runs on the tables of this one: its code is that of a wheel that was built from a commit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from django_scheduled_tasks.models import Execution, ScheduledTask, read_now, write_alias
from tests.cluster import QUICKLY, ROOT, Cluster, TestProcess, cluster, directed, finish, start, wait_until
from tests.upgrade.build import FOLDER, unpack

APP, OLD = "django_scheduled_tasks", "0002_secret_params"
SETTINGS = "tests.upgrade.settings"
MOVING = {"next_run_at", "run_count", "updated_at"}
"""Columns of a task that a scheduler writes at any time."""


@pytest.fixture(scope="module")
def old_code(tmp_path_factory) -> Path:
    """Return the folder of the release before; by its name what runs there is not counted as covered."""
    return unpack(tmp_path_factory.mktemp("release") / "old_release")


@pytest.fixture
def migrated():
    yield migrate
    executor = MigrationExecutor(connections[write_alias()])
    executor.migrate([key for key in executor.loader.graph.leaf_nodes() if key[0] == APP])


def migrate(name: str = "") -> None:
    """Migrate our tables to *name*, or to the newest state, with the code of today."""
    executor = MigrationExecutor(connections[write_alias()])
    newest = [key for key in executor.loader.graph.leaf_nodes() if key[0] == APP]
    executor.migrate([(APP, name)] if name else newest)


def rows(model: str, *, ended: bool = False) -> dict[Any, dict[str, Any]]:
    """Return what the release before knows of the rows of *model*, by their keys; of executions, those that ended."""
    old = MigrationExecutor(connections[write_alias()]).loader.project_state((APP, OLD)).apps
    found = old.get_model(APP, model).objects.order_by("pk")
    if ended:
        found = found.filter(status__in=["completed", "errors"])
    return {row["id"]: {name: row[name] for name in row.keys() - MOVING} for row in found.values()}


def test_its_migrations_are_still_the_first_ones(old_code):
    for path in sorted((old_code / APP / "migrations").glob("0*.py")):
        assert path.read_text() == (ROOT / APP / "migrations" / path.name).read_text()
    (wheel,) = FOLDER.glob("*.whl")
    assert wheel.stat().st_size < 1_000_000


@pytest.mark.timeout(240)
@pytest.mark.postgres
@pytest.mark.cluster
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connections["default"].vendor != "postgresql", reason="once, on PostgreSQL")
def test_a_filled_database_of_the_release_before_comes_and_goes_while_its_processes_run(old_code, migrated):
    """Its scheduler plans, its worker runs, its pages and REST answer: before, on the new tables, and back again."""
    environment = {"PYTHONPATH": os.pathsep.join([str(old_code), str(ROOT)])}

    def act(what: str) -> list[str]:
        process = start(TestProcess, "act", QUICKLY, what, queue=queue, module=SETTINGS, environment=environment)
        code = process.popen.wait(60)
        text = process.text()
        finish(process)
        assert code == 0, text
        said = json.loads(text.splitlines()[-1])
        assert said["code"] == str(old_code / APP)
        return list(said["started"])

    def has_ended(started: list[str]) -> Callable[[], bool]:
        def ended() -> bool:
            found = dict(rows_of("tracking_id", "outcome"))
            return [found.get(one) for one in started] == ["succeeded", "failed"]

        return ended

    def planned_after(moment: Any) -> Callable[[], bool]:
        return lambda: (
            {"declared", "each second"}
            <= {
                name
                for name, at, outcome in rows_of("task_name", "scheduled_for", "outcome")
                if at is not None and at > moment and outcome == "succeeded"
            }
        )

    def rows_of(*names: str) -> list[tuple[Any, ...]]:
        found = Execution.objects.order_by("pk").values_list(*names)
        return [
            tuple(str(one) if name == "tracking_id" else one for name, one in zip(names, row, strict=True))
            for row in found
        ]

    migrated(OLD)
    with ExitStack() as stack:
        queue = stack.enter_context(directed())
        started = act("fill")
        scheduler = start(TestProcess, "runscheduler", QUICKLY, queue=queue, module=SETTINGS, environment=environment)
        stack.callback(finish, scheduler)
        workers: Cluster = stack.enter_context(cluster(workers=1, name=queue, module=SETTINGS, environment=environment))
        wait_until(has_ended(started), timeout=60, what="what was started by hand ends")
        wait_until(planned_after(read_now()), timeout=60, what="what is due runs")
        tasks, executions = rows("ScheduledTask"), rows("Execution", ended=True)
        logs = rows("ExecutionLog")
        assert len(tasks) == 7
        assert logs

        migrated()
        assert rows("ScheduledTask") == tasks
        assert rows("Execution", ended=True).items() >= executions.items()
        wait_until(has_ended(act("look")), timeout=60, what="the old worker runs it on the new tables")
        wait_until(planned_after(read_now()), timeout=60, what="the old scheduler plans on the new tables")
        assert ScheduledTask.objects.filter(paused_at=None, retired_at=None, pause_code="").count() == 6
        assert set(Execution.objects.values_list("release", "given_back")) == {("", 0)}
        executions = rows("Execution", ended=True)

        migrated(OLD)
        assert rows("ScheduledTask") == tasks
        assert rows("Execution", ended=True).items() >= executions.items()
        assert rows("ExecutionLog").items() >= logs.items()
        wait_until(has_ended(act("look")), timeout=60, what="the old worker runs it on its own tables")
        assert scheduler.is_running
        assert workers.is_running
        assert "Traceback" not in scheduler.text(), scheduler.text()
