"""Tasks that programs have made: one row for each function, on the page of their owner, and on their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory
from django.urls import reverse

from django_scheduled_tasks import upsert_tasks
from django_scheduled_tasks.admin.owner import ShowsTasks, owner_link
from django_scheduled_tasks.models import Alert, ScheduledTask, read_now
from tests.admin.pages import FORM, TASKS
from tests.factories import OWNER, make_task, make_user

pytestmark = pytest.mark.django_db
LIST = "admin:django_scheduled_tasks_scheduledtask_changelist"


@pytest.fixture
def group() -> Group:
    found = Group.objects.create(name="The customer")
    rows = ({"function": "testapp.noop", "key": f"k{n}", "owner": found if n < 3 else None} for n in range(30))
    upsert_tasks(rows)
    make_task(name="made by hand")
    return found


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(*OWNER))
    return client


def listed(client: Client, **query: str) -> tuple[list[str], str]:
    response = client.get(reverse(LIST), query)
    return sorted(row.name for row in response.context["cl"].result_list), response.content.decode()


def test_they_are_one_row_that_opens_their_list(staff, group):
    task = ScheduledTask.objects.get(key="k7")
    Alert.objects.create(kind="failing", task=task, task_name=task.name, opened_at=read_now(), open_key="f")
    names, page = listed(staff)
    assert names == ["made by hand"]
    assert "30 tasks" in page
    assert "1 failing" in page
    assert 'href="?function=testapp.noop"' in page
    names, page = listed(staff, function="testapp.noop")
    assert len(names) == 31
    assert "30 tasks" not in page
    assert listed(staff, q="noop k7")[0] == ["noop k7"]
    assert len(listed(staff, owner=f"auth.group:{group.pk}")[0]) == 3
    assert len(listed(staff, state="needs_attention")[0]) == 1


def test_without_keys_there_is_no_such_row(staff):
    make_task(name="made by hand")
    names, page = listed(staff)
    assert names == ["made by hand"]
    assert "dst-folded" not in page


def test_the_page_of_a_task_names_its_key_and_owner(staff, group):
    row = ScheduledTask.objects.get(key="k1")
    page = staff.get(reverse("admin:django_scheduled_tasks_scheduledtask_change", args=[row.pk])).content.decode()
    assert ">k1<" in page
    assert "The customer" in page
    row.owner_id = "999"
    assert owner_link(admin.site, row) == "auth.group 999"


def shown_to(user: Any, group: Group) -> str:
    class GroupAdmin(ShowsTasks):
        pass

    request = RequestFactory().get("/")
    request.user = user
    screen = GroupAdmin(Group, admin.site)
    return screen.changeform_view(request, str(group.pk)).render().content.decode()


def test_the_page_of_an_owner_lists_its_tasks(group):
    page = shown_to(make_user(superuser=True), group)
    assert all(f"noop k{number}" in page for number in range(3))
    assert "noop k3" not in page
    assert f"owner=auth.group%3A{group.pk}" in page
    assert "noop k1" not in shown_to(make_user("change_group", "view_group"), group)
    ScheduledTask.objects.exclude(key=None).delete()
    assert "None." in shown_to(make_user(superuser=True), group)


def test_that_a_task_goes_when_it_is_done_is_chosen_in_its_form(client):
    client.force_login(make_user(superuser=True))
    assert client.post(f"{TASKS}add/", FORM | {"max_runs": "1", "delete_when_done": "on"}).status_code == 302
    row = ScheduledTask.objects.get(name=FORM["name"])
    assert (row.max_runs, row.delete_when_done) == (1, True)
    assert "id_delete_when_done" in client.get(f"{TASKS}{row.pk}/change/").content.decode()
