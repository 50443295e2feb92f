"""Run once in the admin: who may, what happens, what is said."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.urls import reverse

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, PresenceKind, ScheduledTask
from django_scheduled_tasks.services.scheduling import presence
from tests.factories import EDITOR, OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/django_scheduled_tasks/scheduledtask/"


@pytest.fixture
def task():
    return make_task(name="Sync stock levels", function="testapp.add", params={"a": 1})


@pytest.fixture
def as_user(client):
    def log_in(*permissions: str, **values):
        user = make_user(*permissions, **values)
        client.force_login(user)
        return user

    return log_in


def run_path(task: ScheduledTask) -> str:
    return reverse("admin:django_scheduled_tasks_scheduledtask_run_once", args=[task.pk])


def said(response) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def test_the_row_has_a_button_that_posts_within_the_lists_form(client, as_user, task):
    as_user(*OPERATOR)
    page = client.get(LIST).content.decode()
    form = page[page.index('id="changelist-form"') : page.index("</form>", page.index('id="changelist-form"'))]
    assert f'formaction="{run_path(task)}"' in form
    assert 'aria-label="Run once: Sync stock levels"' in form
    assert "csrfmiddlewaretoken" in form


def test_run_once_queues_and_the_message_links_to_the_execution(client, as_user, task, engine):
    user = as_user(*OPERATOR)
    presence.seen(PresenceKind.WORKER)
    response = client.post(run_path(task))
    execution = Execution.objects.get()
    assert (response.status_code, response.url) == (302, LIST)
    link = reverse("admin:django_scheduled_tasks_execution_change", args=[execution.pk])
    (said_once,) = said(response)
    assert said_once[0] == "success"
    assert "Queued &quot;Sync stock levels&quot; as" in said_once[1] or 'Queued "Sync stock levels" as' in said_once[1]
    assert f'<a href="{link}">Execution #{execution.pk}</a>' in said_once[1]
    assert "successfully" not in said_once[1]
    assert (execution.triggered_by, execution.trigger) == (user, "admin")
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (user, str(task.pk))


def test_without_a_worker_the_message_warns_and_says_what_to_do(client, as_user, task, engine):
    as_user(*OPERATOR)
    ((level, text),) = said(client.post(run_path(task)))
    assert level == "warning"
    assert "no worker has been seen" in text
    assert "python manage.py qcluster" in text


def test_from_the_tasks_page_one_gets_to_the_execution(client, as_user, task, engine):
    as_user(*EDITOR)
    page = client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert f'action="{run_path(task)}"' in page
    response = client.post(run_path(task), {"from_page": "1"})
    assert response.url == f"/admin/django_scheduled_tasks/execution/{Execution.objects.get().pk}/change/"


@pytest.mark.parametrize(("permissions", "is_offered"), [(OPERATOR, False), (EDITOR, True)])
def test_one_that_is_still_open_is_refused_with_a_link(client, as_user, task, engine, permissions, is_offered):
    as_user(*permissions)
    blocker = make_execution(task, status=Status.PROCESSING)
    ((level, text),) = said(client.post(run_path(task)))
    assert level == "warning"
    assert f"Execution #{blocker.pk}</a></strong> of" in text
    assert (f'href="{run_path(task)}?anyway=1"' in text) is is_offered
    assert Execution.objects.count() == 1


def test_one_that_waits_is_not_said_to_run(client, as_user, task, engine):
    as_user(*OPERATOR)
    make_execution(task, status=Status.PENDING)
    other = make_task(name="Other")
    make_execution(other, status=Status.PENDING)
    ((_level, text),) = said(client.post(run_path(task)))
    assert "still waits to start." in text
    data = {"action": "run_selected", "_selected_action": [task.pk, other.pk]}
    page = client.post(LIST, data, follow=True).content.decode()
    assert page.count("still waits to start)") == 2


ASKED = {"dst_asked": "1", "param-as_json": "{}", "param-p-a": "1", "dst_blocked": "1"}
NOW, THEN = 'value="allow"', 'value="queue_one"'


@pytest.mark.parametrize(("permissions", "status"), [(VIEWER, 403), (OPERATOR, 403), (EDITOR, 302)])
@pytest.mark.parametrize("overlap", ["allow", "queue_one"])
def test_only_who_may_change_a_task_overrules_its_overlap_policy(
    client, as_user, task, engine, permissions, status, overlap
):
    as_user(*permissions)
    make_execution(task, status=Status.PROCESSING)
    assert client.post(run_path(task), ASKED | {"overlap": overlap}).status_code == status
    assert Execution.objects.count() == (2 if status == 302 else 1)


def test_the_page_offers_an_operator_only_what_the_task_allows(client, as_user, task, engine):
    make_execution(task, status=Status.PROCESSING)
    as_user(*EDITOR)
    page = client.get(run_path(task)).content.decode()
    assert (NOW in page, THEN in page) == (True, True)
    as_user(*OPERATOR)
    page = client.get(f"{run_path(task)}?anyway=1").content.decode()
    assert (NOW in page, THEN in page) == (False, False)
    assert "is still going" in page
    page = client.post(run_path(task), ASKED)
    assert (page.status_code, Execution.objects.count()) == (200, 1)
    ScheduledTask.objects.update(overlap="queue_one")
    page = client.get(run_path(task)).content.decode()
    assert (NOW in page, THEN in page) == (False, True)
    assert client.post(run_path(task), ASKED | {"overlap": "queue_one"}).status_code == 302
    assert Execution.objects.count() == 2


def test_a_function_that_is_gone_is_said_in_a_sentence(client, as_user, task, engine):
    as_user(*OPERATOR)
    ScheduledTask.objects.update(function="shop.gone")
    ((level, text),) = said(client.post(run_path(task)))
    assert level == "error"
    assert "shop.gone" in text
    assert "is no longer in the code" in text


def test_what_is_missing_is_asked_for_on_a_page(client, as_user, engine):
    as_user(*OPERATOR)
    task = make_task(function="testapp.add")
    assert client.post(run_path(task)).url == run_path(task)
    response = client.post(run_path(task), {"dst_asked": "1", "param-as_json": "{}", "param-p-b": "3"})
    page = response.content.decode()
    assert response.status_code == 200
    assert "this function needs it." in page
    assert not Execution.objects.exists()
    response = client.post(run_path(task), {"dst_asked": "1", "param-as_json": "{}", "param-p-a": "1", "reason": "why"})
    execution = Execution.objects.get()
    assert response.url == f"/admin/django_scheduled_tasks/execution/{execution.pk}/change/"
    assert (execution.params, execution.reason) == ({"a": 1}, "why")


def test_names_are_escaped_in_messages(client, as_user, engine):
    as_user(*OPERATOR)
    task = make_task()
    ScheduledTask.objects.update(name="<b>x</b>")
    for _ in range(2):
        for _level, text in said(client.post(run_path(task))):
            assert "<b>x</b>" not in text


def test_a_bulk_action_runs_each_and_says_which_were_refused(client, as_user, engine):
    as_user(*OPERATOR)
    presence.seen(PresenceKind.WORKER)
    tasks = [make_task() for _ in range(3)]
    make_execution(tasks[2], status=Status.PROCESSING)
    chosen = {"action": "run_selected", "_selected_action": [str(item.pk) for item in tasks]}
    response = client.post(LIST, chosen)
    messages = said(response)
    assert [level for level, _ in messages] == ["success", "warning"]
    assert "Queued 2 executions: " in messages[0][1]
    assert tasks[2].name in messages[1][1]
    assert Execution.objects.count() == 3


def test_a_viewer_has_no_button_and_a_post_changes_nothing(client, as_user, task):
    as_user(*VIEWER)
    page = client.get(LIST)
    assert page.status_code == 200
    assert "formaction" not in page.content.decode()
    assert "run_selected" not in page.content.decode()
    assert client.post(run_path(task)).status_code == 403
    client.post(LIST, {"action": "run_selected", "_selected_action": [str(task.pk)]})
    assert not Execution.objects.exists()


def test_a_stranger_is_sent_to_the_login_and_a_get_does_nothing(client, as_user, task):
    assert "/login/" in client.post(run_path(task)).url
    as_user(*OPERATOR)
    assert client.get(run_path(task)).status_code == 200  # a page that asks
    assert not Execution.objects.exists()


def test_a_post_without_the_token_is_refused(task):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(*OPERATOR))
    assert client.post(run_path(task)).status_code == 403
    assert not Execution.objects.exists()


def test_an_unknown_task_is_404(client, as_user, task):
    as_user(*OPERATOR)
    path = run_path(task)
    task.delete()
    assert client.post(path).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_page_that_repeats_an_execution_is_for_who_may_see_that_execution(client, as_user, engine, method):
    task = make_task(function="testapp.give", params={"value": "of the task"})
    execution = make_execution(task, status=Status.COMPLETED, params={"value": "of the execution"})
    asked = {"again": str(execution.pk), "dst_asked": "1", "param-as_json": "{}", "param-use_json": "on"}
    as_user("view_scheduledtask", "run_scheduledtask")
    response = getattr(client, method)(run_path(task), asked)
    assert response.status_code == 403
    assert Execution.objects.count() == 1
    assert client.get(run_path(task)).status_code == 200
    as_user(*OPERATOR)
    assert "of the execution" in client.get(run_path(task), asked).content.decode()
