"""Exporting and importing tasks over REST."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import Change, ScheduledTask
from tests.api.conftest import ROOT, client_of
from tests.factories import EDITOR, OWNER, make_task, make_user

pytestmark = pytest.mark.django_db
DOCUMENT = {
    "format": "scheduled tasks",
    "version": 1,
    "tasks": [
        {"name": "one", "function": "testapp.noop", "queue": "slow"},
        {
            "name": "new",
            "function": "testapp.noop",
            "scheduleKind": "cron",
            "expression": "0 3 * * *",
            "timezone": "UTC",
        },
    ],
}


@pytest.fixture
def owner():
    return client_of(user=make_user(*OWNER, name="olga"))


def test_what_is_exported_is_what_is_there(owner):
    make_task(name="one", function="testapp.secretive", params={"password": "Pa55word"}, tags=["mail"])
    make_task(name="two")
    found = owner.get(f"{ROOT}/tasks/export/?tag=mail").json()
    assert [task["name"] for task in found["tasks"]] == ["one"]
    assert "Pa55word" not in str(found)
    answer = owner.post(f"{ROOT}/tasks/import/", {"document": found}, format="json").json()
    assert (answer["applied"], answer["unchanged"], answer["updated"]) == (False, 1, 0)


def test_the_plan_is_answered_and_only_apply_writes(owner):
    make_task(name="one", queue="fast")
    make_task(name="gone")
    body = {"document": DOCUMENT, "prune": True, "reason": "staging"}
    plan = owner.post(f"{ROOT}/tasks/import/", body, format="json").json()
    assert [plan[act] for act in ("created", "updated", "deleted", "unchanged")] == [1, 1, 1, 0]
    (first, *_others) = plan["items"]
    assert first["changes"] == [{"field": "queue", "before": "fast", "after": "slow"}]
    assert ScheduledTask.objects.count() == 2
    done = owner.post(f"{ROOT}/tasks/import/", body | {"apply": True}, format="json").json()
    assert done["applied"]
    assert set(ScheduledTask.objects.values_list("name", "queue")) == {("one", "slow"), ("new", "")}
    assert set(Change.objects.filter(reason="staging").values_list("user__username", "way")) == {("olga", "api")}
    again = owner.post(f"{ROOT}/tasks/import/", body | {"apply": True}, format="json").json()
    assert again["unchanged"] == 2


def test_what_cannot_be_is_said_in_the_plan_and_refused_when_applied(owner):
    document = {**DOCUMENT, "tasks": [{"name": "x", "function": "gone.away"}]}
    plan = owner.post(f"{ROOT}/tasks/import/", {"document": document}, format="json")
    assert plan.status_code == 200
    assert "function" in str(plan.json()["items"][0]["errors"])
    done = owner.post(f"{ROOT}/tasks/import/", {"document": document, "apply": True}, format="json")
    assert done.status_code == 422
    assert not ScheduledTask.objects.exists()


@pytest.mark.parametrize("document", [{}, {**DOCUMENT, "version": 9}, {**DOCUMENT, "tasks": [3]}])
def test_what_is_no_such_document_is_422(owner, document):
    assert owner.post(f"{ROOT}/tasks/import/", {"document": document}, format="json").status_code == 422


def test_who_may_not_do_one_part_may_not_do_any_of_it():
    make_task(name="gone")
    api = client_of(*EDITOR)
    body = {"document": {**DOCUMENT, "tasks": []}, "prune": True}
    assert api.post(f"{ROOT}/tasks/import/", body, format="json").status_code == 403
    assert api.post(f"{ROOT}/tasks/import/", body | {"prune": False}, format="json").status_code == 200
