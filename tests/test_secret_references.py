"""Secrets by reference: only the worker has the value, and nothing that is stored, shown or written does."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
from pydantic import AfterValidator, SecretStr

from django_scheduled_tasks import task
from django_scheduled_tasks.exceptions import InvalidParameters, InvalidTask
from django_scheduled_tasks.models import Execution, ExecutionLog, ScheduledTask
from django_scheduled_tasks.parameters import Parameters
from django_scheduled_tasks.services.secrets import shown_params
from tests.admin.pages import FORM, TASKS
from tests.factories import EDITOR, make_task, make_user

REFERENCE = {"$secret": "STRIPE_KEY"}
VALUE = "sk_live_4711"


@pytest.fixture(autouse=True)
def listed(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"SECRETS": ("STRIPE_KEY", "PIN", "ABSENT")}
    settings.STRIPE_KEY = VALUE


def refuse(value: str) -> str:
    raise ValueError(f"I do not like {value}")


def function(
    key: str = "",
    count: int = 0,
    keys: list[str] | None = None,
    odd: Annotated[str, AfterValidator(refuse)] = "",
    **more,
) -> None: ...


PARAMETERS = Parameters(function, "f")


def errors_of(params: dict) -> list[tuple[str, str]]:
    with pytest.raises(InvalidParameters) as caught:
        PARAMETERS.clean(params)
    return [(error.field, error.code) for error in caught.value.errors]


def test_a_reference_is_stored_as_it_is_and_typed_as_its_value(monkeypatch):
    monkeypatch.setenv("PIN", "12")
    params = {"key": REFERENCE, "count": {"$secret": "PIN"}, "keys": ["a", REFERENCE], "more": {"deep": [REFERENCE]}}
    assert PARAMETERS.clean(params) == params
    typed = PARAMETERS.typed(params)
    assert typed == {"key": VALUE, "count": 12, "keys": ["a", VALUE], "more": {"deep": [VALUE]}}


def test_what_is_not_listed_is_refused_wherever_it_is(monkeypatch):
    monkeypatch.setenv("HOME_KEY", "x")
    assert errors_of({"keys": [{"$secret": "SECRET_KEY"}], "more": {"$secret": "HOME_KEY"}}) == [
        ("keys.0", "secret_unknown"),
        ("more", "secret_unknown"),
    ]


def test_what_this_process_does_not_have_may_be_of_any_type_but_cannot_be_called_with():
    params = {"count": {"$secret": "ABSENT"}}
    assert PARAMETERS.clean(params) == params
    with pytest.raises(InvalidParameters) as caught:
        PARAMETERS.typed(params)
    assert [(error.field, error.code) for error in caught.value.errors] == [("count", "secret_missing")]
    assert errors_of({"count": {"$secret": "ABSENT"}, "keys": 3}) == [("keys", "list_type")]


def test_a_value_of_the_wrong_type_is_refused_and_no_message_repeats_it():
    assert errors_of({"count": REFERENCE}) == [("count", "int_parsing")]
    with pytest.raises(InvalidParameters) as caught:
        PARAMETERS.clean({"odd": REFERENCE})
    assert VALUE not in str(caught.value.errors)


@pytest.mark.parametrize("almost", [{"$secret": 3}, {"$secret": "STRIPE_KEY", "a": 1}, "$secret", ["$secret"]])
def test_what_only_looks_like_one_is_a_value(almost):
    assert PARAMETERS.clean({"more": almost}) == {"more": almost}
    assert PARAMETERS.typed({"more": almost}) == {"more": almost}


@pytest.mark.django_db(transaction=True)
def test_the_function_gets_the_value_and_rows_logs_results_and_errors_never_have_it(engine):
    row = make_task(name="echo", function="testapp.echo_secret", params={"password": REFERENCE, "note": REFERENCE})
    info, errors = task("echo").run_once()
    assert errors is None
    engine.run_all()
    execution = Execution.objects.get()
    assert execution.params == row.params == {"password": REFERENCE, "note": REFERENCE}
    assert shown_params(execution) == execution.params
    assert execution.result["length"] == len(VALUE)
    log = " ".join(line.message for line in ExecutionLog.objects.all())
    assert "the key is" in log
    everything = json.dumps([execution.result, execution.params, log, str(info)])
    assert VALUE not in everything


@pytest.mark.django_db(transaction=True)
def test_a_secret_that_has_vanished_fails_the_execution_with_its_name(engine, settings):
    make_task(name="echo", function="testapp.echo_secret", params={"password": REFERENCE})
    task("echo").run_once()
    del settings.STRIPE_KEY
    engine.run_all()
    execution = Execution.objects.get()
    assert execution.outcome == "failed"
    assert 'have "STRIPE_KEY"' in execution.error_message


@pytest.mark.django_db
def test_a_task_with_an_unlisted_name_is_not_saved():
    from django_scheduled_tasks.services.tasks.edit import create_task

    with pytest.raises(InvalidTask) as caught:
        create_task(name="echo", function="testapp.echo_secret", params={"password": {"$secret": "SECRET_KEY"}})
    assert [(error.field, error.code) for error in caught.value.errors] == [("params.password", "secret_unknown")]


@pytest.mark.django_db
def test_the_form_shows_and_takes_a_reference(client):
    client.force_login(make_user(*EDITOR))
    text = json.dumps(REFERENCE)
    sent = FORM | {"function": "testapp.echo_secret", "param-as_json": "{}", "param-p-password": text}
    response = client.post(f"{TASKS}add/", sent)
    assert response.status_code == 302, response.context["adminform"].form.errors
    row = ScheduledTask.objects.get()
    assert row.params["password"] == REFERENCE
    page = client.get(f"{TASKS}{row.pk}/change/").content.decode()
    assert "{&quot;$secret&quot;: &quot;STRIPE_KEY&quot;}" in page


def test_a_secret_type_takes_a_reference():
    def secretive(pin: SecretStr) -> None: ...

    parameters = Parameters(secretive, "g")
    assert parameters.clean({"pin": REFERENCE}) == {"pin": REFERENCE}
    assert parameters.typed({"pin": REFERENCE})["pin"].get_secret_value() == VALUE
    assert parameters.mask({"pin": REFERENCE}) == {"pin": REFERENCE}
    assert parameters.secrets({"pin": REFERENCE}).declared == {VALUE}
