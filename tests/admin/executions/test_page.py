"""The page of one execution: what it says in each state, and what it hides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Change, Execution, read_now
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.admin.pages import EXECUTIONS
from tests.factories import LOG_VIEWER, VIEWER, make_execution, make_release, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("status", "outcome", "text"),
    [
        (Status.PENDING, "", "Waiting for a worker."),
        (Status.PROCESSING, "", "Running"),
        (Status.COMPLETED, Outcome.SUCCEEDED, "Finished without an error."),
        (Status.ERRORS, Outcome.FAILED, "The function raised an error."),
        (Status.ERRORS, Outcome.TIMED_OUT, "Timed out"),
        (Status.ERRORS, Outcome.WORKER_LOST, "Worker lost"),
        (Status.ERRORS, Outcome.CANCELLED, "Cancelled"),
        (Status.ERRORS, Outcome.EXPIRED, "Expired"),
        (Status.ERRORS, Outcome.SKIPPED, "Skipped"),
        (Status.ERRORS, Outcome.MISSED, "Missed"),
    ],
)
def test_the_page_of_an_execution_in_each_state(page_of, status, outcome, text):
    execution = make_execution(status=status, outcome=outcome)
    page = page_of(f"{EXECUTIONS}{execution.pk}/change/", *VIEWER)
    assert text in page
    assert f"Execution #{execution.pk}" in page
    assert str(execution.tracking_id) in page
    assert '<input type="submit"' not in page


def test_fields_of_the_task_that_somebody_has_changed_stand_there_for_who_may_see_the_task(page_of):
    task = make_task(schedule_kind="cron", expression="0 3 * * *")
    make_execution(task, status=Status.COMPLETED, started_at=read_now())
    task = update_task(task, user=make_user(name="anna"), timeout=timedelta(seconds=90), expression="0 4 * * *")
    failed = make_execution(task, status=Status.ERRORS, started_at=read_now())
    page = page_of(f"{EXECUTIONS}{failed.pk}/change/", *VIEWER)
    assert "<li>Expression: 0 3 * * * → 0 4 * * *" in page
    assert "<li>Time limit: — → 1 min 30 s" in page.replace("\xa0", " ")
    assert "(anna, <" in page
    page = page_of(f"{EXECUTIONS}{failed.pk}/change/", "view_execution")
    assert "0 4 * * *" not in page
    assert "anna" not in page


def test_results_and_tracebacks_are_for_those_who_may_see_logs(page_of):
    execution = make_execution(
        status=Status.ERRORS,
        error_type="ValueError",
        error_message="<script>alert(1)</script>",
        traceback="Traceback <here>",
        result={"rows": 4711},
    )
    path = f"{EXECUTIONS}{execution.pk}/change/"
    page = page_of(path, *VIEWER)
    assert "ValueError: The message is for those who may see logs." in page
    assert "alert(1)" not in page
    assert "Traceback" not in page
    assert "4711" not in page
    page = page_of(path, *LOG_VIEWER)
    assert "ValueError: &lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "Traceback &lt;here&gt;" in page
    assert "4711" in page


def test_secrets_are_masked(page_of):
    task = make_task(function="testapp.secretive", params={"password": "p4ss", "user": "anna"})
    page = page_of(f"{EXECUTIONS}{make_execution(task).pk}/change/", *LOG_VIEWER)
    assert "p4ss" not in page
    assert "anna" in page
    gone = make_execution(task, function="shop.gone")
    assert "p4ss" not in page_of(f"{EXECUTIONS}{gone.pk}/change/", *LOG_VIEWER)


def test_an_execution_can_be_neither_added_nor_changed(client):
    client.force_login(make_user(superuser=True))
    execution = make_execution()
    assert client.get(f"{EXECUTIONS}add/").status_code == 403
    client.post(f"{EXECUTIONS}{execution.pk}/change/", {"status": "completed"})
    assert Execution.objects.get().status == Status.PENDING


def test_what_has_changed_since_the_last_success_stands_below_what_went_wrong(page_of):
    old, new = make_release("1.4.0"), make_release("1.5 <b>")
    task = make_task(function="testapp.add", params={"a": 1})
    never = make_execution(task, status=Status.ERRORS)
    before = make_execution(task, status=Status.COMPLETED, release=old.key, worker_host="one", params={"a": 1})
    failed = make_execution(task, status=Status.ERRORS, release=new.key, worker_host="two", params={"a": "<i>"})
    page = page_of(f"{EXECUTIONS}{failed.pk}/change/", *VIEWER)
    assert "Changed since <a href=" in page
    assert f"#{before.pk}</a>, which completed:" in page
    for text in ("Release: 1.4.0 → 1.5 &lt;b&gt;", "Parameter a: 1 → &quot;&lt;i&gt;&quot;", "Worker: one → two"):
        assert text in page
    assert "The same: Python" in page
    again = make_execution(task, status=Status.ERRORS, release=old.key, worker_host="one", params={"a": 1})
    page = page_of(f"{EXECUTIONS}{again.pk}/change/", *VIEWER)
    assert "Nothing that is recorded has changed since" in page
    assert "It has never succeeded." in page_of(f"{EXECUTIONS}{never.pk}/change/", *VIEWER)
    assert "which completed" not in page_of(f"{EXECUTIONS}{before.pk}/change/", *VIEWER)


def test_a_changed_field_that_only_another_release_knows_has_its_plain_name(page_of):
    task, before = make_task(), read_now() - timedelta(minutes=1)
    make_execution(task, status=Status.COMPLETED, triggered_at=before, started_at=before, completed_at=before)
    fields = [{"field": "window", "old": None, "new": "<5 h"}]
    Change.objects.create(task=task.pk, task_name=task.name, at=read_now(), deed="changed", fields=fields)
    failed = make_execution(task, status=Status.ERRORS, started_at=read_now())
    assert "Window: — → &lt;5 h" in page_of(f"{EXECUTIONS}{failed.pk}/change/", *VIEWER)
