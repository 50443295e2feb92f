"""What has changed since the last success."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.services.queries.executions.changed import changed_since_success
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.factories import make_execution, make_release, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
VERSIONS = {"python": "3.13.1", "django": "6.1", "tzdata": "2026c"}


def test_release_versions_parameters_and_worker_are_compared():
    old = make_release("1.4.0", versions=VERSIONS)
    new = make_release("1.5.0", versions=VERSIONS | {"django": "6.2"})
    task = make_task(function="testapp.add", params={"a": 1})
    before = make_execution(task, status=Status.COMPLETED, release=old.key, worker_host="one", params={"a": 1, "c": 3})
    make_execution(task, status=Status.ERRORS, release=old.key)
    failed = make_execution(
        task, status=Status.ERRORS, release=new.key, worker_host="two", params={"a": 2, "b": [1], "c": 3}
    )
    found = changed_since_success(failed)
    assert found.since == before
    assert [(one.what, one.name, one.before, one.after) for one in found.changes] == [
        ("release", "", "1.4.0", "1.5.0"),
        ("django", "", "6.1", "6.2"),
        ("parameter", "a", "1", "2"),
        ("parameter", "b", "—", "[1]"),
        ("worker", "", "one", "two"),
    ]
    assert [(one.what, one.after) for one in found.same] == [("python", "3.13.1"), ("tzdata", "2026c")]


def test_a_parameter_that_is_true_now_and_was_1_has_changed():
    task = make_task(function="testapp.give")
    make_execution(task, status=Status.COMPLETED, params={"value": 1})
    (change,) = changed_since_success(make_execution(task, status=Status.ERRORS, params={"value": True})).changes
    assert (change.before, change.after) == ("1", "true")


def test_of_one_release_only_the_versions_are_said():
    release = make_release(versions=VERSIONS)
    task = make_task()
    make_execution(task, status=Status.COMPLETED, release=release.key, worker_host="one")
    found = changed_since_success(make_execution(task, status=Status.ERRORS, release=release.key, worker_host="one"))
    assert found.changes == ()
    assert len(found.same) == 3


def test_two_releases_of_one_name_are_told_apart():
    old, new = make_release("1.0"), make_release("1.0")
    task = make_task()
    make_execution(task, status=Status.COMPLETED, release=old.key)
    (change,) = changed_since_success(make_execution(task, status=Status.ERRORS, release=new.key)).changes
    assert (change.before, change.after) == (old.key, new.key)


def test_a_secret_that_is_another_one_now_is_not_shown():
    task = make_task(function="testapp.secretive", params={"password": "pa55word"})
    make_execution(task, status=Status.COMPLETED, params={"password": "pa55word"})
    found = changed_since_success(make_execution(task, status=Status.ERRORS, params={"password": "s3cret"}))
    assert found.changes == ()
    assert "s3cret" not in str(found.changes)


def test_what_never_succeeded_has_nothing_to_compare_with():
    task = make_task()
    assert changed_since_success(make_execution(task, status=Status.ERRORS)) is None
    failed = make_execution(task, status=Status.ERRORS)
    failed.task_id = None
    assert changed_since_success(failed) is None


def test_fields_of_the_task_that_somebody_has_changed_since_are_named_with_who_and_when():
    anna = make_user(name="anna")
    task = make_task(schedule_kind="cron", expression="0 3 * * *", timeout=timedelta(minutes=10))
    update_task(task, timeout=timedelta(minutes=9))  # before the success
    make_execution(task, status=Status.COMPLETED, started_at=read_now())
    update_task(task, user=anna, expression="0 4 * * *", timeout=timedelta(minutes=7))
    task = update_task(task, timeout=timedelta(minutes=5), description="Another one.")
    failed = make_execution(task, status=Status.ERRORS, started_at=read_now())
    update_task(task, expression="0 5 * * *")  # after it
    found = changed_since_success(failed)
    assert {one.name: (one.before, one.after, one.by) for one in found.changes} == {
        "expression": ("0 3 * * *", "0 4 * * *", "anna"),
        "timeout": ("00:09:00", "00:05:00", ""),
        "description": ("", "Another one.", ""),
    }
    assert {one.what for one in found.changes} == {"task"}
    assert all(one.at is not None for one in found.changes)
