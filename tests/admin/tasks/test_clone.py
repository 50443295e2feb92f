"""A task as the beginning of another one: Clone, and Save as new."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from django_scheduled_tasks.models import ScheduledTask
from tests.admin.pages import TASKS, Fields
from tests.factories import EDITOR, VIEWER, make_task, make_user
from tests.secretive import make_nightly

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client):
    client.force_login(make_user(*EDITOR))
    return client


def test_a_clone_begins_with_all_that_the_task_says_under_another_name(editor):
    task = make_task(
        name="nightly",
        schedule_kind="interval",
        expression="90m",
        timezone="America/New_York",
        max_attempts=3,
        timeout=timedelta(minutes=7),
        tags=["mail", "night"],
        description="Sends.",
    )
    assert f"add/?clone={task.pk}" in editor.get(f"{TASKS}{task.pk}/change/").content.decode()
    sent = Fields(editor.get(f"{TASKS}add/?clone={task.pk}").content.decode()).sent
    assert sent["name"] == "nightly copy"
    assert (sent["every_0"], sent["every_1"], sent["timezone"]) == ("90", "60", "America/New_York")
    response = editor.post(f"{TASKS}add/?clone={task.pk}", sent)
    assert response.status_code == 302, response.context["adminform"].form.errors
    clone = ScheduledTask.objects.get(name="nightly copy")
    same = ("function", "expression", "timezone", "max_attempts", "timeout", "tags", "description", "enabled")
    assert [getattr(clone, name) for name in same] == [getattr(task, name) for name in same]
    assert clone.run_count == 0


def test_a_long_name_is_cut(editor):
    task = make_task(name="n" * 64)
    sent = Fields(editor.get(f"{TASKS}add/?clone={task.pk}").content.decode()).sent
    assert sent["name"] == "n" * 59 + " copy"


def test_what_is_no_task_or_may_not_be_seen_clones_nothing(client, editor):
    for key in (uuid4(), "x"):
        assert Fields(editor.get(f"{TASKS}add/?clone={key}").content.decode()).sent["name"] == ""
    task = make_task(name="confidential")
    client.force_login(make_user("add_scheduledtask"))
    assert "confidential" not in client.get(f"{TASKS}add/?clone={task.pk}").content.decode()
    client.force_login(make_user(*VIEWER))
    assert "?clone=" not in client.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert client.get(f"{TASKS}add/?clone={task.pk}").status_code == 403


def test_save_as_new_leaves_the_task_and_stores_another(editor):
    task = make_task(name="nightly", max_attempts=2)
    page = editor.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert 'name="_saveasnew"' in page
    sent = Fields(page).sent | {"_saveasnew": "1", "max_attempts": "5"}
    again = editor.post(f"{TASKS}{task.pk}/change/", sent)
    assert again.context["adminform"].form.errors == {"name": ["There is a scheduled task of this name already."]}
    assert editor.post(f"{TASKS}{task.pk}/change/", sent | {"name": "weekly"}).status_code == 302
    assert dict(ScheduledTask.objects.values_list("name", "max_attempts")) == {"nightly": 2, "weekly": 5}


@pytest.mark.parametrize("way", ["clone", "save as new"])
def test_secrets_are_not_copied(editor, way):
    task = make_nightly()
    page = editor.get(f"{TASKS}add/?clone={task.pk}", follow=True).content.decode()
    assert "Secrets are not copied: enter them again." in page
    assert "pa55word" not in page
    path = f"{TASKS}add/?clone={task.pk}"
    if way == "save as new":
        path = f"{TASKS}{task.pk}/change/"
        page = editor.get(path).content.decode()
    sent = Fields(page).sent | {"_saveasnew": "1", "name": "other"}
    editor.post(path, sent)
    for other in ScheduledTask.objects.filter(name="other"):
        assert "password" not in other.params
        assert "pa55word" not in str(other.params)
        assert "•" not in str(other.params)
