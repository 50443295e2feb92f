"""Who changed what of a task: one row for each deed, in its transaction."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import transaction

from django_scheduled_tasks.exceptions import AlreadyPaused, InvalidTask
from django_scheduled_tasks.lifecycle import Origin, Overlap, PauseCode, Status, Trigger
from django_scheduled_tasks.models import AlertRule, Change, Channel, Way, frozen_at, read_now
from django_scheduled_tasks.services.alerts.edit_rules import save_channel, save_rule
from django_scheduled_tasks.services.alerts.recorded import as_texts, delete_row, record_edit
from django_scheduled_tasks.services.door import through
from django_scheduled_tasks.services.releases.own import own
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.scheduling.retention import prune
from django_scheduled_tasks.services.starting.backfill import backfill
from django_scheduled_tasks.services.tasks.autopause import pause_if_it_keeps_failing
from django_scheduled_tasks.services.tasks.changes.undo import values_to_put_back
from django_scheduled_tasks.services.tasks.edit import create_task, delete_task, pause, resume, update_task
from django_scheduled_tasks.services.tasks.holds import change_hold, hold, release
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def deeds() -> list[tuple[str, str, list[dict]]]:
    return [(row.deed, row.user_name, row.fields) for row in Change.objects.order_by("pk")]


def test_each_deed_has_a_row_that_outlives_the_task():
    anna = make_user(name="anna")
    task = create_task(name="bill", function="testapp.noop", user=anna)
    task = update_task(task, user=anna, name="invoice", max_attempts=3)
    task = pause(task, user=anna, reason="audit")
    task = resume(task)
    number = task.pk
    delete_task(task, user=anna)
    assert deeds() == [
        ("created", "anna", []),
        (
            "changed",
            "anna",
            [
                {"field": "name", "old": "bill", "new": "invoice"},
                {"field": "max_attempts", "old": "1", "new": "3"},
            ],
        ),
        ("paused", "anna", [{"field": "pause_reason", "old": "", "new": "audit"}]),
        ("resumed", "", [{"field": "pause_reason", "old": "audit", "new": ""}]),
        ("deleted", "anna", []),
    ]
    assert {(row.task, row.task_name) for row in Change.objects.all()[1:]} == {(number, "invoice")}


def test_what_changes_nothing_or_is_refused_has_none():
    task = make_task(max_attempts=2)
    pause(task, user=make_user())
    Change.objects.all().delete()
    update_task(task, max_attempts=2)
    with pytest.raises(InvalidTask):
        update_task(task, timezone="Europe/Nowhere")
    with pytest.raises(AlreadyPaused), transaction.atomic():
        pause(task, reason="another")
    assert deeds() == []


def test_a_secret_that_was_changed_is_told_without_telling_it():
    task = make_task(function="testapp.secretive", params={"password": "first-secret", "user": "anna"})
    Change.objects.all().delete()
    update_task(task, params={"password": "second-secret", "user": "ben"})
    assert deeds() == [
        (
            "changed",
            "",
            [
                {"field": "params", "name": "password", "old": '"••••••••"', "new": '"••••••••"'},
                {"field": "params", "name": "user", "old": '"anna"', "new": '"ben"'},
            ],
        )
    ]


def test_true_is_another_value_than_1():
    task = make_task(function="testapp.give", params={"value": {"a": [1, 0]}})
    Change.objects.all().delete()
    assert update_task(task, params={"value": {"a": [True, 0]}}).params["value"]["a"][0] is True
    assert deeds() == [
        ("changed", "", [{"field": "params", "name": "value", "old": '{"a": [1, 0]}', "new": '{"a": [true, 0]}'}])
    ]
    update_task(
        task, params={"value": {"a": [True, 0.0]}}
    )  # numbers are as they were: databases write them as they like
    assert Change.objects.count() == 1


def test_a_task_that_the_scheduler_pauses_has_one_as_well():
    task = make_task()
    Change.objects.all().delete()
    pause(task, reason="It keeps failing.", code=PauseCode.KEEPS_FAILING)
    assert deeds() == [("paused", "", [{"field": "pause_reason", "old": "", "new": "It keeps failing."}])]


def test_they_are_kept_for_as_long_as_the_setting_says(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"KEEP_CHANGES_FOR": timedelta(days=30)}
    make_task(name="one")
    with frozen_at(read_now() + timedelta(days=29)):
        prune(dry_run=True)
        prune()
        assert Change.objects.count() == 1
    with frozen_at(read_now() + timedelta(days=31)):
        prune(dry_run=True)
        assert Change.objects.count() == 1
        prune()
    assert not Change.objects.exists()


def test_who_through_what_and_why_are_recorded():
    anna = make_user(name="anna")
    task = make_task(name="bill")
    with through(Way.API, "ops laptop", "203.0.113.9"):
        update_task(task, user=anna, max_attempts=3, expression="0 4 * * *", schedule_kind="cron", reason="too early")
    row = Change.objects.latest("pk")
    assert (row.way, row.door, row.address, row.reason) == ("api", "ops laptop", "203.0.113.9", "too early")
    assert row.kinds == ["limits", "schedule"]
    assert "max_attempts 1 3" in row.text
    update_task(task, max_attempts=1, puts_back=row.pk)
    last = Change.objects.latest("pk")
    assert (last.way, last.kinds, last.puts_back) == ("python", ["limits", "put_back"], row.pk)


def test_holds_cancelled_executions_and_backfills_are_recorded():
    anna = make_user(name="anna")
    task = make_task(name="bill", schedule_kind="cron", expression="0 * * * *")
    Change.objects.all().delete()
    held = hold("tag", tag="mail", reason="deploy", user=anna)
    change_hold(held, until=read_now() + timedelta(hours=1), user=anna)
    release(held, user=anna)
    hold("task", task=task, reason="audit", user=anna)
    cancel(make_execution(task).tracking_id, user=anna)
    now = read_now()
    backfill(task, start=now - timedelta(hours=2), end=now, overlap=Overlap.QUEUE_ALL, reason="gap", user=anna)
    assert [(row.deed, row.task_name, row.task, row.reason) for row in Change.objects.order_by("pk")] == [
        ("held", "tag:mail", None, "deploy"),
        ("hold_changed", "tag:mail", None, "deploy"),
        ("released", "tag:mail", None, "deploy"),
        ("held", "bill", task.pk, "audit"),
        ("cancelled", "bill", task.pk, ""),
        ("backfilled", "bill", task.pk, "gap"),
    ]
    assert {row.user_name for row in Change.objects.all()} == {"anna"}


def test_what_the_code_declares_and_what_the_system_decides_is_theirs():
    make_task(name="old", origin=Origin.CODE)
    sync_declared_tasks()  # it is declared no longer
    row = Change.objects.latest("pk")
    assert (row.task_name, row.deed, row.way, row.door) == ("old", "paused", "code", own().name)
    task = make_task(pause_after_failures=1)
    execution = make_execution(task, trigger=Trigger.SCHEDULE, status=Status.ERRORS, scheduled_for=read_now())
    assert pause_if_it_keeps_failing(execution)
    assert Change.objects.latest("pk").way == "system"


def test_rules_and_channels_are_recorded_without_the_secret_part_of_an_address():
    anna = make_user(name="anna")
    Change.objects.all().delete()
    channel = save_channel(Channel(), user=anna, name="Ops", kind="mail")
    rule = save_rule(AlertRule(), user=anna, name="Night", kinds=["failing"], channels=[channel.pk])
    save_rule(rule, user=anna, after=3)
    save_rule(rule, user=anna, after=3)
    delete_row(rule, user=anna)
    hook = Channel.objects.create(name="Hook", kind="webhook", address="https://example.com/secret", secret_name="X")
    before = as_texts(hook)
    hook.address = "https://example.org/another"
    record_edit(hook, before=before, user=anna)
    assert [(row.deed, row.task_name, row.fields) for row in Change.objects.order_by("pk")] == [
        ("created", "channel:Ops", []),
        ("created", "rule:Night", []),
        ("changed", "rule:Night", [{"field": "after", "old": "1", "new": "3"}]),
        ("deleted", "rule:Night", []),
        (
            "changed",
            "channel:Hook",
            [{"field": "address", "old": "https://example.com/••••••••", "new": "https://example.org/••••••••"}],
        ),
    ]


@pytest.mark.parametrize(
    ("values", "field", "name"),
    [
        ({"timeout": timedelta(minutes=5)}, "timeout", ""),
        ({"tags": ["mail", "night"]}, "tags", ""),
        ({"starts_at": datetime(2026, 5, 1, tzinfo=UTC)}, "starts_at", ""),
        ({"must_finish_by": time(6)}, "must_finish_by", ""),
        ({"retry_on": ["ValueError"]}, "retry_on", ""),
        ({"enabled": False}, "enabled", ""),
        ({"schedule_kind": "interval", "expression": "5m"}, "expression", ""),
        ({"params": {"value": 3}}, "params", "value"),
    ],
)
def test_each_kind_of_field_can_be_put_back(values, field, name):
    task = make_task(function="testapp.give", schedule_kind="cron", expression="0 3 * * *", params={"value": [1, "ü"]})
    before = {key: getattr(task, key) for key in values}
    update_task(task, **values)
    change = Change.objects.latest("pk")
    task.refresh_from_db()
    found = values_to_put_back(task, change, field, name)
    assert found is not None
    assert found.is_as_left
    assert {key: getattr(update_task(task, **found.values), key) for key in values} == before


def test_what_was_masked_or_cut_cannot_be_put_back_and_what_was_changed_again_says_so():
    task = make_task(function="testapp.secretive", params={"password": "first-secret", "user": "anna"})
    update_task(task, params={"password": "second-secret", "user": "anna"}, description="x" * 3_000)
    change = Change.objects.latest("pk")
    task = update_task(task, description="")
    change_back = Change.objects.latest("pk")
    assert values_to_put_back(task, change, "params", "password") is None
    assert values_to_put_back(task, change_back, "description") is None
    assert values_to_put_back(task, change, "timeout") is None
    found = values_to_put_back(task, change, "description")
    assert found is not None
    assert not found.is_as_left
