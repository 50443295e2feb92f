"""Permissions on single objects: each page of one object asks for the permission on that object."""

from __future__ import annotations

import pytest
from django.urls import reverse

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.admin.pages import FORM
from tests.factories import make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
ON_TASK = {
    "change": ("view_scheduledtask", "get", {}),
    "history": ("view_scheduledtask", "get", {}),
    "run_once": ("view_scheduledtask run_scheduledtask", "post", {}),
    "pause": ("pause_scheduledtask", "post", {"reason": "x"}),
    "resume": ("pause_scheduledtask", "post", {}),
    "put_back": ("change_scheduledtask", "post", {"field": "queue"}),
    "switch_off": ("change_scheduledtask", "post", {}),
    "preview_of": ("change_scheduledtask", "get", {}),
    "parameters_of": ("change_scheduledtask", "get", {}),
    "delete": ("view_scheduledtask delete_scheduledtask", "post", {"post": "yes"}),
}
ON_EXECUTION = {
    "change": ("view_execution", "get", {}),
    "live": ("view_execution", "get", {}),
    "log": ("view_execution view_execution_logs", "get", {}),
    "compare": ("view_execution", "get", {}),
    "comment": ("view_execution comment_execution", "post", {"text": "known"}),
    "cancel": ("view_execution cancel_execution", "post", {}),
    "delete": ("view_execution delete_execution", "post", {"post": "yes"}),
}


class OnlyTheFirst:
    """An authentication backend that grants permissions on the task "first" and on its executions only."""

    granted: frozenset[str] = frozenset()

    def authenticate(self, _request, **_credentials):
        """Authenticate nobody."""
        return

    def has_perm(self, _user, permission, obj=None):
        """Answer about single objects."""
        name = getattr(obj, "task_name", getattr(obj, "name", ""))
        return name == "first" and permission.partition(".")[2] in self.granted


@pytest.fixture
def granted(client, settings, monkeypatch, engine):
    settings.AUTHENTICATION_BACKENDS = [MODEL_BACKEND, f"{__name__}.OnlyTheFirst"]
    client.force_login(make_user(), backend=MODEL_BACKEND)
    return lambda permissions: monkeypatch.setattr(OnlyTheFirst, "granted", frozenset(permissions.split()))


def codes(client, kind: str, page: str, method: str, data: dict[str, str], rows: list) -> list[int]:
    urls = [reverse(f"admin:django_scheduled_tasks_{kind}_{page}", args=[row.pk]) for row in rows]
    return [getattr(client, method)(url, data).status_code for url in urls]


@pytest.mark.parametrize("page", ON_TASK)
def test_a_permission_on_one_task_opens_that_task_only(client, granted, page):
    permissions, method, data = ON_TASK[page]
    tasks = [make_task(name="first"), make_task(name="second")]
    granted("")
    assert codes(client, "scheduledtask", page, method, data, tasks) == [403, 403]
    granted(permissions)
    one, other = codes(client, "scheduledtask", page, method, data, tasks)
    assert (one in {200, 302}, other) == (True, 403)
    for permission in permissions.split():  # none of them is there for show
        granted(" ".join(set(permissions.split()) - {permission}))
        if len(permissions.split()) > 1 and page != "delete":
            assert codes(client, "scheduledtask", page, method, data, tasks)[0] == 403, permission


@pytest.mark.parametrize("page", ON_EXECUTION)
def test_a_permission_on_one_execution_opens_that_execution_only(client, granted, page):
    permissions, method, data = ON_EXECUTION[page]
    status = Status.COMPLETED if page == "delete" else Status.PENDING
    rows = [make_execution(make_task(name=name), status=status) for name in ("first", "second")]
    granted("")
    assert codes(client, "execution", page, method, data, rows) == [403, 403]
    granted(permissions)
    one, other = codes(client, "execution", page, method, data, rows)
    assert (one in {200, 302}, other) == (True, 403)


def test_who_may_change_one_task_has_its_form_and_saves_it(client, granted):
    task, other = make_task(name="first"), make_task(name="second")
    granted("change_scheduledtask run_scheduledtask delete_scheduledtask")
    url = reverse("admin:django_scheduled_tasks_scheduledtask_change", args=[task.pk])
    page = client.get(url).content.decode()
    for part in ('name="_save"', 'name="_runonce"', "/delete/", f"{task.pk}/preview/", f"{task.pk}/parameters/"):
        assert part in page, part
    assert client.post(url, FORM | {"name": "first", "description": "new"}).status_code == 302
    url = reverse("admin:django_scheduled_tasks_scheduledtask_change", args=[other.pk])
    assert client.post(url, FORM | {"description": "new"}).status_code == 403
    assert list(ScheduledTask.objects.order_by("name").values_list("description", flat=True)) == ["new", ""]


def test_who_may_view_one_task_sees_no_tool_of_another_permission(client, granted):
    task = make_task(name="first")
    granted("view_scheduledtask")
    page = client.get(reverse("admin:django_scheduled_tasks_scheduledtask_change", args=[task.pk])).content.decode()
    for part in ('name="_save"', 'name="_runonce"', "/delete/", "/pause/", "run-once"):
        assert part not in page, part


def test_the_page_of_one_execution_offers_what_is_granted_on_it(client, granted):
    execution = make_execution(make_task(name="first"))
    url = reverse("admin:django_scheduled_tasks_execution_change", args=[execution.pk])
    granted("view_execution")
    page = client.get(url).content.decode()
    assert "/cancel/" not in page
    assert 'id="dst-log"' not in page
    granted("view_execution view_execution_logs cancel_execution")
    page = client.get(url).content.decode()
    assert "/cancel/" in page
    assert 'id="dst-log"' in page
    assert Execution.objects.get().status == Status.PENDING


def test_what_has_changed_tells_nothing_of_rows_that_may_not_be_seen(client, granted):
    task = make_task(name="first")
    old = make_execution(task, task_name="second", status=Status.COMPLETED, worker_host="one", params={"a": "other"})
    update_task(task, description="Another one.")
    failed = make_execution(task, status=Status.ERRORS, worker_host="two")
    url = reverse("admin:django_scheduled_tasks_execution_change", args=[failed.pk])
    granted("view_execution")
    page = client.get(url).content.decode()
    assert "other" not in page.partition("dst-problem")[2].partition("dst-rest")[0]
    assert "dst-changed" not in page
    Execution.objects.filter(pk=old.pk).update(task_name="first")
    page = client.get(url).content.decode()
    assert "<td>one</td><td><strong>two</strong></td>" in page
    assert "Another one." not in page
    Execution.objects.update(worker_host="two", params={})
    assert "dst-changed" not in client.get(url).content.decode(), "it does not say that nothing has changed"
    granted("view_execution view_scheduledtask")
    row = '<th scope="row">Description</th><td>—</td><td><strong>Another one.</strong></td>'
    assert row in client.get(url).content.decode()
