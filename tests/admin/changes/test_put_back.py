"""Put back: one field of a recorded change gets back what it had, after the question before and after."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from django_scheduled_tasks.models import Change
from django_scheduled_tasks.services.tasks.edit import delete_task, update_task
from tests.admin.pages import CHANGES
from tests.factories import EDITOR, make_task, make_user

pytestmark = pytest.mark.django_db


def text_of(response) -> str:
    page = response.content.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("content-main") :])).split())


@pytest.fixture
def task(client):
    client.force_login(make_user(*EDITOR, "view_change", name="anna"))
    return make_task(
        name="digest", function="testapp.secretive", schedule_kind="cron", expression="0 3 * * *",
        params={"password": "Pa55word", "user": "all"}, timezone="UTC",
    )  # fmt: skip


@pytest.fixture
def change(task):
    ben = make_user(name="ben")
    params = {"password": "another", "user": "vip"}
    update_task(task, user=ben, expression="0 4 * * *", timeout=timedelta(minutes=5), params=params)
    return Change.objects.latest("pk")


def address(change, **query) -> str:
    return f"{CHANGES}{change.pk}/put-back/?" + "&".join(f"{name}={value}" for name, value in query.items())


def test_it_is_asked_before_and_recorded_after(client, task, change):
    shown = client.get(CHANGES).content.decode()
    assert shown.count("/put-back/?") == 3
    assert f"{change.pk}/put-back/?field=params&amp;name=password" not in shown
    asked = text_of(client.get(address(change, field="expression")))
    assert "Cron 0 4 * * * Every day at 04:00 0 3 * * * Every day at 03:00" in asked
    assert "The next seven days" in asked
    response = client.post(address(change, field="expression"), {"dst_asked": "1", "dst_reason": "too late"})
    assert response.status_code == 302
    task.refresh_from_db()
    assert (task.expression, task.timeout) == ("0 3 * * *", timedelta(minutes=5))
    row = Change.objects.latest("pk")
    assert (row.puts_back, row.reason, row.user_name, row.way) == (change.pk, "too late", "anna", "admin")
    assert "Already put back by anna," in text_of(client.get(CHANGES))
    client.get(address(change, field="expression"))
    assert "It is as it was before already." in client.get(CHANGES).content.decode()


def test_a_parameter_is_put_back_alone(client, task, change):
    client.post(address(change, field="params", name="user"), {"dst_asked": "1"})
    task.refresh_from_db()
    assert task.params == {"password": "another", "user": "all"}


def test_where_it_was_changed_again_a_sentence_says_so(client, task, change):
    update_task(task, user=make_user(name="carl"), expression="0 5 * * *")
    asked = text_of(client.get(address(change, field="expression")))
    assert "Cron has been changed again since, by carl. Show" in asked


def test_what_was_not_recorded_cannot_be_put_back(client, task, change):
    for query in ({"field": "params", "name": "password"}, {"field": "queue"}, {"field": "x"}, {}):
        response = client.post(address(change, **query), {"dst_asked": "1"}, follow=True)
        assert "What it was before was not recorded" in response.content.decode()
    task.refresh_from_db()
    assert task.expression == "0 4 * * *"


def test_what_does_not_fit_any_more_is_refused(client, task, change):
    update_task(task, name="first")
    renamed = Change.objects.latest("pk")
    make_task(name="digest")
    response = client.post(address(renamed, field="name"), {"dst_asked": "1"}, follow=True)
    assert "There is a scheduled task of this name already." in response.content.decode()


def test_it_needs_the_permission_to_change_the_task(client, task, change):
    client.force_login(make_user("view_change", "view_scheduledtask"))
    assert "/put-back/" not in client.get(CHANGES).content.decode()
    assert client.post(address(change, field="expression"), {"dst_asked": "1"}).status_code == 403
    client.force_login(make_user(*EDITOR))
    assert client.get(address(change, field="expression")).status_code == 403
    delete_task(task)
    client.force_login(make_user(superuser=True))
    assert client.get(address(change, field="expression")).status_code == 404
