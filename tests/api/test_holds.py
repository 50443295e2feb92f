"""Holds, tags and explanations over REST."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.models import Hold, ScheduledTask, read_now
from tests.api.conftest import ROOT, codes
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def test_a_hold_is_made_listed_changed_and_released(editor, engine):
    task = make_task(name="mine")
    made = editor.post(f"{ROOT}/holds/", {"scope": "task", "task": "MINE", "reason": "deploy"}, format="json")
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["scope"], body["taskId"], body["reason"], body["until"]) == ("task", str(task.pk), "deploy", None)
    assert body["createdBy"] == Hold.objects.get().created_by.get_username()
    (listed,) = editor.get(f"{ROOT}/holds/").json()["results"]
    assert listed == body
    until = (read_now() + timedelta(hours=1)).isoformat(timespec="milliseconds")
    changed = editor.patch(f"{ROOT}/holds/{body['id']}/", {"until": until}, format="json").json()
    assert (changed["until"], changed["reason"]) == (until.replace("+00:00", "Z"), "deploy")
    assert editor.patch(f"{ROOT}/holds/{body['id']}/", {"until": None}, format="json").json()["until"] is None
    released = editor.post(f"{ROOT}/holds/{body['id']}/release/", {}, format="json")
    assert released.json()["endedAt"]
    assert editor.get(f"{ROOT}/holds/").json()["results"] == []
    again = editor.post(f"{ROOT}/holds/{body['id']}/release/", {}, format="json")
    assert (again.status_code, codes(again)) == (409, [("hold_ended", "")])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"reason": "x", "scope": "team"}, (400, "scope")),
        ({"reason": "x", "scope": "tag"}, (422, "tag")),
        ({"reason": "x", "scope": "tag", "tag": "a,b"}, (422, "tag")),
        ({"scope": "all"}, (400, "reason")),
        ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, (422, "until")),
        ({"reason": "x", "scope": "task", "task": "nope"}, (404, "")),
    ],
)
def test_what_is_wrong_is_said_at_its_field(editor, body, expected):
    response = editor.post(f"{ROOT}/holds/", body, format="json")
    assert (response.status_code, codes(response)[0][1]) == expected
    assert not Hold.objects.exists()


def test_what_is_no_hold_is_not_found(editor):
    for number in ("1", "x", "9" * 40):
        response = editor.post(f"{ROOT}/holds/{number}/release/", {}, format="json")
        assert (response.status_code, codes(response)) == (404, [("hold_not_found", "")])


def test_tags_are_set_and_looked_for(editor):
    new = {"name": "mine", "function": "testapp.noop", "tags": ["Mail", "night", "mail"]}
    assert editor.post(f"{ROOT}/tasks/", new, format="json").json()["tags"] == ["mail", "night"]
    make_task(tags=["email"])
    found = editor.get(f"{ROOT}/tasks/?tag=Mail").json()["results"]
    assert [item["name"] for item in found] == ["mine"]
    wrong = editor.patch(f"{ROOT}/tasks/mine/", {"tags": ["a b"]}, format="json")
    assert (wrong.status_code, codes(wrong)[0][1].partition(".")[0]) == (422, "tags")
    assert ScheduledTask.objects.get(name="mine").tags == ["mail", "night"]
    assert editor.patch(f"{ROOT}/tasks/mine/", {"tags": []}, format="json").json()["tags"] == []


def test_why_is_answered_in_a_sentence(editor):
    make_task(name="mine", schedule_kind="cron", expression="0 3 * * *", timezone="Europe/Berlin")
    found = editor.get(f"{ROOT}/tasks/mine/explain/?at=2099-05-05 03:00").json()
    assert (found["kind"], found["sentence"]) == ("ahead", "It is due at 2099-05-05 03:00:00 CEST.")
    assert found["facts"] == {"scheduledFor": "2099-05-05T01:00:00.000Z"}
    wrong = editor.get(f"{ROOT}/tasks/mine/explain/")
    assert (wrong.status_code, codes(wrong)) == (422, [("invalid_input", "at")])
