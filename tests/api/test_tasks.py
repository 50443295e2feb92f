"""Tasks over REST: reading, creating, changing, pausing, what is ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask, frozen_at
from django_scheduled_tasks.services.tasks.edit import pause
from django_scheduled_tasks.services.tasks.holds import hold
from tests.api.conftest import ROOT, client_of, codes
from tests.database import connection, counts_statements
from tests.factories import EDITOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
TASKS = f"{ROOT}/tasks"


def test_a_task_is_created_and_its_address_told(editor):
    body = {
        "name": "nightly",
        "function": "testapp.add",
        "params": {"a": 1},
        "scheduleKind": "cron",
        "expression": "0 2 * * *",
        "timezone": "Europe/Berlin",
        "timeout": "90m",
        "retryOn": ["ConnectionError"],
    }
    response = editor.post(f"{TASKS}/", body, format="json")
    assert response.status_code == 201, response.content
    assert response["Location"] == f"http://testserver{TASKS}/nightly/"
    task = ScheduledTask.objects.get()
    assert (task.timeout, task.expression, task.retry_on) == (timedelta(hours=1.5), "0 2 * * *", ["ConnectionError"])
    assert task.next_run_at is not None
    assert task.created_by is not None
    found = response.json()
    assert {key: found[key] for key in body} == body
    assert found["id"] == str(task.pk)
    assert found["nextRunAt"].endswith(":00.000Z")
    assert not [key for key in found if "_" in key]


def test_what_is_wrong_with_a_task_is_told_by_json_key(editor):
    body = {
        "name": "x",
        "function": "testapp.add",
        "params": {"b": "two"},
        "scheduleKind": "cron",
        "expression": "61 * * * *",
    }
    response = editor.post(f"{TASKS}/", body | {"name": "this"}, format="json")
    assert response.status_code == 422
    found = codes(response)
    assert {("invalid_task", "name"), ("invalid_task", "expression"), ("invalid_task", "params.b")} <= set(found)
    response = editor.post(f"{TASKS}/", body | {"maxAttempts": "3", "schedule_kind": "cron"}, format="json")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "schedule_kind")])
    assert not ScheduledTask.objects.exists()


@pytest.mark.parametrize("name", ["grace", "expiresAfter", "timeout", "minBackoff", "spread"])
def test_a_duration_of_nothing_is_refused_by_its_key(editor, name):
    response = editor.post(f"{TASKS}/", {"name": "nightly", "function": "testapp.noop", name: "0s"}, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_task", name)])
    assert "greater than or equal to 1s." in response.content.decode()


def test_a_name_that_is_taken_is_422(editor):
    make_task(name="Nightly")
    response = editor.post(f"{TASKS}/", {"name": "nightly", "function": "testapp.noop"}, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_task", "name")])


def test_what_was_read_can_be_put_back_unchanged_secrets_included(editor):
    task = make_task(function="testapp.secretive", params={"password": "geheim"}, timeout=timedelta(seconds=90))
    address = f"{TASKS}/{task.pk}/"
    found = editor.get(address).json()
    assert "geheim" not in str(found)
    response = editor.put(address, found, format="json")
    assert response.status_code == 200, response.content
    task.refresh_from_db()
    assert (task.params, task.timeout) == ({"password": "geheim"}, timedelta(seconds=90))


def test_put_replaces_and_patch_changes(editor):
    task = make_task(name="nightly", description="Old.", timeout=timedelta(minutes=5))
    response = editor.patch(f"{TASKS}/NIGHTLY/", {"description": "New."}, format="json")
    assert response.status_code == 200
    task.refresh_from_db()
    assert (task.description, task.timeout) == ("New.", timedelta(minutes=5))
    response = editor.put(f"{TASKS}/nightly/", {"name": "nightly", "function": "testapp.noop"}, format="json")
    assert response.status_code == 200
    task.refresh_from_db()
    assert (task.description, task.timeout) == ("", None)


def test_a_changed_schedule_counts_from_now(editor):
    task = make_task(schedule_kind="interval", expression="1h")
    before = datetime.now(UTC)
    response = editor.patch(f"{TASKS}/{task.pk}/", {"expression": "5m"}, format="json")
    task.refresh_from_db()
    assert before < task.next_run_at <= datetime.now(UTC) + timedelta(minutes=5)
    assert response.json()["nextRunAt"] == f"{task.next_run_at:%Y-%m-%dT%H:%M:%S}.000Z"


def test_a_deleted_task_leaves_its_executions(owner):
    task = make_task(name="nightly")
    execution = make_execution(task, status="completed")
    assert owner.delete(f"{TASKS}/nightly/").status_code == 204
    assert codes(owner.get(f"{TASKS}/nightly/")) == [("task_not_found", "")]
    assert owner.get(f"{TASKS}/nightly/status/{execution.tracking_id}/").json()["info"]["scheduledTaskId"] is None
    assert Execution.objects.count() == 1


def test_an_id_wins_over_a_name(viewer):
    other = make_task(name="other")
    named = make_task(name=str(other.pk))
    assert viewer.get(f"{TASKS}/{other.pk}/").json()["id"] == str(other.pk)
    executions = [make_execution(task) for task in (named, other)]
    found = viewer.get(f"/api/scheduled-tasks/executions/?task={other.pk}").json()["results"]
    assert [item["trackingId"] for item in found] == [str(executions[1].tracking_id)]


@pytest.mark.parametrize("name", ["%00", "a%00b", "%ED%A0%80", "x" * 300, "..", "0198c0de-0000-7000-8000-000000000000"])
def test_names_that_cannot_be_are_told_so(viewer, name):
    response = viewer.get(f"{TASKS}/{name}/")
    assert response.status_code in {400, 404}
    assert codes(response)


def test_lists_are_paged_filtered_searched_and_ordered(viewer):
    for number in range(3):
        make_task(name=f"task {number}", description=f"Number {number}.", function="testapp.noop")
    make_task(name="other", function="testapp.add", params={"a": 1}, enabled=False)

    def names(query: str) -> list[str]:
        return [item["name"] for item in viewer.get(f"{TASKS}/?{query}").json()["results"]]

    page = viewer.get(f"{TASKS}/?pageSize=2&page=2").json()
    assert (page["count"], len(page["results"]), page["next"]) == (4, 2, None)
    assert names("search=number+1") == ["task 1"]
    assert names("function=testapp.add") == ["other"]
    assert names("enabled=false") == ["other"]
    assert names("paused=true") == []
    assert names("ordering=-name&pageSize=1") == ["task 2"]
    assert viewer.get(f"{TASKS}/?page=9").status_code == 404
    assert len(viewer.get(f"{TASKS}/?pageSize=9999").json()["results"]) == 4
    for size in ("0", "-1", "x", ""):
        assert codes(viewer.get(f"{TASKS}/?pageSize={size}")) == [("invalid_input", "pageSize")]
        assert codes(viewer.get(f"{ROOT}/executions/?pageSize={size}")) == [("invalid_input", "pageSize")]
    response = viewer.get(f"{TASKS}/?origin=moon")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "origin")])


def test_fields_slim_answers_and_unknown_ones_are_refused(viewer):
    make_task(name="nightly")
    assert viewer.get(f"{TASKS}/?fields=name,nextRunAt").json()["results"] == [{"name": "nightly", "nextRunAt": None}]
    assert viewer.get(f"{TASKS}/nightly/?fields=name").json() == {"name": "nightly"}
    response = viewer.get(f"{TASKS}/?fields=nane")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "fields")])


@counts_statements
def test_a_list_costs_the_same_however_many_there_are(viewer):
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert viewer.get(f"{TASKS}/").status_code == 200
        return len(queries)

    make_task()
    viewer.get(f"{TASKS}/")  # permissions are read once
    first = cost()
    for _ in range(20):
        make_task(function="testapp.secretive", params={"password": "x"})
    assert cost() == first <= 6


def test_pause_and_resume(editor):
    task = make_task(name="nightly", schedule_kind="interval", expression="1h")
    until = datetime.now(UTC) + timedelta(days=1)
    response = editor.post(f"{TASKS}/nightly/pause/", {"reason": "stocktaking", "until": until}, format="json")
    assert response.status_code == 200
    task.refresh_from_db()
    assert (task.pause_reason, task.paused_until) == ("stocktaking", until)
    assert response.json()["pauseReason"] == "stocktaking"
    response = editor.post(f"{TASKS}/nightly/resume/")
    assert response.json()["pausedAt"] is None
    assert response.json()["nextRunAt"] is not None


def test_a_pause_of_somebody_else_is_not_replaced(editor):
    task = make_task(name="nightly")
    pause(task, reason="audit", user=make_user(name="anna"))
    response = editor.post(f"{TASKS}/nightly/pause/", {"reason": "mine"}, format="json")
    assert (response.status_code, codes(response)) == (409, [("already_paused", "")])
    (item,) = response.json()["errors"]["items"]
    assert item["message"].startswith('"nightly" has been paused by anna since ')
    assert (item["message"].endswith(": “audit”."), item["details"]["reason"]) == (True, "audit")
    assert datetime.fromisoformat(item["details"]["since"])
    assert editor.post(f"{TASKS}/nightly/resume/").status_code == 200
    for reason in ("mine", "still mine"):
        assert editor.post(f"{TASKS}/nightly/pause/", {"reason": reason}, format="json").status_code == 200


def test_a_pause_cannot_end_in_the_past(editor):
    make_task(name="nightly")
    response = editor.post(f"{TASKS}/nightly/pause/", {"until": "2020-01-01T00:00:00Z"}, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_input", "until")])
    response = editor.post(f"{TASKS}/nightly/pause/", {"until": "2120-01-01T00:00:00"}, format="json")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "until")])


def test_upcoming_tells_the_next_instants(viewer):
    make_task(name="nightly", schedule_kind="cron", expression="0 2 * * *", timezone="Europe/Berlin")
    with frozen_at(datetime(2026, 3, 27, 12, tzinfo=UTC)):
        found = viewer.get(f"{TASKS}/nightly/upcoming/?count=3").json()
    assert [item["scheduledFor"] for item in found["upcoming"]] == [
        "2026-03-28T01:00:00.000Z",
        "2026-03-29T01:00:00.000Z",
        "2026-03-30T00:00:00.000Z",
    ]
    assert found["timezone"] == "Europe/Berlin"
    assert found["description"]
    for query in ("count=0", "count=101", "count=x", "count=-1"):
        assert codes(viewer.get(f"{TASKS}/nightly/upcoming/?{query}")) == [("invalid_input", "count")]


def test_upcoming_knows_the_ends_the_pause_and_the_spread(viewer):
    make_task(name="few", schedule_kind="interval", expression="1h", max_runs=2)
    make_task(name="off", schedule_kind="interval", expression="1h", enabled=False)
    make_task(name="wide", schedule_kind="interval", expression="1h", spread=timedelta(minutes=30))
    assert len(viewer.get(f"{TASKS}/few/upcoming/").json()["upcoming"]) == 2
    assert viewer.get(f"{TASKS}/off/upcoming/").json()["upcoming"] == []
    (item,) = viewer.get(f"{TASKS}/wide/upcoming/?count=1").json()["upcoming"]
    assert item["scheduledFor"] <= item["notBefore"]


def test_a_schedule_is_previewed_without_being_stored(viewer):
    body = {"scheduleKind": "cron", "expression": "30 2  * * *", "timezone": "Europe/Berlin", "count": 2}
    with frozen_at(datetime(2026, 3, 27, 12, tzinfo=UTC)):
        found = viewer.post(f"{ROOT}/schedules/preview/", body, format="json").json()
    assert found["expression"] == "30 2 * * *"
    assert [item["scheduledFor"] for item in found["upcoming"]] == [
        "2026-03-28T01:30:00.000Z",
        "2026-03-29T01:00:00.000Z",
    ]
    assert found["warnings"]
    assert not ScheduledTask.objects.exists()


def test_a_wrong_schedule_names_the_field(viewer):
    body = {"scheduleKind": "cron", "expression": "61 * * * *"}
    response = viewer.post(f"{ROOT}/schedules/preview/", body, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_schedule", "minute")])
    assert response.json()["errors"]["items"][0]["details"]["allowed"] == [0, 59]


def test_functions_come_with_the_json_schema_of_their_parameters(viewer):
    found = {item["name"]: item for item in viewer.get(f"{ROOT}/functions/").json()["results"]}
    assert found["testapp.add"]["parameters"]["required"] == ["a"]
    assert found["testapp.add"]["description"] == "Adds two numbers."
    assert found["testapp.wait_a_moment"]["isAsync"] is True


def test_ids_are_ordered_by_time(editor):
    response = editor.post(f"{TASKS}/", {"name": "nightly", "function": "testapp.noop"}, format="json")
    assert UUID(response.json()["id"]).version == 7


def test_who_changed_it_is_recorded():
    task = make_task(name="nightly")
    from tests.factories import make_user

    user = make_user(*EDITOR)
    client_of(user=user).patch(f"{TASKS}/nightly/", {"description": "New."}, format="json")
    task.refresh_from_db()
    assert task.updated_by == user


def test_what_a_task_promises_is_set_shown_and_checked():
    client = client_of(*EDITOR)
    body = {"name": "night", "function": "testapp.noop", "mustSucceedEvery": "26h", "mustFinishBy": "06:00"}
    found = client.post(f"{ROOT}/tasks/", body, format="json").json()
    assert (found["mustSucceedEvery"], found["mustFinishBy"], found["ownRulesOnly"]) == ("26h", "06:00", False)
    address = f"{ROOT}/tasks/night/"
    found = client.patch(address, {"mustFinishBy": "06:00:30", "ownRulesOnly": True}, format="json").json()
    assert (found["mustFinishBy"], found["ownRulesOnly"]) == ("06:00:30", True)
    assert client.patch(address, {"mustFinishBy": None}, format="json").json()["mustFinishBy"] is None
    for value in ("6", "24:00", "06:00Z", 6):
        response = client.patch(address, {"mustFinishBy": value}, format="json")
        assert (response.status_code, codes(response)) == (400, [("invalid_input", "mustFinishBy")])
    response = client.patch(address, {"mustSucceedEvery": "0s"}, format="json")
    assert (response.status_code, codes(response)[0][1]) == (422, "mustSucceedEvery")


def test_tasks_in_a_state():
    client = client_of(*VIEWER)
    make_execution(make_task(name="failed"), status=Status.ERRORS)
    make_execution(make_task(name="fine"), status=Status.COMPLETED)
    for state, names in [("needs_attention", ["failed"]), ("failing", ["failed"]), ("running", []), ("held", [])]:
        found = client.get(f"{ROOT}/tasks/?state={state}").json()["results"]
        assert [one["name"] for one in found] == names
    assert client.get(f"{ROOT}/tasks/?state=sad").status_code == 400


def test_a_change_is_previewed_and_nothing_is_stored(editor):
    with frozen_at(datetime(2026, 11, 28, 4, 10, tzinfo=UTC)):
        task = make_task(name="nightly", schedule_kind="cron", expression="0 3 * * 1-5", timezone="Europe/Berlin")
        waiting = make_execution(task)
        body = {"expression": "0 5 * * 1-6", "timeout": "2m", "reason": "x"}
        found = editor.post(f"{TASKS}/nightly/preview-change/", body, format="json").json()
    assert found["changed"] == [
        {"field": "expression", "old": "0 3 * * 1-5", "new": "0 5 * * 1-6"},
        {"field": "timeout", "old": None, "new": "00:02:00"},
    ]
    assert (found["lost"], found["new"], found["same"], found["neverAgain"], found["asks"]) == (5, 6, 0, False, True)
    assert found["executions"] == [str(waiting.tracking_id)]
    monday = found["days"][1]
    assert (monday["day"], monday["countBefore"], monday["countAfter"]) == ("2026-11-30", 1, 1)
    assert monday["after"] == [{"scheduledFor": "2026-11-30T04:00:00.000Z", "notBefore": None, "held": False}]
    task.refresh_from_db()
    assert task.expression == "0 3 * * 1-5"
    wrong = editor.post(f"{TASKS}/nightly/preview-change/", {"expression": "x"}, format="json")
    assert (wrong.status_code, codes(wrong)[0][1]) == (422, "expression")
    assert editor.post(f"{TASKS}/nightly/preview-change/", {}, format="json").json()["asks"] is False


def test_resuming_runs_what_was_due_if_it_is_asked_to(editor, engine):
    now = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)
    with frozen_at(now - timedelta(days=3)):
        task = pause(make_task(name="nightly", schedule_kind="cron", expression="0 3 * * *"))
    with frozen_at(now):
        wrong = editor.post(f"{TASKS}/nightly/resume/", {"replay": "some"}, format="json")
        assert (wrong.status_code, codes(wrong)[0][1]) == (400, "replay")
        weak = client_of("pause_scheduledtask")
        assert weak.post(f"{TASKS}/nightly/resume/", {"replay": "all"}, format="json").status_code == 403
        body = {"replay": "all", "reason": "done"}
        assert editor.post(f"{TASKS}/nightly/resume/", body, format="json").json()["pausedAt"] is None
    rows = Execution.objects.filter(task=task, status=Status.PENDING).order_by("pk")
    assert [row.scheduled_for.day for row in rows] == [26, 27, 28]


def test_what_is_ahead_knows_most_runs_and_holds(viewer):
    make_task(name="nightly", schedule_kind="cron", expression="0 3 * * *", max_runs=2, tags=["mail"])
    hold("tag", tag="mail", reason="deploy")
    found = viewer.get(f"{TASKS}/nightly/upcoming/").json()["upcoming"]
    assert [item["held"] for item in found] == [True, True]
    asked = {"scheduleKind": "cron", "expression": "0 3 * * *", "maxRuns": 2, "spread": "1h"}
    found = viewer.post(f"{ROOT}/schedules/preview/", asked, format="json").json()["upcoming"]
    assert [item["notBefore"] is not None for item in found] == [True, True]
