"""Migrations forth and back, with data."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from django_scheduled_tasks.models import Alert, AlertRule, Channel, Execution, Notice, read_now, write_alias
from django_scheduled_tasks.services.releases import live
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


@pytest.mark.slow
def test_where_secrets_are_is_a_column_that_comes_and_goes_with_data_in_the_tables(migrated):
    params = {"password": "pa55word"}
    task = make_task(function="testapp.log_in", params=params)
    make_execution(task, secret_params=task.secret_params)
    before = migrated("0001_initial")
    assert before.get_model(APP, "ScheduledTask").objects.get().params == params
    assert before.get_model(APP, "Execution").objects.get().params == params
    after = migrated("0002_secret_params")
    for row in (after.get_model(APP, "ScheduledTask").objects.get(), after.get_model(APP, "Execution").objects.get()):
        assert (row.params, row.secret_params) == (params, None)
    migrated("0002_secret_params")


def test_the_code_of_the_release_before_goes_on_with_the_tables_of_this_one():
    """During a deploy: what it writes does not name the columns that it does not know."""
    make_execution(make_task())
    executor = MigrationExecutor(connections[write_alias()])
    old = executor.loader.project_state((APP, "0002_secret_params")).apps
    task, execution = old.get_model(APP, "ScheduledTask").objects.get(), old.get_model(APP, "Execution").objects.get()
    task.pk, task.name, task.name_key = uuid4(), "another", "another"
    task.save(force_insert=True)
    execution.pk, execution.tracking_id, execution.task = None, uuid4(), task
    execution.save(force_insert=True)
    written = Execution.objects.select_related("task").get(pk=execution.pk)
    assert (written.release, written.given_back) == ("", 0)
    assert (written.task.pause_code, written.task.declared_release, written.task.declared_at) == ("", "", None)
    now = read_now()
    old.get_model(APP, "Presence").objects.create(
        kind="worker", identity="worker:here:", host="here", started_at=now, last_seen_at=now
    )
    assert live.alive().has_silent


@pytest.mark.slow
def test_a_new_installation_has_a_rule_that_tells_admins(migrated):
    migrated("0007_changes")
    models = migrated("0008_alerts")
    rule = models.get_model(APP, "AlertRule").objects.get()
    assert (rule.enabled, rule.scope) == (True, "all")
    assert rule.kinds == ["failing", "missed", "no_scheduler", "no_worker"]
    channel = rule.channels.get()
    assert (channel.kind, channel.address, channel.enabled) == ("mail", "", True)


def test_who_goes_back_has_no_alerts_of_kinds_that_are_not_known_there(migrated):
    now = read_now()
    for kind in ("stale", "deadline", "failing"):
        alert = Alert.objects.create(kind=kind, opened_at=now, open_key=kind)
        channel = Channel.objects.create(name=kind, kind="mail")
        Notice.objects.create(alert=alert, channel=channel, event="opened", created_at=now)
    known = ["failing", "missed", "stale", "deadline", "no_scheduler", "no_worker"]
    AlertRule.objects.all().delete()
    AlertRule.objects.create(name="Default", kinds=known)
    before = migrated("0009_bad_ends")
    kinds = before.get_model(APP, "AlertRule").objects.get().kinds
    assert kinds == ["failing", "missed", "no_scheduler", "no_worker"]
    assert [row.kind for row in before.get_model(APP, "Alert").objects.all()] == ["failing"]
    models = migrated("0010_alert_terms")
    after = models.get_model(APP, "Alert").objects.get()
    assert (after.comment, after.silence_reason, after.closed_by_hand) == ("", "", False)
    assert models.get_model(APP, "AlertRule").objects.get().kinds == known


def test_who_goes_back_keeps_channels_of_kinds_that_are_not_known_there_but_switched_off(migrated):
    for name, kind in [("old", "mail"), ("chat", "apprise"), ("siren", "siren")]:
        Channel.objects.create(name=name, kind=kind)
    before = migrated("0010_alert_terms").get_model(APP, "Channel").objects.exclude(name="ADMINS by mail")
    assert set(before.values_list("name", "kind", "enabled")) == {
        ("old", "mail", True),
        ("chat", "webhook", False),
        ("siren", "webhook", False),
    }


def test_the_code_before_goes_on_with_channels():
    executor = MigrationExecutor(connections[write_alias()])
    old = executor.loader.project_state((APP, "0010_alert_terms")).apps.get_model(APP, "Channel")
    old.objects.create(name="ops", kind="mail")
    found = Channel.objects.get(name="ops")
    assert (found.failing_since, found.failed_tries, found.last_answer) == (None, 0, "")
