"""*Ask before Run once*: no click and no bulk action starts such a task before the page has asked."""

from __future__ import annotations

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from django_scheduled_tasks.admin.tasks.acts import run
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.admin.pages import EXECUTIONS, FORM, TASKS
from tests.factories import EDITOR, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(client, engine):
    client.force_login(make_user(*EDITOR))
    return make_task(name="Month end", confirm=True, overlap="allow")


def page(task: ScheduledTask) -> str:
    return reverse("admin:django_scheduled_tasks_scheduledtask_run_once", args=[task.pk])


def said(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["plain", "htmx"])
@pytest.mark.parametrize("data", [{}, {"from_page": "1"}])
def test_a_click_leads_to_the_page_that_asks(client, task, headers, data):
    response = client.post(page(task), data, headers=headers)
    assert not Execution.objects.exists()
    assert response["HX-Redirect" if headers else "Location"] == page(task)


def test_the_page_that_asks_starts_it(client, task):
    client.post(page(task), {"dst_asked": "1", "param-as_json": "{}"})
    assert Execution.objects.get().task == task


def test_run_selected_starts_the_others_and_links_to_the_page(client, task):
    other = make_task(name="Other")
    response = client.post(TASKS, {"action": "run_selected", "_selected_action": [str(task.pk), str(other.pk)]})
    assert Execution.objects.get().task == other
    assert any(f'href="{page(task)}"' in text and "Month end" in text for text in said(response))


def test_run_selected_of_one_says_why_not(client, task):
    response = client.post(TASKS, {"action": "run_selected", "_selected_action": [str(task.pk)]})
    assert not Execution.objects.exists()
    assert said(response) == [
        f'Not started: "Month end" asks before Run once. <a href="{page(task)}"><strong>Run once…</strong></a>'
    ]


def test_run_again_links_to_the_page_filled_with_the_execution(client, task):
    earlier = make_execution(task, status=Status.COMPLETED)
    other = make_execution(make_task(), status=Status.COMPLETED)
    chosen = [str(earlier.pk), str(other.pk)]
    response = client.post(EXECUTIONS, {"action": "run_again_selected", "_selected_action": chosen})
    assert Execution.objects.filter(task=task).get() == earlier
    assert Execution.objects.filter(task=other.task).count() == 2
    assert any(f'href="{page(task)}?again={earlier.pk}"' in text for text in said(response))


def test_save_and_run_once_asks(client, task):
    url = reverse("admin:django_scheduled_tasks_scheduledtask_change", args=[task.pk])
    response = client.post(url, FORM | {"name": "Month end", "confirm": "on", "_runonce": "1"})
    assert response.url == page(task)
    assert not Execution.objects.exists()


def test_a_task_that_begins_to_ask_between_the_look_and_the_start_is_not_started(client, task, monkeypatch):
    monkeypatch.setattr(run, "asks_before_run", lambda _task: False)
    response = client.post(page(task))
    assert not Execution.objects.exists()
    assert "asks before Run once" in said(response)[0]
