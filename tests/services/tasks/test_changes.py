"""Who changed what of a task: one row for each deed, in its transaction."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from django_scheduled_tasks.exceptions import AlreadyPaused, InvalidTask
from django_scheduled_tasks.lifecycle import PauseCode
from django_scheduled_tasks.models import Change, frozen_at, read_now
from django_scheduled_tasks.services.scheduling.retention import prune
from django_scheduled_tasks.services.tasks.edit import create_task, delete_task, pause, resume, update_task
from tests.factories import make_task, make_user

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
