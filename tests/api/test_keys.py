"""Tasks by a program's own keys over REST, and how each of them is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks import upsert_task
from django_scheduled_tasks.admin.tasks.list.row import RowContext, TaskRow
from django_scheduled_tasks.admin.ui.text.labels import STATE_LABELS
from django_scheduled_tasks.lifecycle import PauseCode, Status
from django_scheduled_tasks.models import Change, Deed, Hold, ScheduledTask, read_now
from django_scheduled_tasks.services.queries.condition import OK, PRECEDENCE, conditions_of
from django_scheduled_tasks.services.queries.overview import with_state
from django_scheduled_tasks.services.tasks.edit import pause
from django_scheduled_tasks.services.tasks.holds import hold
from tests.api.conftest import ROOT, client_of, codes
from tests.database import KEEPS_JIT_AWAY, connection, counts_statements
from tests.factories import OWNER, make_execution, make_task

pytestmark = pytest.mark.django_db
DENIED = [("permission_denied", "")]
BODY = {
    "function": "testapp.add",
    "params": {"a": 1},
    "scheduleKind": "cron",
    "expression": "0 9 1 * *",
    "timezone": "Europe/Berlin",
}


@pytest.fixture
def client() -> Any:
    return client_of(*OWNER)


def address(key: str) -> str:
    return f"{ROOT}/tasks/by-key/{quote(key, safe='')}/"


@pytest.mark.parametrize("key", ["customer:17", "a/b c", "ä?&", "pause"])
def test_a_task_is_made_changed_read_and_deleted_by_its_key(client, key):
    made = client.put(address(key), {**BODY, "reason": "they came"}, format="json")
    assert made.status_code == 201, made.json()
    assert made.json()["key"] == key
    assert client.get(made["Location"]).json()["id"] == made.json()["id"]
    assert Change.objects.get(deed=Deed.CREATED).reason == "they came"
    again = client.put(address(key), BODY, format="json")
    assert (again.status_code, again["ETag"]) == (200, made["ETag"])
    changed = client.put(address(key), {"function": "testapp.add", "timeout": "5m"}, format="json")
    assert (changed.status_code, changed.json()["timeout"], changed.json()["expression"]) == (200, "5m", "0 9 1 * *")
    assert client.get(address(key), {"fields": "key"}).json() == {"key": key}
    assert client.delete(address(key), HTTP_IF_MATCH='"other.x"').status_code == 412
    assert client.delete(address(key)).status_code == 204
    assert codes(client.get(address(key))) == [("task_not_found", "")]
    assert codes(client.delete(address(key))) == [("task_not_found", "")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"params": {}}, 400),
        ({**BODY, "function": "no.such"}, 422),
        ({**BODY, "expression": "61 * * * *"}, 422),
        ({**BODY, "ownerType": "no.model", "ownerId": "1"}, 400),
        ({**BODY, "ownerType": "auth.Group"}, 400),
        ({**BODY, "ownerType": "auth.Group", "ownerId": ""}, 400),
    ],
)
def test_what_is_wrong_is_said(client, body, status):
    answer = client.put(address("k"), body, format="json")
    assert answer.status_code == status, answer.json()
    assert not ScheduledTask.objects.exists()


def test_owners_are_set_and_found(client):
    group = Group.objects.create(name="one")
    owner = {"ownerType": "auth.Group", "ownerId": str(group.pk)}
    assert client.put(address("k"), {**BODY, **owner}, format="json").json()["ownerType"] == "auth.group"
    assert ScheduledTask.objects.get().owner == group
    make_task(tags=["x"])
    for query in (owner, {"ownerType": "auth.group"}, {"key": "k"}, {"ownerId": str(group.pk)}):
        found = client.get(f"{ROOT}/tasks/", query).json()["results"]
        assert [task["key"] for task in found] == ["k"], query
    assert [task["key"] for task in client.get(f"{ROOT}/tasks/", {"tag": "x"}).json()["results"]] == [None]
    assert client.put(address("k"), {**BODY, "ownerType": "", "ownerId": ""}, format="json").json()["ownerId"] == ""


def bulk(client: Any, tasks: list[Any], **more: Any) -> Any:
    return client.post(f"{ROOT}/tasks/bulk/", {"tasks": tasks, **more}, format="json")


def test_many_are_written_and_each_says_what_came_of_it(client, django_assert_max_num_queries):
    upsert_task("testapp.add", key="same", params={"a": 1})
    upsert_task("testapp.add", key="other", params={"a": 1})
    tasks = [
        {"key": "new", **BODY},
        {"key": "same", "function": "testapp.add", "params": {"a": 1}},
        {"key": "other", "function": "testapp.add", "params": {"a": 2}},
        {"key": "wrong", **BODY, "params": {"a": "x"}},
        {"key": "shape", **BODY, "timeout": 5},
        {"function": "testapp.noop"},
        {"key": "new", **BODY},
        {"key": "big", **BODY, "params": {"a": 1, "b": "x" * 70_000}},
        *({"key": f"more:{number}", **BODY} for number in range(150)),
    ]
    with django_assert_max_num_queries(40):
        answer = bulk(client, tasks, reason="nightly")
    assert answer.status_code == 200, answer.json()
    found = answer.json()
    statuses = [item["status"] for item in found["items"][:8]]
    assert statuses == ["created", "unchanged", "updated", *["failed"] * 5]
    assert (found["created"], found["updated"], found["unchanged"], found["failed"]) == (151, 1, 1, 5)
    wrong, shape, missing, twice, big = (item["errors"]["items"][0]["details"] for item in found["items"][3:8])
    assert (wrong["field"], shape["field"], missing["field"]) == ("params.a", "timeout", "key")
    assert (twice["rule"], big["rule"]) == ("duplicate", "long")
    assert found["items"][0]["id"] == str(ScheduledTask.objects.get(key="new").pk)
    assert Change.objects.filter(reason="nightly").count() == 152


def test_no_more_than_a_thousand_at_once(client):
    assert bulk(client, [{"key": f"k{n}", "function": "testapp.noop"} for n in range(1_001)]).status_code == 400
    assert not ScheduledTask.objects.exists()


def test_who_may_only_change_creates_nothing_and_the_other_way_round():
    upsert_task("testapp.noop", key="there")
    changer = client_of("change_scheduledtask")
    assert changer.put(address("there"), {"function": "testapp.noop", "queue": "a"}, format="json").status_code == 200
    assert codes(changer.put(address("new"), {"function": "testapp.noop"}, format="json")) == [
        ("permission_denied", "")
    ]
    done = bulk(changer, [{"key": key, "function": "testapp.noop", "queue": "b"} for key in ("new", "there")]).json()
    assert [item["status"] for item in done["items"]] == ["failed", "updated"]
    assert done["items"][0]["errors"]["items"][0]["code"] == "permission_denied"
    adder = client_of("add_scheduledtask")
    assert codes(adder.put(address("there"), {"function": "testapp.noop"}, format="json")) == [
        ("permission_denied", "")
    ]
    assert codes(bulk(adder, [])) == DENIED


# --- how they are -------------------------------------------------------------------------------------------------


@pytest.fixture
def in_each_state() -> dict[str, ScheduledTask]:
    now = read_now()
    found = {word: make_task(name=word, schedule_kind="cron", expression="0 3 * * *") for word in (OK, *PRECEDENCE)}
    rows = ScheduledTask.objects
    rows.filter(name="broken").update(function="shop.gone", pause_code=PauseCode.UNKNOWN_FUNCTION)
    pause(found["paused"])
    rows.filter(name="elsewhere").update(environments=["mars"])
    hold("task", task=found["held"], reason="x")
    rows.filter(name="late").update(next_run_at=now - timedelta(hours=1))
    lease = {"started_at": now, "lease_until": now + timedelta(hours=1)}
    make_execution(found["running"], status=Status.PROCESSING, **lease)
    begun = now - timedelta(minutes=5)
    for word in ("failing", "running"):
        make_execution(
            found[word], status=Status.COMPLETED, started_at=begun, completed_at=begun + timedelta(seconds=8)
        )
    make_execution(found["failing"], status=Status.ERRORS)
    rows.filter(name="done").update(next_run_at=None)
    return {row.name: row for row in rows.all()}


def test_each_state_is_told_found_and_ordered_by(client, in_each_state):
    listed = client.get(f"{ROOT}/tasks/", {"ordering": "state"}).json()["results"]
    assert [task["state"] for task in listed] == [str(state) for state in (*PRECEDENCE, OK)]
    assert all(task["state"] == task["name"] for task in listed)
    for word in (OK, *PRECEDENCE):
        found = client.get(f"{ROOT}/tasks/", {"state": str(word)}).json()["results"]
        assert word in [task["name"] for task in found]
        assert client.get(f"{ROOT}/tasks/{word}/").json()["state"] == word


def test_the_list_in_the_admin_tells_the_same(in_each_state):
    context = RowContext(site=site, now=read_now(), holds=list(Hold.objects.all()))
    words = conditions_of(in_each_state.values())
    for task in with_state(ScheduledTask.objects.all()):
        pill = TaskRow(task, [], context).state
        word = words[task.pk].word
        expected = word if word not in {OK, "running", "failing"} else "active"
        assert pill == STATE_LABELS[expected], word


def test_the_last_executions_are_told(client, in_each_state):
    task = client.get(f"{ROOT}/tasks/failing/").json()
    assert (task["lastExecution"]["status"], task["lastExecution"]["outcome"]) == ("errors", "failed")
    assert task["usualSeconds"] == 8.0
    assert task["lastSuccessAt"] < task["lastExecution"]["completedAt"]
    nothing = client.get(f"{ROOT}/tasks/ok/").json()
    assert (nothing["lastExecution"], nothing["lastSuccessAt"], nothing["usualSeconds"]) == (None, None, None)


@counts_statements
def test_a_page_costs_as_many_statements_for_many_as_for_one(client, django_assert_num_queries, in_each_state):
    client.get(f"{ROOT}/tasks/")
    with CaptureQueriesContext(connection) as done:
        client.get(f"{ROOT}/tasks/", {"pageSize": 9, "ordering": "-state"})
    assert len(done) == 6 + KEEPS_JIT_AWAY
    with django_assert_num_queries(2 + KEEPS_JIT_AWAY):
        client.get(f"{ROOT}/tasks/", {"fields": "name,key"})
