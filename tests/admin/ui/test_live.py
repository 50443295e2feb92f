"""What keeps an open page up to date: only what has changed, and never a login form inside a cell."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, ExecutionLog, read_now
from tests.admin.pages import EXECUTIONS, TASKS
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db


def version_in(response) -> str:
    return re.search(r'id="dst-live"[^>]* data-version="([^"]*)"', response.content.decode())[1]


def complete(execution: Execution) -> None:
    Execution.objects.filter(pk=execution.pk).update(
        status=Status.COMPLETED,
        outcome=Outcome.SUCCEEDED,
        completed_at=read_now(),
        lease_until=None,
        result={"rows": 3},
    )


def test_the_list_answers_with_the_rows_that_have_changed(client):
    client.force_login(make_user(*OPERATOR))
    one, other = make_task(name="one"), make_task(name="other")
    execution = make_execution(one, status=Status.PROCESSING)
    make_execution(other, status=Status.COMPLETED)
    version = version_in(client.get(TASKS))
    assert client.get(f"{TASKS}live/", {"v": version}).status_code == 204
    complete(execution)
    response = client.get(f"{TASKS}live/", {"v": version})
    page = response.content.decode()
    assert response.status_code == 200
    assert f"#dst-last-{one.pk}" in page
    assert f"#dst-last-{other.pk}" not in page
    assert "one: Completed." in page
    assert client.get(f"{TASKS}live/", {"v": version_in(response)}).status_code == 204


def test_a_message_is_kept_up_to_date(client):
    client.force_login(make_user(*OPERATOR))
    execution = make_execution(make_task(), status=Status.PROCESSING)
    page = client.get(f"{TASKS}live/", {"v": "", "watch": f"{execution.pk},x"}).content.decode()
    assert f'hx-swap-oob="innerHTML:#dst-tail-{execution.pk}">Running…' in page
    complete(execution)
    page = client.get(f"{TASKS}live/", {"v": "", "watch": str(execution.pk)}).content.decode()
    assert re.search(rf"#dst-tail-{execution.pk}\">Completed in [\d.]+ m?s\.", page)


def test_an_execution_answers_until_it_has_ended(client):
    client.force_login(make_user(*OPERATOR))
    execution = make_execution(status=Status.PROCESSING)
    page = f"{EXECUTIONS}{execution.pk}/"
    version = version_in(client.get(f"{page}change/"))
    assert client.get(f"{page}live/", {"v": version, "log": "0"}).status_code == 204
    ExecutionLog.objects.create(execution=execution, number=1, logged_at=read_now(), level="INFO", message="<one>")
    response = client.get(f"{page}live/", {"v": version, "log": "0"})
    assert "beforeend:#dst-log" in response.content.decode()
    assert "&lt;one&gt;" in response.content.decode()
    assert client.get(f"{page}live/", {"v": version, "log": "1"}).status_code == 204
    complete(execution)
    response = client.get(f"{page}live/", {"v": version, "log": "1"})
    assert response.status_code == 286
    assert "Completed. Finished without an error." in response.content.decode()
    assert "Run again…" in response.content.decode()
    assert "dst-live" not in response.content.decode()


def test_the_history_says_how_many_are_new(client):
    client.force_login(make_user(*VIEWER))
    first = make_execution()
    url = f"{EXECUTIONS}news/"
    assert client.get(url, {"after": first.pk}).status_code == 204
    make_execution(), make_execution()
    page = client.get(url, {"after": first.pk, "v": "", "watch": "1", "status": "pending"}).content.decode()
    assert "2 new – show" in page
    assert f'{EXECUTIONS}?status=pending"' in page


def test_who_is_signed_out_gets_a_status_and_no_login_form(client):
    execution = make_execution()
    for url in (f"{TASKS}live/", f"{EXECUTIONS}news/", f"{EXECUTIONS}{execution.pk}/live/"):
        response = client.get(url)
        assert (response.status_code, response.content) == (401, b"")


def test_run_once_by_htmx_answers_with_the_message_the_row_and_a_fresh_token(client, engine):
    client.force_login(make_user(*OPERATOR))
    task = make_task()
    url = reverse("admin:django_scheduled_tasks_scheduledtask_run_once", args=[task.pk])
    response = client.post(url, {"dst_token": "one"}, headers={"HX-Request": "true"})
    page = response.content.decode()
    execution = Execution.objects.get()
    assert response.status_code == 200
    assert "afterbegin:#dst-messages" in page
    assert f"Execution #{execution.pk}</a>" in page
    assert f"#dst-last-{task.pk}" in page
    assert '"token"' in response["HX-Trigger"]


def test_a_form_that_is_sent_twice_starts_one(client, engine):
    client.force_login(make_user(*OPERATOR))
    task = make_task(overlap="allow")
    url = reverse("admin:django_scheduled_tasks_scheduledtask_run_once", args=[task.pk])
    token = re.search(r'name="dst_token" id="dst-token" value="(\w+)"', client.get(TASKS).content.decode())[1]
    client.post(url, {"dst_token": token})
    page = client.post(url, {"dst_token": token}, follow=True).content.decode()
    execution = Execution.objects.get()
    assert "Already started:" in page
    assert f"Execution #{execution.pk}</a>" in page
    client.post(url, {"dst_token": "another page"})
    assert Execution.objects.count() == 2
