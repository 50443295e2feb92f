"""What a user may not see at all is in no list, and found by no address, of the admin and of REST."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from django_scheduled_tasks.models import Alert, Change, read_now
from django_scheduled_tasks.services.permissions import RUN_TASK, VIEW_TASK, may
from django_scheduled_tasks.services.tasks.holds import hold
from tests.api.conftest import ROOT, client_of
from tests.factories import OWNER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
HOOK = f"{__name__}.of_groups"


def of_groups(user: Any, rows: Any) -> Any:
    """Return the tasks that belong to a group of the user."""
    if user.is_superuser:
        return rows
    ids = [str(pk) for pk in user.groups.values_list("pk", flat=True)]
    return rows.filter(owner_type="auth.group", owner_id__in=ids)


@pytest.fixture
def two(settings) -> dict[str, Any]:
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "VISIBLE_TASKS": HOOK}
    ours, theirs = Group.objects.create(name="ours"), Group.objects.create(name="theirs")
    found: dict[str, Any] = {"user": make_user(*OWNER)}
    found["user"].groups.add(ours)
    for name, group in (("ours", ours), ("theirs", theirs)):
        task = make_task(name=f"{name} task", overlap="allow", schedule_kind="cron", expression="0 * * * *")
        type(task).objects.filter(pk=task.pk).update(owner_type="auth.group", owner_id=str(group.pk), key=name)
        task.refresh_from_db()
        found[name] = task, make_execution(task)
        hold("task", task=task, reason=f"for {name}")
        Alert.objects.create(kind="late", task=task, task_name=task.name, opened_at=read_now(), open_key=f"l:{name}")
    make_execution(None).task.delete()
    return found


@pytest.mark.parametrize("address", ["tasks", "executions", "alerts", "audit", "holds"])
def test_lists_over_rest_have_none_of_it(two, address):
    rows = client_of(user=two["user"]).get(f"{ROOT}/{address}/").json()["results"]
    assert "ours" in str(rows)
    assert "theirs" not in str(rows)
    everything = client_of(user=make_user(superuser=True)).get(f"{ROOT}/{address}/").json()["results"]
    assert "theirs" in str(everything)


@pytest.mark.parametrize(
    ("address", "method"),
    [
        ("tasks/{task}/", "get"),
        ("tasks/{task}/", "delete"),
        ("tasks/by-key/{key}/", "get"),
        ("tasks/by-key/{key}/", "delete"),
        ("tasks/{task}/run-once/", "post"),
        ("tasks/{task}/pause/", "post"),
        ("tasks/{task}/upcoming/", "get"),
        ("tasks/{task}/status/{execution}/", "get"),
        ("executions/{execution}/", "get"),
        ("executions/{execution}/cancel/", "post"),
        ("executions/{execution}/rerun/", "post"),
    ],
)
def test_no_address_over_rest_finds_it(two, address, method, engine):
    client = client_of(user=two["user"])
    for name, refused in (("theirs", True), ("ours", False)):
        task, execution = two[name]
        where = address.format(task=task.name, key=name, execution=execution.tracking_id)
        answer = getattr(client, method)(f"{ROOT}/{where}", *([{}] if method == "post" else []), format="json")
        assert (answer.status_code in {403, 404}) is refused, answer.content


def test_an_upsert_neither_changes_nor_shows_it(two):
    client = client_of(user=two["user"])
    body = {"function": "testapp.noop", "description": "mine now"}
    assert client.put(f"{ROOT}/tasks/by-key/theirs/", body, format="json").status_code == 403
    done = client.post(f"{ROOT}/tasks/bulk/", {"tasks": [{"key": "theirs", **body}]}, format="json").json()
    assert done["items"][0] | {"errors": None} == {
        "key": "theirs", "status": "failed", "id": None, "name": None, "errors": None,
    }  # fmt: skip


@pytest.mark.parametrize("page", ["scheduledtask", "execution", "alert", "change"])
def test_lists_in_the_admin_have_none_of_it(two, page):
    client = Client()
    client.force_login(two["user"])
    text = client.get(reverse(f"admin:django_scheduled_tasks_{page}_changelist")).content.decode()
    assert "ours task" in text
    assert [text[max(at.start() - 90, 0) : at.end()] for at in re.finditer("theirs", text)] == []


def test_no_page_in_the_admin_finds_it(two):
    client = Client()
    client.force_login(two["user"])
    for name, refused in (("theirs", True), ("ours", False)):
        task, execution = two[name]
        for page, row in (("scheduledtask", task), ("execution", execution)):
            answer = client.get(reverse(f"admin:django_scheduled_tasks_{page}_change", args=[row.pk]))
            assert (answer.status_code != 200) is refused, (name, page)


def test_rows_of_a_list_are_not_asked_about_one_by_one(two, django_assert_max_num_queries):
    for number in range(9):
        task = make_task(name=f"more {number}")
        owner = {"owner_type": "auth.group", "owner_id": two["ours"][0].owner_id}
        type(task).objects.filter(pk=task.pk).update(**owner)
    client = client_of(user=two["user"])
    client.get(f"{ROOT}/tasks/")
    with django_assert_max_num_queries(9):
        assert len(client.get(f"{ROOT}/tasks/").json()["results"]) == 10


def test_without_the_setting_nothing_is_asked(django_assert_num_queries):
    user, task = make_user(*OWNER), make_task()
    may(user, VIEW_TASK)
    with django_assert_num_queries(0):
        assert may(user, RUN_TASK, task)


def test_a_hook_that_is_not_there_is_told(settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "VISIBLE_TASKS": "no.such.hook"}
    with pytest.raises(ImproperlyConfigured, match="VISIBLE_TASKS"):
        may(make_user(), VIEW_TASK, make_task())
    assert Change.objects.exists()
