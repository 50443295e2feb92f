"""Actions on all rows that match: only where the list counts them to the end."""

from __future__ import annotations

import pytest
from django.contrib.messages import get_messages

from django_scheduled_tasks.admin.ui import base
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.admin.pages import EXECUTIONS, TASKS
from tests.factories import OWNER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
ALL = {"select_across": "1", "index": "0"}
LINK = 'class="question hidden"'


@pytest.fixture(autouse=True)
def capped(monkeypatch, client, engine):
    """Lists show two rows a page and count three."""
    monkeypatch.setattr(base, "COUNT_CAP", 3)
    for path in ("executions.list.view.ExecutionListMixin", "tasks.list.view.TaskListMixin"):
        monkeypatch.setattr(f"django_scheduled_tasks.admin.{path}.list_per_page", 2)
    client.force_login(make_user(*OWNER))


def executions(count: int) -> list[str]:
    task = make_task()
    return [str(make_execution(task, status=Status.COMPLETED).pk) for _ in range(count)]


@pytest.mark.parametrize("action", ["delete_selected", "run_again_selected", "cancel_selected"])
def test_no_action_takes_more_executions_than_the_list_counts(client, action):
    chosen = executions(4)[:2]
    response = client.post(EXECUTIONS, ALL | {"action": action, "_selected_action": chosen})
    assert (response.status_code, response.url) == (302, EXECUTIONS)
    assert [str(item) for item in get_messages(response.wsgi_request)] == [
        "More than 3 match. Narrow the list by a filter first, or select rows one by one."
    ]
    assert Execution.objects.filter(status=Status.COMPLETED).count() == Execution.objects.count() == 4


def test_the_page_that_asks_before_deleting_is_no_way_around_it(client):
    body = {"action": "delete_selected", "_selected_action": executions(4)[:2], "select_across": "1", "post": "yes"}
    client.post(EXECUTIONS, body)
    assert Execution.objects.count() == 4


def test_the_selected_rows_of_a_long_list_and_all_of_a_counted_one_can_be_deleted(client):
    chosen = executions(4)[:2]
    body = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    client.post(EXECUTIONS, body | {"index": "0", "select_across": "0"})
    assert Execution.objects.count() == 2
    executions(1)
    client.post(EXECUTIONS, body | ALL)
    assert not Execution.objects.exists()


def test_a_filter_makes_a_long_list_one_that_is_counted(client):
    executions(4)
    failed = make_execution(status=Status.ERRORS)
    body = {"action": "delete_selected", "_selected_action": [str(failed.pk)], "post": "yes"}
    client.post(f"{EXECUTIONS}?status=errors", ALL | body)
    assert Execution.objects.filter(status=Status.COMPLETED).count() == Execution.objects.count() == 4


def test_all_can_be_chosen_only_of_a_list_that_is_counted_to_its_end(client):
    executions(3)
    page = client.get(EXECUTIONS).content.decode()
    assert LINK in page
    assert "Select all 3 executions" in page
    executions(1)
    page = client.get(EXECUTIONS).content.decode()
    assert LINK not in page
    assert "0 of 2 selected" in page


@pytest.mark.parametrize("action", ["run_selected", "pause_selected", "delete_selected"])
def test_no_action_takes_more_tasks_than_the_list_counts(client, action):
    chosen = [str(make_task().pk) for _ in range(4)]
    assert LINK not in client.get(TASKS).content.decode()
    client.post(TASKS, ALL | {"action": action, "_selected_action": chosen, "post": "yes"})
    assert ScheduledTask.objects.filter(paused_at=None).count() == 4
    assert not Execution.objects.exists()
