"""The pages that export tasks, and import them by a plan that is looked at first."""

from __future__ import annotations

import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from django_scheduled_tasks.carrying import export_document
from django_scheduled_tasks.models import Change, ScheduledTask
from django_scheduled_tasks.services.tasks import edit
from tests.admin.pages import TASKS
from tests.factories import EDITOR, OWNER, VIEWER, make_task, make_user

pytestmark = pytest.mark.django_db
PAGE = f"{TASKS}import/"


@pytest.fixture
def owner(client):
    client.force_login(make_user(*OWNER, name="olga"))
    return client


def asked(client, sent: dict) -> str:
    """Return what the button of the page sends."""
    page = client.post(PAGE, sent).content.decode()
    found = re.search(r'name="dst_asked" value="(\w+)"', page)
    return found[1] if found else "none"


def document() -> dict:
    return json.loads(json.dumps(export_document(ScheduledTask.objects.all())))


def test_what_is_exported_is_a_file_that_imports_as_nothing_to_do(owner):
    make_task(name="one", queue="slow")
    response = owner.get(f"{TASKS}export/")
    assert response["Content-Disposition"] == 'attachment; filename="scheduled-tasks.json"'
    page = owner.post(PAGE, {"file": SimpleUploadedFile("x.json", response.content)}).content.decode()
    assert "Nothing: all of it is here already." in page
    assert "1 task stays as it is." in page


def test_the_plan_is_shown_and_only_the_second_click_writes(owner):
    make_task(name="one", queue="fast")
    make_task(name="gone")
    found = document()
    found["tasks"] = [task for task in found["tasks"] if task["name"] == "one"]
    found["tasks"][0]["queue"] = "slow <b>"
    found["tasks"].append({"name": "new", "function": "testapp.noop"})
    sent = {"text": json.dumps(found), "prune": "on", "reason": "staging"}
    page = owner.post(PAGE, sent).content.decode()
    assert '<del class="dst-old">&quot;fast&quot;</del> &quot;slow &lt;b&gt;&quot;' in page
    assert ScheduledTask.objects.filter(name="gone").exists()
    assert owner.post(PAGE, sent | {"dst_asked": asked(owner, sent)}).status_code == 302
    assert set(ScheduledTask.objects.values_list("name", "queue")) == {("one", "slow <b>"), ("new", "")}
    assert set(Change.objects.filter(reason="staging").values_list("user__username", flat=True)) == {"olga"}


def test_what_changes_between_the_plan_and_the_click_is_shown_and_not_overwritten(owner):
    row = make_task(name="one", queue="fast")
    found = document()
    found["tasks"][0]["queue"] = "slow"
    sent = {"text": json.dumps(found)}
    seen = asked(owner, sent)
    edit.update_task(row, queue="other")
    response = owner.post(PAGE, sent | {"dst_asked": seen})
    page = response.content.decode()
    assert response.status_code == 200
    assert "Something has changed meanwhile" in page
    assert "&quot;other&quot;" in page
    row.refresh_from_db()
    assert row.queue == "other"


def test_a_tag_limits_what_is_exported_and_what_is_deleted(owner):
    make_task(name="mail", tags=["mail"])
    make_task(name="other")
    found = json.loads(owner.get(f"{TASKS}export/?tag=mail").content)
    assert [task["name"] for task in found["tasks"]] == ["mail"]
    found["tasks"] = []
    page = owner.post(PAGE, {"text": json.dumps(found), "prune": "on", "tag": "mail"}).content.decode()
    assert re.findall(r"<li><strong>(\w+)</strong> (\w+)", page) == [("Deleted", "mail")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "This is not JSON"),
        ("{}", "This is no export of scheduled tasks"),
        ('{"format": "scheduled tasks", "version": 1, "tasks": [{"name": "x"}]}', "tasks.0.function: It is needed."),
    ],
)
def test_what_cannot_be_read_is_said_above_the_form(owner, text, said):
    assert said in owner.post(PAGE, {"text": text, "dst_asked": "1"}).content.decode()


def test_a_task_that_cannot_be_is_named_and_there_is_no_button(owner):
    text = '{"format": "scheduled tasks", "version": 1, "tasks": [{"name": "bad", "function": "gone.away"}]}'
    page = owner.post(PAGE, {"text": text}).content.decode()
    assert "function: " in page
    assert "What would it do?" in page
    assert owner.post(PAGE, {"text": text, "dst_asked": "1"}).status_code == 200
    assert not ScheduledTask.objects.exists()


def test_who_may_not_delete_may_not_import_what_deletes(client):
    make_task(name="gone")
    client.force_login(make_user(*EDITOR))
    text = '{"format": "scheduled tasks", "version": 1, "tasks": []}'
    assert client.post(PAGE, {"text": text, "prune": "on"}).status_code == 403
    assert client.post(PAGE, {"text": text}).status_code == 200


def test_the_list_has_the_links_for_those_who_may(client, owner):
    assert PAGE in owner.get(TASKS).content.decode()
    client.force_login(make_user(*VIEWER))
    page = client.get(TASKS).content.decode()
    assert PAGE not in page
    assert f"{TASKS}export/" in page
