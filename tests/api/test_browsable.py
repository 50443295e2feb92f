"""The browsable API: pages for people who try the calls."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from django.test import Client

from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS
from tests.api.conftest import ROOT
from tests.factories import EDITOR, OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db


def browser_of(*permissions: str) -> Client:
    client = Client(headers={"Accept": "text/html"})
    client.force_login(make_user(*permissions))
    return client


def test_opening_run_once_shows_a_form_with_the_functions_parameters(engine):
    make_task(name="typed", function="testapp.typed", params={"size": "m"})
    client = browser_of(*OPERATOR)
    page = client.get(f"{ROOT}/tasks/typed/run-once/").content.decode()
    for name in ("day", "moment", "amount", "colour", "size", "tags", "address"):
        assert f'name="params.{name}"' in page, name
    assert 'type="date"' in page
    assert "If empty: &quot;m&quot;." in page
    assert "Needed." in page
    body = {"params.day": "2026-03-20", "params.tags": "[1, 2]", "params.size": "s", "params.amount": "", "reason": "x"}
    response = client.post(f"{ROOT}/tasks/typed/run-once/", body)
    assert response.status_code == 202, response.content.decode()
    execution = Execution.objects.get()
    assert execution.params == {"day": "2026-03-20", "tags": [1, 2], "size": "s"}
    assert execution.reason == "x"


def test_wrong_input_in_the_form_is_told_for_each_parameter():
    make_task(name="add", function="testapp.add")
    page = browser_of(*OPERATOR).post(f"{ROOT}/tasks/add/run-once/", {"params.a": "many", "params.b": "2"})
    assert page.status_code == 422
    assert "invalid_parameters" in page.content.decode()
    assert not Execution.objects.exists()


def put_form(page: str) -> dict[str, str]:
    """Return what a browser sends of the page's form for PUT if nobody touches it."""
    form = page[page.index('data-method="PUT"') :]
    form = form[: form.index("</form>")]
    found = {}
    for name, options in re.findall(r'<select[^>]* name="(\w+)".*?>(.*?)</select>', form, re.DOTALL):
        found[name] = unescape(re.findall(r'<option value="([^"]*)" selected', options)[0])
    for name, text in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = unescape(text)
    for tag in re.findall(r"<input[^>]*>", form):
        parts = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if parts.get("type") != "checkbox" or " checked" in tag:
            found[parts["name"]] = unescape(parts.get("value", ""))
    return found


def test_the_form_for_a_task_changes_only_what_was_changed_in_it():
    make_task(
        name="nightly",
        function="testapp.typed",
        params={"day": "2026-03-20", "tags": [1], "address": {"street": "Elm", "pin": "1234"}},
        retry_on=["builtins.OSError", "builtins.KeyError"],
        schedule_kind="cron",
        expression="0 3 * * *",
        timezone="Europe/Berlin",
        overlap="queue_all",
        max_runs=9,
        enabled=False,
    )
    before = ScheduledTask.objects.values(*PUBLIC_FIELDS).get()
    client = browser_of(*EDITOR)
    path = f"{ROOT}/tasks/nightly/"
    sent = put_form(client.get(path).content.decode())
    assert sent["timezone"] == "Europe/Berlin"
    form = urlencode(sent | {"description": "new"})
    response = client.put(path, form, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 200, response.content.decode()
    assert ScheduledTask.objects.values(*PUBLIC_FIELDS).get() == before | {"description": "new"}


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_form_that_names_params_and_retry_on_replaces_them(method):
    make_task(name="nightly", function="testapp.give", params={"value": "old"}, retry_on=["builtins.OSError"])
    body = urlencode(
        {"name": "nightly", "function": "testapp.give", "params.value": "new", "retryOn": "builtins.KeyError"}
    )
    send = getattr(browser_of(*EDITOR), method)
    response = send(f"{ROOT}/tasks/nightly/", body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 200, response.content.decode()
    task = ScheduledTask.objects.get()
    assert (task.params, task.retry_on) == ({"value": "new"}, ["builtins.KeyError"])


@pytest.mark.parametrize(
    "text", ["NaN", "1e999", '"\\ud800"', '"\\u0000"', "[" * 200 + "]" * 200, "[" * 40_000 + "]" * 40_000]
)
def test_json_in_the_form_that_no_database_holds_is_told(engine, text):
    make_task(name="any", function="testapp.give")
    client = browser_of(*OPERATOR)
    page = client.post(f"{ROOT}/tasks/any/run-once/", {"params.value": text})
    assert page.status_code == 400
    assert "params.value: " in page.content.decode()
    assert not Execution.objects.exists()
    assert client.get(f"{ROOT}/executions/").status_code == 200


def test_a_secret_is_neither_shown_nor_overwritten_by_the_form(engine):
    make_task(name="secretive", function="testapp.secretive", params={"password": "geheim"})
    client = browser_of(*OPERATOR)
    page = client.get(f"{ROOT}/tasks/secretive/run-once/").content.decode()
    assert "geheim" not in page
    assert "which is secret" in page
    assert 'type="password"' in page
    assert client.post(f"{ROOT}/tasks/secretive/run-once/", {"params.user": "otto"}).status_code == 202
    assert Execution.objects.get().params == {"password": "geheim", "user": "otto"}


def test_a_tasks_own_values_are_no_html():
    make_task(name="give", function="testapp.give", params={"value": "<script>alert(1)</script>"})
    page = browser_of(*OPERATOR).get(f"{ROOT}/tasks/give/run-once/").content.decode()
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page


def test_a_viewer_sees_no_form():
    make_task(name="add", function="testapp.add")
    page = browser_of(*VIEWER).get(f"{ROOT}/tasks/add/run-once/").content.decode()
    assert "params.a" not in page


def test_a_task_whose_function_is_gone_has_a_plain_form():
    make_task(name="gone")
    ScheduledTask.objects.update(function="shop.gone")
    page = browser_of(*OPERATOR).get(f"{ROOT}/tasks/gone/run-once/").content.decode()
    assert 'name="reason"' in page


@pytest.mark.parametrize(
    "address",
    [
        "tasks/",
        "tasks/add/",
        "tasks/add/upcoming/",
        "tasks/add/pause/",
        "tasks/add/backfill/",
        "tasks/nope/",
        "tasks/nope/run-once/",
        "executions/",
        "executions/{id}/",
        "executions/{id}/logs/",
        "executions/{id}/cancel/",
        "executions/{id}/rerun/",
        "tasks/add/status/{id}/",
        "functions/",
        "schedules/preview/",
        "health/",
    ],
)
@pytest.mark.parametrize("permissions", [EDITOR, VIEWER, ()])
def test_each_address_has_a_page(address, permissions):
    execution = make_execution(make_task(name="add", function="testapp.add"), status="completed")
    response = browser_of(*permissions).get(f"{ROOT}/{address.format(id=execution.tracking_id)}")
    assert response["Content-Type"].startswith("text/html")
    assert "Django REST framework" in response.content.decode()


def test_a_project_without_pages_has_none_here(settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]
    }
    client = Client(headers={"Accept": "text/html,*/*"})
    client.force_login(make_user(*VIEWER))
    assert client.get(f"{ROOT}/tasks/")["Content-Type"] == "application/json"
