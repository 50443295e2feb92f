"""Alert rules that the code declares with its tasks."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks import Alerts, scheduled_task
from django_scheduled_tasks import registry as registered
from django_scheduled_tasks.alerting import OF_TASK
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import AlertRule, Channel, ScheduledTask, write_alias
from django_scheduled_tasks.registry import Registry
from django_scheduled_tasks.services.tasks import sync
from django_scheduled_tasks.services.tasks.declared import rules as declared_rules
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture
def declare(monkeypatch):
    """Return what declares one task in place of all others, and synchronises."""

    def put(**options):
        fresh = Registry()
        for module in (registered, sync, declared_rules):
            monkeypatch.setattr(module, "registry", fresh)

        def function() -> None: ...

        function.__module__ = "tests.testapp.tasks"
        scheduled_task(name="report", **options)(function)
        monkeypatch.setattr("django_scheduled_tasks.services.tasks.validation.registry", fresh)
        monkeypatch.setattr("django_scheduled_tasks.services.tasks.fields.registry", fresh)
        return sync_declared_tasks()

    return put


def rule():
    row = AlertRule.objects.filter(declared=True).first()
    return row and (row.task.name, row.after, sorted(row.channels.values_list("name", flat=True)))


def test_a_declared_rule_follows_the_code_and_counts_instead_of_the_others(declare):
    ops = Channel.objects.create(name="ops", kind="mail")
    declare(
        alerts=Alerts(channels=("ops",), after=2, remind_every="4h"), must_succeed_every="26h", must_finish_by="06:00"
    )
    task = ScheduledTask.objects.get(name="report")
    assert (task.own_rules_only, task.must_succeed_every, task.must_finish_by) == (True, timedelta(hours=26), time(6))
    assert rule() == ("report", 2, ["ops"])
    row = AlertRule.objects.get(declared=True)
    assert (set(row.kinds), row.scope, row.remind_every) == (OF_TASK, "task", timedelta(hours=4))
    AlertRule.objects.filter(pk=row.pk).update(after=9, enabled=False)
    row.channels.clear()
    declare(alerts=Alerts(channels=("ops",), kinds=("failing",), after=3))
    assert rule() == ("report", 3, ["ops"])
    row.refresh_from_db()
    assert (row.kinds, row.enabled, list(row.channels.all())) == (["failing"], False, [ops])
    declare(alerts=False)
    assert (rule(), ScheduledTask.objects.get().own_rules_only) == (None, True)
    declare()
    assert (rule(), ScheduledTask.objects.get().own_rules_only) == (None, False)


def test_a_channel_that_is_made_later_is_told_from_then_on(declare, caplog):
    declare(alerts=Alerts(channels=("ops", "boss")))
    assert rule() == ("report", 1, [])
    assert "nobody is told over boss, ops" in caplog.text
    channel = Channel.objects.create(name="other", kind="mail")
    assert rule() == ("report", 1, [])
    channel.name = "ops"
    channel.save()
    assert rule() == ("report", 1, ["ops"])


def test_a_new_channel_changes_nothing_of_a_rule_that_another_release_has_written(declare):
    declare(alerts=Alerts(channels=("ops",)))
    AlertRule.objects.filter(declared=True).update(after=3)
    Channel.objects.create(name="ops", kind="mail")
    assert rule() == ("report", 3, [])
    declare(alerts=Alerts(channels=("ops",)))
    assert rule() == ("report", 1, ["ops"])


def test_rules_of_staff_stay_and_a_second_sync_writes_nothing(declare):
    options = {"alerts": Alerts(channels=("ops",))}
    Channel.objects.create(name="ops", kind="mail")
    declare(**options)
    own = AlertRule.objects.create(name="own", scope="task", task=ScheduledTask.objects.get(), kinds=["late"])
    with CaptureQueriesContext(connections[write_alias()]) as found:
        declared_rules.follow_declared_rules()
    assert len(found) == 3
    declare()
    assert list(AlertRule.objects.filter(scope="task")) == [own]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"channels": "ops"}, TypeError),
        ({"channels": ()}, TypeError),
        ({"channels": ("ops",), "kinds": ("no_worker",)}, ValueError),
        ({"channels": ("ops",), "after": 0}, ValueError),
        ({"channels": ("ops",), "margin": "5s"}, ValueError),
        ({"channels": ("ops",), "remind_every": "often"}, InvalidSchedule),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(values, error):
    with pytest.raises(error):
        Alerts(**values)


@pytest.mark.parametrize(
    "values", [{"alerts": ("ops",)}, {"alerts": True}, {"must_finish_by": "6"}, {"must_finish_by": 6}]
)
def test_other_types_are_refused(declare, values):
    with pytest.raises(TypeError):
        declare(**values)


def test_alerts_without_a_task_are_refused():
    def function() -> None: ...

    with pytest.raises(TypeError, match="no task is declared"):
        scheduled_task(alerts=False)(function)
