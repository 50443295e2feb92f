"""Who changed what, over REST."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.models import Change
from django_scheduled_tasks.services.tasks.edit import delete_task, update_task
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import make_task, make_user

pytestmark = pytest.mark.django_db
AUDIT = f"{ROOT}/audit/"


@pytest.fixture
def auditor():
    return client_of("view_scheduledtask", "view_change", "change_scheduledtask")


def test_a_change_through_the_api_is_listed_with_who_why_and_through_what(auditor):
    task = make_task(name="mine", function="testapp.secretive", params={"password": "first", "user": "anna"})
    Change.objects.all().delete()
    body = {"maxAttempts": 3, "params": {"password": "second", "user": "anna"}, "reason": "flaky"}
    assert auditor.patch(f"{ROOT}/tasks/mine/", body, format="json").status_code == 200
    (found,) = auditor.get(AUDIT).json()["results"]
    assert found.pop("at").endswith("Z")
    assert found == {
        "id": Change.objects.get().pk,
        "deed": "changed",
        "kinds": ["limits", "parameters"],
        "person": Change.objects.get().user_name,
        "way": "api",
        "door": "",
        "address": "127.0.0.1",
        "taskId": str(task.pk),
        "taskName": "mine",
        "reason": "flaky",
        "changed": [
            {"field": "maxAttempts", "old": "1", "new": "3"},
            {"field": "params", "name": "password", "old": '"••••••••"', "new": '"••••••••"'},
        ],
        "putsBack": None,
    }
    assert auditor.get(f"{AUDIT}{found['id']}/").json()["reason"] == "flaky"
    assert auditor.get(f"{AUDIT}{found['id']}/?fields=deed").json() == {"deed": "changed"}
    for method in ("post", "put", "patch", "delete"):
        assert getattr(auditor, method)(f"{AUDIT}{found['id']}/").status_code == 405


def test_filters_and_pages(auditor):
    anna = make_user(name="anna")
    mine, other = make_task(name="mine"), make_task(name="other")
    Change.objects.all().delete()
    update_task(mine, user=anna, timeout=timedelta(minutes=5))
    update_task(other, schedule_kind="cron", expression="0 3 * * *")
    number = other.pk
    delete_task(other)
    at = Change.objects.latest("pk").at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for query, count in {
        "task=MINE": 1,
        f"task={number}": 2,
        "task=other": 2,
        "person=anna": 1,
        "way=python": 3,
        "way=admin,api": 0,
        "kind=schedule": 1,
        "search=timeout": 1,
        f"since={at}": 1,
        f"until={at}": 2,
    }.items():
        assert len(auditor.get(f"{AUDIT}?{query}").json()["results"]) == count, query
    assert auditor.get(f"{AUDIT}?kind=nope").status_code == 400
    page = auditor.get(f"{AUDIT}?pageSize=2").json()
    assert len(page["results"]) == 2
    assert len(auditor.get(page["next"]).json()["results"]) == 1


def test_it_is_for_those_who_may_see_changes_and_the_tasks():
    make_task(name="mine")
    number = Change.objects.get(task_name="mine").pk
    assert client_of("view_scheduledtask").get(AUDIT).status_code == 403
    blind = client_of("view_change")
    assert blind.get(AUDIT).json()["results"] == []
    assert codes(blind.get(f"{AUDIT}{number}/")) == [("change_not_found", "")]
    assert codes(blind.get(f"{AUDIT}x/")) == [("change_not_found", "")]
