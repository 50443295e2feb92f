"""Secrets in the admin: who sees what, what a change of function leaves, and what a repeat shows."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.admin.ui import starting
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.admin.pages import EXECUTIONS, FORM, TASKS, Fields
from tests.factories import EDITOR, OPERATOR, make_execution, make_user
from tests.secretive import LEVELS, NEVER_SHOWN, PARAMS, SAID, make_failed, make_nightly

pytestmark = pytest.mark.django_db


@pytest.fixture
def nightly() -> ScheduledTask:
    return make_nightly()


@pytest.fixture
def failed(nightly):
    return make_failed(nightly)


PAGES = {
    "tasks": (TASKS, "viewer"),
    "live tasks": (f"{TASKS}live/", "viewer"),
    "task": (f"{TASKS}{{task}}/change/", "viewer"),
    "run once": (f"{TASKS}{{task}}/run-once/", "operator"),
    "run again": (f"{TASKS}{{task}}/run-once/?again={{execution}}", "operator"),
    "parameters": (f"{TASKS}parameters/?function=testapp.log_in", "editor"),
    "executions": (EXECUTIONS, "viewer"),
    "execution": (f"{EXECUTIONS}{{execution}}/change/", "viewer"),
    "compare": (f"{EXECUTIONS}{{execution}}/compare/?with={{done}}", "viewer"),
    "live execution": (f"{EXECUTIONS}{{execution}}/live/", "viewer"),
    "log": (f"{EXECUTIONS}{{execution}}/log/", "log viewer"),
}
TELLS = {"tasks", "executions", "execution", "compare", "live execution", "log"}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("level", LEVELS)
def test_nobody_sees_a_secret_and_who_sees_logs_sees_what_was_said(client, failed, level, page):
    address, least = PAGES[page]
    client.force_login(make_user(*LEVELS[level]))
    done = make_execution(failed.task, status=Status.COMPLETED) if page == "compare" else failed
    response = client.get(address.format(task=failed.task_id, execution=failed.pk, done=done.pk))
    text = response.getvalue().decode()
    order = list(LEVELS)
    is_allowed = order.index(level) >= order.index(least)
    assert (response.status_code < 300) == is_allowed, response.status_code
    assert not any(secret in text for secret in NEVER_SHOWN)
    sees_logs = level in {"log viewer", "operator", "editor"}
    if page in TELLS:
        assert (SAID in text) == (is_allowed and sees_logs)
        assert (messages.HIDDEN in text) == (is_allowed and not sees_logs)


def test_a_search_finds_no_message_that_is_not_shown(client, failed):
    for level, count in (("viewer", 0), ("log viewer", 1)):
        client.force_login(make_user(*LEVELS[level]))
        page = client.get(EXECUTIONS, {"q": "said by"})
        assert len(page.context["cl"].result_list) == count


def test_a_history_whose_function_is_gone_is_hidden(client, failed):
    Execution.objects.update(function="shop.gone")
    ScheduledTask.objects.update(function="shop.gone", secret_params=None)
    client.force_login(make_user(*EDITOR))
    pages = [f"{EXECUTIONS}{failed.pk}/change/", f"{TASKS}{failed.task_id}/change/"]
    for address in (*pages, f"{TASKS}{failed.task_id}/run-once/"):
        text = client.get(address).content.decode()
        assert MASK in text
        assert not any(value in text for value in ("pa55word", "t0ken-of-a"))


def test_an_execution_of_another_function_is_not_repeated(client, failed, engine):
    client.force_login(make_user(*OPERATOR))
    page = f"{EXECUTIONS}{failed.pk}/change/"
    assert "?again=" in client.get(page).content.decode()
    ScheduledTask.objects.update(function="testapp.give", params={})
    assert "?again=" not in client.get(page).content.decode()
    again = f"{TASKS}{failed.task_id}/run-once/"
    for response in (
        client.get(f"{again}?again={failed.pk}", follow=True),
        client.post(again, {"again": failed.pk, "dst_asked": "1", "param-as_json": "{}"}, follow=True),
        client.post(EXECUTIONS, {"action": "run_again_selected", "_selected_action": failed.pk}, follow=True),
    ):
        text = response.content.decode()
        assert "which does not get the parameters of another function" in text
        assert "pa55word" not in text
    assert Execution.objects.count() == 1


def test_the_form_drops_secrets_when_another_function_is_chosen(client, nightly):
    client.force_login(make_user(*EDITOR))
    address = f"{TASKS}{nightly.pk}/change/"
    sent = Fields(client.get(address).content.decode()).sent
    assert "pa55word" not in str(sent)
    whole = FORM | sent | {"function": "testapp.log_out", "name": "nightly"}
    assert client.post(address, whole).status_code == 200  # a mask of the other function's is refused
    assert client.post(address, whole | {"param-p-servers": ""}).status_code == 302
    nightly.refresh_from_db()
    assert (nightly.function, nightly.params) == ("testapp.log_out", {"user": "anna"})


def test_a_form_that_is_saved_late_shows_no_secret_of_another_function(client, nightly):
    client.force_login(make_user(*EDITOR))
    address = f"{TASKS}{nightly.pk}/change/"
    sent = Fields(client.get(address).content.decode()).sent
    update_task(nightly, function="testapp.leave_thread", params={"secret": "x", "until": "s3cret-of-other"})
    ScheduledTask.objects.update(secret_params={"until": True})
    text = client.post(address, sent | {"function": "testapp.give"}).content.decode()
    assert 'id="dst-conflict"' in text
    assert not any(secret in text for secret in ("s3cret-of-other", "pa55word", "t0ken-of-a"))


def test_run_once_with_a_secret_left_as_it_is_takes_it_from_the_task_as_it_is_then(
    client, nightly, engine, monkeypatch
):
    """Somebody changes it after the page's request has read the task, and before the task is locked."""
    client.force_login(make_user(*EDITOR))
    address = f"{TASKS}{nightly.pk}/run-once/"
    sent = Fields(client.get(address).content.decode()).sent
    real = starting.run_once

    def run_once(*args, **options):
        update_task(nightly, params=PARAMS | {"password": "ch4nged"})
        return real(*args, **options)

    monkeypatch.setattr(starting, "run_once", run_once)
    assert client.post(address, sent).status_code == 302
    assert Execution.objects.get().params == PARAMS | {"password": "ch4nged"}


def test_what_is_secret_by_name_is_entered_in_a_password_input(client):
    client.force_login(make_user(*EDITOR))
    text = client.get(f"{TASKS}parameters/?function=testapp.log_in").content.decode()
    assert 'type="password" name="param-p-password"' in text
    assert "built-in" not in text
