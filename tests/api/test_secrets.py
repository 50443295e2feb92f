"""Secrets over REST: who sees what, what a change of function leaves, and masks that come back."""

from __future__ import annotations

import json

import pytest

from django_scheduled_tasks.api.viewsets import tasks as viewsets
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import EDITOR, LOG_VIEWER, OPERATOR, make_execution
from tests.secretive import LEVELS, NEVER_SHOWN, PARAMS, SAID, make_failed, make_nightly

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]
TASK, RUN = f"{ROOT}/tasks/nightly/", f"{ROOT}/tasks/nightly/run-once/"


@pytest.fixture
def nightly() -> ScheduledTask:
    return make_nightly()


@pytest.fixture
def failed(nightly):
    return make_failed(nightly)


# --- who sees what ------------------------------------------------------------------------------------------------

OUTPUTS = {
    "tasks": (TASK, "viewer"),
    "task list": (f"{ROOT}/tasks/", "viewer"),
    "functions": (f"{ROOT}/functions/", "viewer"),
    "executions": (f"{ROOT}/executions/", "viewer"),
    "execution": (f"{ROOT}/executions/{{execution}}/", "viewer"),
    "status": (f"{TASK}status/{{execution}}/", "viewer"),
    "altogic": ("/_api/rest/v1/task/{execution}", "viewer"),
    "logs": (f"{ROOT}/executions/{{execution}}/logs/", "log viewer"),
}
TELLS = {"executions", "execution", "status", "altogic", "logs"}
"""What shows what the function said, to those who may see it."""


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("level", LEVELS)
def test_nobody_sees_a_secret_and_who_sees_logs_sees_what_was_said(failed, level, output):
    address, least = OUTPUTS[output]
    response = client_of(*LEVELS[level]).get(address.format(execution=failed.tracking_id))
    text = response.content.decode()
    order = list(LEVELS)
    is_allowed = order.index(level) >= order.index(least)
    assert (response.status_code < 400) == is_allowed, text
    assert not any(secret in text for secret in NEVER_SHOWN)
    assert (SAID in text) == (is_allowed and output in TELLS and level in {"log viewer", "operator", "editor"})
    if is_allowed and output in TELLS - {"logs"}:
        assert "ValueError" in text
        assert (messages.HIDDEN in text) == (level == "viewer")


def test_sentences_of_our_own_are_for_everybody(nightly, viewer):
    cases = [
        (Outcome.TIMED_OUT, messages.TIMED_OUT % {"number": 5}),
        (Outcome.CANCELLED, messages.NOT_YIELDED % {"reason": messages.CANCELLED}),
        (Outcome.EXPIRED, messages.EXPIRED),
        (Outcome.SKIPPED, "Any reason."),
        (Outcome.WORKER_LOST, messages.WORKER_LOST % {"worker": "h"}),
    ]
    for outcome, text in cases:
        row = make_execution(
            nightly, status=Status.ERRORS, outcome=outcome, error_code=str(outcome), error_message=text
        )
        body = viewer.get(f"{ROOT}/executions/{row.tracking_id}/").json()
        assert [item["message"] for item in body["errors"]] == [text]


@pytest.mark.parametrize(
    "text", [messages.NOT_YIELDED % {"reason": "s3cret"}, messages.NOT_PLANNED % {"reason": "s3cret"}, "s3cret"]
)
def test_a_sentence_that_quotes_another_one_is_not(nightly, viewer, text):
    row = make_execution(nightly, status=Status.ERRORS, error_code="failed", error_message=text)
    body = viewer.get(f"{ROOT}/executions/{row.tracking_id}/").json()
    assert [item["message"] for item in body["errors"]] == [messages.HIDDEN]


def test_a_search_finds_no_message_that_is_not_shown(failed, viewer):
    address = f"{ROOT}/executions/?search=said by"
    assert viewer.get(address).json()["results"] == []
    assert len(client_of(*LOG_VIEWER).get(address).json()["results"]) == 1


def test_functions_show_no_default_of_a_secret(viewer):
    results = {item["name"]: item["parameters"] for item in viewer.get(f"{ROOT}/functions/").json()["results"]}
    password = results["testapp.log_in"]["properties"]["password"]
    assert (password["writeOnly"], password["format"], "default" in password) == (True, "password", False)
    assert "built-in" not in json.dumps(results)
    assert results["testapp.log_in"]["properties"]["user"]["default"] == "anna"


