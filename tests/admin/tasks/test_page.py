"""The page of one task: its form, and what it refuses."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections
from django.utils import timezone

from django_scheduled_tasks.admin.tasks.form.form import DURATIONS
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.validation import validate
from tests.admin.pages import FORM, TASKS
from tests.database import ALIAS
from tests.factories import EDITOR, make_task, make_user

pytestmark = pytest.mark.django_db


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
    assert errors["params"] == ["Please correct the values below."]
    assert response.content.decode().count("x: this function has no such parameter.") == 1
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
        ({"grace_0": "0", "grace_1": "60"}, "grace", "Ensure this value is greater than or equal to 1s."),
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


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="there the transaction is the lock")
@pytest.mark.parametrize("page", ["add", "change"])
def test_a_name_that_is_taken_while_the_form_is_being_saved_is_said_at_its_field(client, monkeypatch, page):
    client.force_login(make_user(*EDITOR))
    address = f"{TASKS}add/" if page == "add" else f"{TASKS}{make_task(name='mine').pk}/change/"

    def take_name() -> None:
        make_task(name="Nightly")
        connections[ALIAS].close()

    def validate_and_lose(task):
        monkeypatch.undo()
        validate(task)
        other = threading.Thread(target=take_name)
        other.start()
        other.join()

    monkeypatch.setattr(edit, "validate", validate_and_lose)  # the form has been checked by then
    response = client.post(address, FORM)
    assert response.status_code == 200
    assert "There is a scheduled task of this name already." in response.content.decode()
    assert ScheduledTask.objects.filter(name_key="nightly").count() == 1
