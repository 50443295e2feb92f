"""Migrations forth and back, with data."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]
APP = "django_scheduled_tasks"


def migrate(name: str) -> Any:
    """Migrate our tables to the state after the migration called *name*; return the models of that state."""
    executor = MigrationExecutor(connections[write_alias()])
    return executor.migrate([(APP, name)]).apps


@pytest.fixture
def migrated():
    yield migrate
    executor = MigrationExecutor(connections[write_alias()])
    executor.migrate([key for key in executor.loader.graph.leaf_nodes() if key[0] == APP])


def test_where_secrets_are_is_a_column_that_comes_and_goes_with_data_in_the_tables(migrated):
    params = {"password": "pa55word"}
    task = make_task(function="testapp.log_in", params=params)
    make_execution(task, secret_params=task.secret_params)
    before = migrated("0001_initial")
    assert before.get_model(APP, "ScheduledTask").objects.get().params == params
    assert before.get_model(APP, "Execution").objects.get().params == params
    migrated("0002_secret_params")
    for row in (ScheduledTask.objects.get(), Execution.objects.get()):
        assert (row.params, row.secret_params) == (params, None)
    migrated("0002_secret_params")
