"""The pages of the admin open, say what they should, and hide what they should."""

from __future__ import annotations

import pytest
from django.utils import timezone

from django_scheduled_tasks.admin.tasks.forms import DURATIONS
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.tasks.edit import pause
from tests.factories import EDITOR, LOG_VIEWER, VIEWER, make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
TASKS = "/admin/django_scheduled_tasks/scheduledtask/"
EXECUTIONS = "/admin/django_scheduled_tasks/execution/"


@pytest.fixture
def page_of(client):
    def get(path: str, *permissions: str) -> str:
        client.force_login(make_user(*permissions))
        response = client.get(path)
        assert response.status_code == 200, response.status_code
        return response.content.decode()

    return get


def test_the_list_of_tasks(page_of):
    task = make_task(name="Nightly", schedule_kind="cron", expression="0 3 * * *", timezone="Europe/Berlin")
    make_execution(task, status=Status.ERRORS)
    pause(make_task(name="Monthly", schedule_kind="cron", expression="30 2 1 * *"), reason="audit")
    ScheduledTask.objects.filter(pk=make_task(name="Gone").pk).update(function="shop.gone")
    page = page_of(TASKS, *VIEWER)
    for text in ("Every day at 03:00", "0 3 * * *</span> · Europe/Berlin", "Failed", "Paused", "audit", "Broken"):
        assert text in page


def test_the_list_takes_as_many_statements_for_many_tasks_as_for_one(client, django_assert_num_queries):
    client.force_login(make_user(superuser=True))
    counts = []
    for _ in range(2):
        for _ in range(10):
            make_execution(make_task(), status=Status.COMPLETED)
        from django.test.utils import CaptureQueriesContext

        from tests.database import connection

        with CaptureQueriesContext(connection) as queries:
            client.get(TASKS)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


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
    assert "ValueError: &lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "Traceback" not in page
    assert "4711" not in page
    page = page_of(path, *LOG_VIEWER)
    assert "Traceback &lt;here&gt;" in page
    assert "4711" in page


def test_secrets_are_masked(page_of):
    task = make_task(function="testapp.secretive", params={"password": "p4ss", "user": "anna"})
    page = page_of(f"{EXECUTIONS}{make_execution(task).pk}/change/", *LOG_VIEWER)
    assert "p4ss" not in page
    assert "anna" in page
    gone = make_execution(task, function="shop.gone")
    assert "p4ss" not in page_of(f"{EXECUTIONS}{gone.pk}/change/", *LOG_VIEWER)


def test_the_history(page_of):
    execution = make_execution(make_task(name="Nightly"), status=Status.ERRORS, error_message="No paper.\nReally.")
    page = page_of(EXECUTIONS, *VIEWER)
    for text in (f"#{execution.pk}", "Nightly", "No paper.", "Failed"):
        assert text in page
    assert "Really." not in page


def test_an_execution_can_be_neither_added_nor_changed(client):
    client.force_login(make_user(superuser=True))
    execution = make_execution()
    assert client.get(f"{EXECUTIONS}add/").status_code == 403
    client.post(f"{EXECUTIONS}{execution.pk}/change/", {"status": "completed"})
    assert Execution.objects.get().status == Status.PENDING


FORM = {
    "name": "Nightly",
    "function": "testapp.noop",
    "enabled": "on",
    "schedule_kind": "cron",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "param-as_json": "{}",
    "overlap": "skip",
    "catch_up": "latest",
    "max_attempts": "1",
    "min_backoff_0": "10",
    "min_backoff_1": "1",
    "max_backoff_0": "300",
    "max_backoff_1": "1",
    "max_doublings": "3",
    "on_worker_lost": "fail",
    "log_level": "INFO",
}


def test_a_task_is_added_and_changed_through_the_services(client):
    user = make_user(*EDITOR)
    client.force_login(user)
    response = client.post(f"{TASKS}add/", FORM)
    assert response.status_code == 302, response.context["adminform"].errors
    task = ScheduledTask.objects.get()
    assert (task.created_by, task.next_run_at is not None) == (user, True)
    client.post(f"{TASKS}{task.pk}/change/", FORM | {"cron": "0 4 * * *"})
    task.refresh_from_db()
    assert task.expression == "0 4 * * *"


