"""Who may do what in the admin: every view and action, for everybody; a POST without the permission changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.urls import reverse

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.holds import hold
from tests.admin.pages import FORM as CRON_FORM
from tests.factories import EDITOR, LOG_VIEWER, OPERATOR, OWNER, VIEWER, make_execution, make_task, make_user
from tests.selection import some_in_gate

pytestmark = pytest.mark.django_db
GROUPS = {
    "nobody": None,
    "stranger": (),
    "viewer": VIEWER,
    "log viewer": LOG_VIEWER,
    "operator": OPERATOR,
    "editor": EDITOR,
    "owner": OWNER,
}
ORDER = list(GROUPS)
FORM = CRON_FORM | {"name": "changed", "schedule_kind": "manual", "timezone": "UTC"}


@dataclass(frozen=True)
class Step:
    """A request, and from which group on it is allowed."""

    page: str
    least: str
    method: str = "get"
    data: dict[str, str] | None = None
    action: str = ""
    """For posts to a list."""


STEPS = {
    "list": Step("task_changelist", "viewer"),
    "live list": Step("task_live", "viewer"),
    "upcoming": Step("task_upcoming", "viewer"),
    "load": Step("task_load", "viewer"),
    "clock changes": Step("task_clock_changes", "viewer"),
    "spread page": Step("task_spread", "editor"),
    "see a task": Step("task_change", "viewer"),
    "history of a task": Step("task_history", "viewer"),
    "add page": Step("task_add", "editor"),
    "why": Step("task_why", "viewer"),
    "hold page": Step("task_hold_all", "editor"),
    "hold page of a task": Step("task_hold", "editor"),
    "change hold page": Step("task_change_hold", "editor"),
    "release page": Step("task_release_hold", "editor"),
    "preview": Step("task_preview", "editor"),
    "parameters": Step("task_parameters", "editor"),
    "run page": Step("task_run_once", "operator"),
    "pause page": Step("task_pause", "editor"),
    "delete page": Step("task_delete", "owner"),
    "run": Step("task_run_once", "operator", "post"),
    "add": Step("task_add", "editor", "post", FORM),
    "change": Step("task_change", "editor", "post", FORM),
    "pause": Step("task_pause", "editor", "post", {"reason": "audit"}),
    "resume": Step("task_resume", "editor", "post"),
    "hold": Step("task_hold_all", "editor", "post", {"scope": "all", "reason": "deploy"}),
    "hold a task": Step("task_hold", "editor", "post", {"reason": "deploy"}),
    "change a hold": Step("task_change_hold", "editor", "post", {"reason": "longer"}),
    "release": Step("task_release_hold", "editor", "post"),
    "put back": Step("task_put_back", "editor", "post", {"field": "expression"}),
    "switch off": Step("task_switch_off", "editor", "post"),
    "delete": Step("task_delete", "owner", "post", {"post": "yes"}),
    "run selected": Step("task_changelist", "operator", "post", {}, "run_selected"),
    "pause selected": Step("task_changelist", "editor", "post", {"dst_asked": "1"}, "pause_selected"),
    "resume selected": Step("task_changelist", "editor", "post", {}, "resume_selected"),
    "delete selected": Step("task_changelist", "owner", "post", {"post": "yes"}, "delete_selected"),
    "executions": Step("execution_changelist", "viewer"),
    "news of executions": Step("execution_news", "viewer"),
    "names of tasks": Step("execution_names", "viewer"),
    "see an execution": Step("execution_change", "viewer"),
    "live execution": Step("execution_live", "viewer"),
    "download a log": Step("execution_log", "log viewer"),
    "cancel page": Step("execution_cancel", "operator"),
    "cancel": Step("execution_cancel", "operator", "post"),
    "run again selected": Step("execution_changelist", "operator", "post", {}, "run_again_selected"),
    "cancel selected": Step("execution_changelist", "operator", "post", {}, "cancel_selected"),
    "delete executions": Step("execution_changelist", "owner", "post", {"post": "yes"}, "delete_selected"),
}
ON_ONE = {"why", "hold", "change", "history", "run_once", "pause", "resume", "put_back", "switch_off", "delete"}


def state() -> object:
    """All that a request may have changed."""
    return (
        list(ScheduledTask.objects.order_by("pk").values_list("name", "paused_at", "enabled", "next_run_at")),
        list(Execution.objects.order_by("pk").values_list("pk", "status", "cancel_requested_at")),
        LogEntry.objects.count(),
        list(Hold.objects.order_by("pk").values_list("scope", "reason", "ended_at")),
    )


def is_at_the_border(pair: tuple[str, str]) -> bool:
    """Whether a group is the first one that is allowed a step, or the last one that is not."""
    name, group = pair
    return ORDER.index(STEPS[name].least) - ORDER.index(group) in {0, 1}


@pytest.mark.parametrize(("name", "group"), some_in_gate(product(STEPS, ORDER), gate=is_at_the_border))
def test_the_matrix(client, engine, name, group):
    step = STEPS[name]
    task = make_task(schedule_kind="cron", expression="0 3 * * *", overlap="allow")
    if name.startswith("resume"):
        task = edit.pause(task)
    execution = make_execution(task, status=Status.COMPLETED if step.action == "delete_selected" else Status.PENDING)
    lasting = hold("tag", tag="other", reason="x")
    if GROUPS[group] is not None:
        client.force_login(make_user(*GROUPS[group]))
    kind, _, page = step.page.partition("_")
    url = f"admin:django_scheduled_tasks_{'scheduledtask' if kind == 'task' else 'execution'}_{page}"
    subject = task if kind == "task" else execution
    needs_one = page in (ON_ONE if kind == "task" else {"change", "live", "log", "cancel"})
    data = dict(step.data or {})
    if step.action:
        data |= {"action": step.action, "_selected_action": str(subject.pk)}
    before = state()
    arguments = [lasting.pk] if page in {"change_hold", "release_hold"} else [subject.pk] if needs_one else []
    response = getattr(client, step.method)(reverse(url, args=arguments), data)
    is_allowed = ORDER.index(group) >= ORDER.index(step.least)
    if is_allowed:
        assert response.status_code in {200, 204, 302}, response.status_code
        assert response.status_code != 302 or "/login/" not in response.url
        if step.method == "post" and name not in {"put back"}:
            assert state() != before, "it is allowed, but nothing happened"
    else:
        is_list = step.action and ORDER.index(group) >= ORDER.index("viewer")
        expected = {302} if is_list else {401, 302} if group == "nobody" else {403}
        assert response.status_code in expected or (is_list and response.status_code == 200), response.status_code
        assert state() == before, "it is not allowed, but something happened"


def test_what_is_run_cancelled_paused_and_resumed_is_noted_with_the_user(client, engine):
    user = make_user(*OWNER)
    client.force_login(user)
    task = make_task(schedule_kind="cron", expression="0 3 * * *")
    for page in ("run_once", "pause", "resume"):
        client.post(reverse(f"admin:django_scheduled_tasks_scheduledtask_{page}", args=[task.pk]), {"reason": "audit"})
    execution = Execution.objects.get()
    client.post(reverse("admin:django_scheduled_tasks_execution_cancel", args=[execution.pk]))
    execution.refresh_from_db()
    assert (execution.outcome, execution.cancel_requested_by) == ("cancelled", user)
    entries = LogEntry.objects.filter(object_id=str(task.pk), user=user).order_by("pk")
    assert [entry.change_message.split()[0].rstrip(":.") for entry in entries] == ["Run", "Paused", "Resumed", "Cancel"]


@pytest.mark.parametrize("field", ["queue", "", "x. Deleted by anna", "params"])
def test_where_nothing_is_put_back_nothing_is_noted(client, field):
    client.force_login(make_user(*EDITOR))
    task = make_task()
    url = reverse("admin:django_scheduled_tasks_scheduledtask_put_back", args=[task.pk])
    assert client.post(url, {"field": field}).status_code == 302
    assert not LogEntry.objects.exists()


def test_a_permission_on_one_task_is_enough_for_that_task(client, engine, settings):
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "tests.admin.test_permissions.OnlyThatTask",
    ]
    client.force_login(make_user(*VIEWER), backend="django.contrib.auth.backends.ModelBackend")
    that, other = make_task(name="that"), make_task(name="other")
    for task, status in ((that, 302), (other, 403)):
        url = reverse("admin:django_scheduled_tasks_scheduledtask_run_once", args=[task.pk])
        assert client.post(url).status_code == status
    assert Execution.objects.get().task == that
    page = client.get("/admin/django_scheduled_tasks/scheduledtask/").content.decode()
    assert "Run once: that" in page
    assert "Run once: other" not in page


class OnlyThatTask:
    """An authentication backend that lets everybody run the task called "that"."""

    def authenticate(self, _request, **_credentials):
        """Authenticate nobody."""
        return

    def has_perm(self, _user, permission, obj=None):
        """Say yes about one task."""
        return permission.endswith("run_scheduledtask") and getattr(obj, "name", "") == "that"


@pytest.mark.parametrize("page", ["pause", "resume", "pause_selected", "resume_selected"])
def test_a_task_that_is_deleted_meanwhile_is_neither_paused_nor_resumed(client, monkeypatch, page):
    client.force_login(make_user(*OWNER))
    task, other = make_task(name="gone"), make_task(name="other")
    if page.startswith("resume"):
        task, other = edit.pause(task), edit.pause(other)
    locked = edit._locked

    def delete_first(row, *arguments):
        if row.name == "gone":
            ScheduledTask.objects.filter(pk=row.pk).delete()
        return locked(row, *arguments)

    monkeypatch.setattr(edit, "_locked", delete_first)
    if page.endswith("_selected"):
        url, data = reverse("admin:django_scheduled_tasks_scheduledtask_changelist"), {"action": page}
        data |= {"_selected_action": [str(task.pk), str(other.pk)], "dst_asked": "1"}
    else:
        url, data = reverse(f"admin:django_scheduled_tasks_scheduledtask_{page}", args=[task.pk]), {"reason": "x"}
    response = client.post(url, data)
    assert response.status_code == 302
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said[0] == 'There is no scheduled task "gone".'
    assert [" 1 task" in text for text in said[1:]] == [True] * page.endswith("_selected")
    assert LogEntry.objects.filter(object_id=str(task.pk)).count() == 0
