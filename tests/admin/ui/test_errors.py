"""What the admin says of an error calls fields as its forms do."""

from __future__ import annotations

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages

from django_scheduled_tasks.admin.tasks.acts import pause
from django_scheduled_tasks.admin.tasks.form import form as forms
from django_scheduled_tasks.admin.ui import messages, starting
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.exceptions import FieldError, InvalidInput, InvalidParameters, InvalidTask
from tests.admin.pages import FORM, TASKS
from tests.factories import EDITOR, make_task, make_user

pytestmark = pytest.mark.django_db
LATE = InvalidInput([FieldError("not_before", "it is in the past.")])
MANY = InvalidTask([FieldError("max_runs", "at least 1."), FieldError("params.a", "a number.")])


def raising(error):
    def act(*_args, **_options):
        raise error

    return act


@pytest.fixture
def task(client):
    client.force_login(make_user(*EDITOR))
    return make_task(name="Nightly")


def test_fields_are_called_as_on_the_form_and_parameters_as_in_the_function():
    assert error_text(LATE) == "Not before: it is in the past."
    assert error_text(MANY) == "Most runs: at least 1. Parameters: a: a number."
    assert error_text(InvalidParameters([FieldError("max_runs", "a number.")])) == "max_runs: a number."
    assert error_text(InvalidInput([FieldError("end", "it is in the future.")])) == "end: it is in the future."


def test_messages_after_a_click_and_a_bulk_action(client, task):
    refusal = messages.Refusal(task, LATE)
    one, (several,) = messages.refused(site, refusal, None), messages.several(site, [], [refusal] * 2, None)
    assert "Not before: it is in the past." in one.html
    assert "(Not before: it is in the past)" in several.html


def test_the_page_that_asks(client, task, monkeypatch):
    monkeypatch.setattr(starting, "run_once", raising(LATE))
    page = client.post(f"{TASKS}{task.pk}/run-once/", {"dst_asked": "1", "param-as_json": "{}"})
    assert page.context["form"].errors == {"not_before": ["it is in the past."]}


def test_putting_back_what_the_code_says(client, task, monkeypatch):
    address = f"{TASKS}{task.pk}/put-back/"
    monkeypatch.setattr(pause, "put_back", raising(MANY))
    (said,) = get_messages(client.post(address, {"field": "max_runs"}).wsgi_request)
    assert str(said) == error_text(MANY)
    monkeypatch.setattr(pause, "differences", lambda _task: {"max_runs": (1, 2)})
    monkeypatch.setattr(pause, "put_back", lambda *_args, **_options: None)
    client.post(address, {"field": "max_runs"})
    assert LogEntry.objects.get().change_message == "Put back: Most runs."


def test_an_error_of_what_the_form_does_not_show(client, task, monkeypatch):
    monkeypatch.setattr(forms, "validate", raising(InvalidTask([FieldError("run_count", "there is no such number.")])))
    page = client.post(f"{TASKS}{task.pk}/change/", FORM)
    assert "Runs so far: there is no such number." in page.content.decode()