def test_a_history_whose_function_is_gone_is_hidden(failed, viewer):
    Execution.objects.update(function="shop.gone")
    address = f"{ROOT}/executions/{failed.tracking_id}/"
    assert set(viewer.get(address).json()["params"].values()) == {MASK}  # the row does not say: all of it
    Execution.objects.update(secret_params={"servers": {"0": {"token": True}}})
    shown = viewer.get(address).json()["params"]
    assert shown == PARAMS | {"password": MASK, "servers": [{"host": "a", "token": MASK}]}


def test_what_cannot_be_stored_is_refused_whether_or_not_a_secret_was_guessed(nightly, editor):
    ScheduledTask.objects.update(function="shop.gone")
    answers = [
        editor.patch(TASK, {"params": PARAMS | {"password": guess}}, format="json")
        for guess in ("x", PARAMS["password"])
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].content == answers[1].content


# --- another function ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_change_of_function_shows_no_secret(nightly, editor, method):
    body = {"function": "testapp.log_out"} | ({"name": "nightly"} if method == "put" else {})
    response = getattr(editor, method)(TASK, body, format="json")
    assert response.status_code == 200, response.content
    kept = {} if method == "put" else {"user": "anna"}
    assert response.json()["params"] == kept
    nightly.refresh_from_db()
    assert (nightly.params, nightly.secret_params) == (kept, {})


def test_a_mask_is_not_filled_in_for_another_function(nightly, editor):
    response = editor.patch(TASK, {"function": "testapp.log_out", "params": {"password": MASK}}, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_task", "params.password")])
    nightly.refresh_from_db()
    assert nightly.function == "testapp.log_in"


def test_a_rerun_under_another_function_is_refused(failed, operator, engine):
    ScheduledTask.objects.update(function="testapp.log_out", params={})
    response = operator.post(f"{ROOT}/executions/{failed.tracking_id}/rerun/")
    assert (response.status_code, codes(response)) == (409, [("function_changed", "")])
    assert "pa55word" not in response.content.decode()
    assert Execution.objects.count() == 1


# --- masks that come back -----------------------------------------------------------------------------------------


def test_what_was_read_can_be_run(failed, engine):
    client = client_of(*EDITOR)
    shown = client.get(TASK).json()["params"]
    assert shown["password"] == MASK
    again = f"{ROOT}/executions/{failed.tracking_id}/rerun/"
    for address, body in ((RUN, {"overlap": "allow"}), (again, {"overlap": "allow"})):
        response = client.post(address, {"params": shown, **body}, format="json")
        assert response.status_code == 202, response.content
        assert Execution.objects.latest("pk").params == PARAMS


@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_mask_stands_for_the_secret_as_it_is_when_the_task_is_locked(nightly, editor, monkeypatch, method):
    """Somebody changes it after the request has read the task."""
    shown = editor.get(TASK).json()["params"]
    real = viewsets.asked_versions

    def asked_versions(request):
        update_task(nightly, params=PARAMS | {"password": "ch4nged"})
        return real(request)

    monkeypatch.setattr(viewsets, "asked_versions", asked_versions)
    body = {"name": "nightly", "function": "testapp.log_in", "params": shown | {"user": "bob"}}
    assert getattr(editor, method)(TASK, body, format="json").status_code == 200
    nightly.refresh_from_db()
    assert nightly.params == PARAMS | {"password": "ch4nged", "user": "bob"}


def test_a_mask_that_stands_for_nothing_is_refused(nightly, operator, engine):
    response = operator.post(RUN, {"params": {"user": MASK}}, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_parameters", "user")])
    response = client_of(*EDITOR).post(
        f"{ROOT}/tasks/", {"name": "new", "function": "testapp.log_in", "params": {"password": MASK}}, format="json"
    )
    assert (response.status_code, codes(response)) == (422, [("invalid_task", "params.password")])
    assert not Execution.objects.exists()


def test_the_browsable_form_shows_no_default_of_a_secret(nightly):
    ScheduledTask.objects.update(params={}, secret_params=None)
    client = client_of(*OPERATOR)
    page = client.get(RUN, headers={"Accept": "text/html"}).content.decode()
    assert "default, which is secret" in page
    assert "built-in" not in page