def test_the_form_for_a_new_task_begins_with_the_models_defaults(client):
    client.force_login(make_user(*EDITOR))
    form = client.get(f"{TASKS}add/").context["adminform"].form
    defaults = ScheduledTask()
    for name in (*DURATIONS, "overlap", "catch_up", "on_worker_lost", "log_level", "max_attempts", "max_doublings"):
        assert form[name].value() == getattr(defaults, name), name


def test_all_wrong_fields_are_said_at_once_at_their_fields(client):
    client.force_login(make_user(*EDITOR))
    wrong = {"name": "-", "cron": "61 * * * *", "param-use_json": "on", "param-as_json": '{"x": 1}'}
    response = client.post(f"{TASKS}add/", FORM | wrong)
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert set(errors) == {"name", "cron", "params"}
    assert errors["cron"] == ["Minute: 61 is not between 0 and 59."]
    assert errors["params"] == ["x: this function has no such parameter."]
    assert not ScheduledTask.objects.exists()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    ("wrong", "field", "text"),
    [
        *(
            ({f"{name}_0": "99999999", f"{name}_1": "604800"}, name, "699999993d is more than a hundred years.")
            for name in DURATIONS
        ),
        ({"keep_for_0": "1e300", "keep_for_1": "604800"}, "keep_for", "This is too long."),
        ({"keep_for_0": "-1", "keep_for_1": "60"}, "keep_for", "Ensure this value is greater than or equal to 0."),
        ({"keep_last": "0"}, "keep_last", "Ensure this value is greater than or equal to 1."),
        (
            {"starts_at_0": "0001-01-01", "starts_at_1": "00:00:00"},
            "starts_at",
            "Ensure this value is greater than or equal to 1970-01-01.",
        ),
        (
            {"ends_at_0": "9999-12-31", "ends_at_1": "23:59:59"},
            "ends_at",
            "Ensure this value is less than or equal to 9000-01-01.",
        ),
    ],
)
def test_what_is_too_much_is_said_at_its_field(client, zone, wrong, field, text):
    client.force_login(make_user(*EDITOR))
    with timezone.override(zone):
        response = client.post(f"{TASKS}add/", FORM | wrong)
    assert response.status_code == 200
    assert response.context["adminform"].form.errors == {field: [text]}
    assert not ScheduledTask.objects.exists()


def test_an_interval_of_more_than_a_hundred_years_is_said_at_its_field(client):
    client.force_login(make_user(*EDITOR))
    much = {"schedule_kind": "interval", "every_0": "500000", "every_1": "604800"}
    response = client.post(f"{TASKS}add/", FORM | much)
    assert "3500000d is more than a hundred years." in response.context["adminform"].form.errors["every"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_pause_ends_at_an_instant_that_can_be_kept(client, zone, day):
    client.force_login(make_user(*EDITOR))
    task = make_task()
    with timezone.override(zone):
        response = client.post(f"{TASKS}{task.pk}/pause/", {"until_0": day, "until_1": "23:59:59"})
    assert response.status_code == 200
    assert list(response.context["form"].errors) == ["until"]
    assert ScheduledTask.objects.get().paused_at is None


def test_a_function_that_is_gone_stays_selected_and_says_so(page_of):
    task = make_task()
    ScheduledTask.objects.update(function="shop.gone")
    assert "shop.gone (no longer in the code)" in page_of(f"{TASKS}{task.pk}/change/", *EDITOR)


def test_pausing_resuming_and_deleting(client):
    client.force_login(make_user(superuser=True))
    task = make_task(schedule_kind="cron", expression="0 3 * * *")
    chosen = {"_selected_action": [str(task.pk)]}
    page = client.post(TASKS, {"action": "pause_selected", **chosen}).content.decode()
    assert "Why? (shown on the list)" in page
    assert ScheduledTask.objects.get().next_run_at is not None
    client.post(TASKS, {"action": "pause_selected", "dst_asked": "1", "reason": "audit", **chosen})
    assert ScheduledTask.objects.get().pause_reason == "audit"
    assert ScheduledTask.objects.get().next_run_at is None
    client.post(TASKS, {"action": "resume_selected", **chosen})
    assert ScheduledTask.objects.get().next_run_at is not None
    client.post(TASKS, {"action": "delete_selected", "post": "yes", **chosen})
    assert not ScheduledTask.objects.exists()
    task = make_task()
    client.post(f"{TASKS}{task.pk}/delete/", {"post": "yes"})
    assert not ScheduledTask.objects.exists()
