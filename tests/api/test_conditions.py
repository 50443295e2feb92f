"""``ETag`` and ``If-Match`` of tasks: who has not read the newest version does not overwrite it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_scheduled_tasks.exceptions import TaskChanged
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.tasks.edit import update_task, version_of
from tests.api.conftest import ROOT, codes
from tests.factories import make_task

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]
TASK = f"{ROOT}/tasks/nightly/"
FULL = {"name": "nightly", "function": "testapp.noop"}
CALLS = {"put": FULL, "patch": {"description": "mine"}, "delete": None}


@pytest.fixture
def nightly() -> ScheduledTask:
    return make_task(name="nightly", schedule_kind="interval", expression="1h")


def send(client: Any, method: str, tag: str) -> Any:
    return getattr(client, method)(TASK, CALLS[method], format="json", headers={"If-Match": tag})


@pytest.mark.parametrize("method", CALLS)
def test_what_was_read_last_may_be_changed(nightly, owner, method):
    response = send(owner, method, owner.get(TASK)["ETag"])
    assert response.status_code == (204 if method == "delete" else 200)


@pytest.mark.parametrize("method", CALLS)
def test_what_somebody_has_changed_meanwhile_may_not(nightly, owner, method):
    tag = owner.get(TASK)["ETag"]
    update_task(nightly, description="theirs")
    response = send(owner, method, tag)
    assert (response.status_code, codes(response)) == (412, [("task_changed", "")])
    assert response.json()["errors"]["statusText"] == "Precondition Failed"
    assert "since you read it" in response.json()["errors"]["items"][0]["message"]
    assert ScheduledTask.objects.get().description == "theirs"


@pytest.mark.parametrize("change", ["pause", "resume"])
def test_a_pause_is_a_change(nightly, owner, change):
    if change == "resume":
        owner.post(f"{TASK}pause/")
    tag = owner.get(TASK)["ETag"]
    assert owner.post(f"{TASK}{change}/").status_code == 200
    assert send(owner, "patch", tag).status_code == 412


def test_without_the_header_the_last_one_wins(nightly, owner):
    update_task(nightly, description="theirs")
    assert owner.patch(TASK, {"description": "mine"}, format="json").status_code == 200
    assert send(owner, "patch", "*").status_code == 200


def test_each_response_has_the_tag_of_the_task_that_it_shows(nightly, owner):
    calls = [
        owner.patch(TASK, {"description": "x"}, format="json"),
        owner.put(TASK, FULL, format="json"),
        owner.post(f"{TASK}pause/"),
        owner.post(f"{TASK}resume/"),
        owner.patch(TASK, {"description": "x"}, format="json"),
        owner.patch(TASK, {"description": "x"}, format="json"),  # nothing is changed
    ]
    tags = [call["ETag"] for call in calls]
    assert len(set(tags)) == 5
    assert tags[-1] == tags[-2] == owner.get(TASK)["ETag"] == owner.get(f"{TASK}?fields=name")["ETag"]
    made = owner.post(f"{ROOT}/tasks/", FULL | {"name": "other"}, format="json")
    assert made["ETag"] == owner.get(made["Location"])["ETag"]


def test_what_the_schedule_does_is_no_change_but_another_representation(nightly, owner, engine):
    ScheduledTask.objects.update(next_run_at=read_now() - timedelta(seconds=1))
    before = owner.get(TASK)["ETag"]
    assert record_due(limit=10).tasks == 1
    after = owner.get(TASK)["ETag"]
    assert before != after, "a cache must not show the earlier next run"
    assert send(owner, "patch", before).status_code == 200


@pytest.mark.parametrize("form", ["W/{tag}", '"x", {tag}', "{tag} , W/{tag}"])
def test_a_tag_may_have_become_weak_and_stand_among_others(nightly, owner, form):
    tag = owner.get(TASK)["ETag"]
    assert send(owner, "patch", form.format(tag=tag)).status_code == 200


@pytest.mark.parametrize("tag", ["", "x", '""', '"0"', "W/", ","])
def test_what_is_no_tag_of_ours_does_not_match(nightly, owner, tag):
    assert send(owner, "patch", tag).status_code == 412


def test_python_code_can_ask_for_it_too(nightly):
    version = version_of(nightly)
    nightly = update_task(nightly, versions={version}, description="x")
    with pytest.raises(TaskChanged):
        update_task(nightly, versions={version}, description="y")
