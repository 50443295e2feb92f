"""Executions over REST: lists, one, logs, cancel, rerun, backfill."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote
from uuid import uuid4

import pytest
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Attempt, Execution, ExecutionLog, ScheduledTask
from django_scheduled_tasks.services.queries.executions import search
from tests.api.conftest import ROOT, client_of, codes
from tests.database import connection, counts_statements
from tests.factories import LOG_VIEWER, OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
EXECUTIONS = f"{ROOT}/executions"
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)


def test_an_execution_tells_all_that_is_known(operator):
    user = make_user(name="anna")
    first = make_execution(status=Status.ERRORS, task=make_task(name="nightly"))
    execution = make_execution(
        first.task,
        status=Status.ERRORS,
        outcome=Outcome.FAILED,
        attempt=2,
        triggered_by=user,
        error_code="failed",
        error_type="ValueError",
        error_message="No.",
        traceback="Traceback …",
        progress_current=3,
        progress_total=9,
        progress_message="Counting",
        rerun_of=first,
        params={"password": "geheim"},
    )
    Attempt.objects.create(
        execution=execution, number=1, ended_at=NOON, outcome="failed", error_message="Old.", traceback="T"
    )
    found = operator.get(f"{EXECUTIONS}/{execution.tracking_id}/").json()
    assert found["triggeredBy"] == "anna"
    assert found["rerunOf"] == str(first.tracking_id)
    assert found["blockedBy"] is None
    assert found["progress"] == {"current": 3, "total": 9, "message": "Counting"}
    assert found["errors"] == [
        {
            "origin": "function",
            "code": "failed",
            "message": "No.",
            "details": {"type": "ValueError", "traceback": "Traceback …"},
        }
    ]
    assert [item["errors"][0]["message"] for item in found["attempts"]] == ["Old."]
    assert "geheim" not in str(found)


def test_results_and_tracebacks_are_for_those_who_may_see_logs(viewer, operator):
    done = make_execution(status=Status.COMPLETED, result=42, result_format="json")
    failed = make_execution(status=Status.ERRORS, error_code="failed", error_message="No.", traceback="T")
    assert viewer.get(f"{EXECUTIONS}/{done.tracking_id}/").json()["result"] is None
    assert operator.get(f"{EXECUTIONS}/{done.tracking_id}/").json()["result"] == 42
    assert viewer.get(f"{EXECUTIONS}/{failed.tracking_id}/").json()["errors"][0]["details"] == {}
    assert viewer.get(f"{EXECUTIONS}/?fields=result").json()["results"] == [{"result": None}] * 2
    assert {"result": 42} in operator.get(f"{EXECUTIONS}/?fields=result").json()["results"]
    address = f"{ROOT}/tasks/{done.task_name}/status/{done.tracking_id}/"
    assert "result" not in viewer.get(address).json()["info"]


def test_pages_are_stable_while_rows_come_in(viewer):
    task = make_task()
    old = [make_execution(task).pk for _ in range(5)]
    page = viewer.get(f"{EXECUTIONS}/?pageSize=2").json()
    assert set(page) == {"next", "previous", "results"}
    seen = [item["id"] for item in page["results"]]
    while page["next"]:
        make_execution(task)
        page = viewer.get(page["next"]).json()
        seen += [item["id"] for item in page["results"]]
    assert seen == old[::-1]
    assert codes(viewer.get(f"{EXECUTIONS}/?cursor=nonsense")) == [("not_found", "")]
    assert codes(viewer.get(f"{EXECUTIONS}/?cursor=cD1hYmM%3D")) == [("not_found", "")]


@pytest.mark.parametrize("digits", ["9" * 5_000, "9" * 20, "%C2%B2", "%D9%A3", "-1", "%00"])
def test_what_is_no_number_or_too_large_a_one_finds_nothing(viewer, digits):
    make_execution()
    for letter in "por":
        cursor = b64encode(f"{letter}={digits}".encode()).decode()
        response = viewer.get(f"{EXECUTIONS}/", {"cursor": cursor})
        assert response.status_code in ({404} if letter == "p" else {200, 404}), letter
    response = viewer.get(f"{EXECUTIONS}/", {"search": unquote(digits).replace("\x00", "")[:500] or "9" * 500})
    assert (response.status_code, response.json()["results"]) == (200, [])
    assert viewer.get(f"{EXECUTIONS}/", CONTENT_LENGTH=unquote(digits)).status_code == 200


def test_lists_are_filtered():
    viewer = client_of(*LOG_VIEWER)  # whose search looks into messages too
    task, other = make_task(name="nightly"), make_task(name="other")
    done = make_execution(task, status=Status.COMPLETED, triggered_at=NOON, started_at=NOON, completed_at=NOON)
    failed = make_execution(task, status=Status.ERRORS, error_message="Disk full.", reason="audit")
    lost = make_execution(task, status=Status.ERRORS, outcome=Outcome.WORKER_LOST, trigger=Trigger.API)
    waiting = make_execution(other)

    def found(**query: str) -> set[int]:
        response = viewer.get(f"{EXECUTIONS}/", query)
        assert response.status_code == 200, response.content
        return {item["id"] for item in response.json()["results"]}

    assert found(task="NIGHTLY") == {done.pk, failed.pk, lost.pk}
    assert found(task=str(other.pk)) == {waiting.pk}
    assert found(task="nope") == set()
    assert found(status="errors,pending") == {failed.pk, lost.pk, waiting.pk}
    assert found(outcome="worker_lost") == {lost.pk}
    assert found(trigger="api") == {lost.pk}
    assert found(triggeredBefore="2026-03-20T13:00:00+01:00") == set()
    assert found(triggeredBefore="2026-03-20T12:00:01Z", triggeredAfter="2026-03-20T12:00:00Z") == {done.pk}
    assert found(completedAfter="2026-03-21T00:00:00Z") == {failed.pk, lost.pk}
    assert found(search="disk") == {failed.pk}
    assert found(search="AUDIT") == {failed.pk}
    assert found(search=f"#{done.pk}") == {done.pk}
    assert found(search=str(lost.tracking_id)) == {lost.pk}
    task.delete()
    assert found(task="nightly") == {done.pk, failed.pk, lost.pk}


def test_a_text_is_looked_for_among_the_newest_executions_that_the_other_filters_leave(viewer, monkeypatch):
    monkeypatch.setattr(search, "SEARCHED", 2)
    task, other = make_task(), make_task()
    old, one, two = (make_execution(task, reason="audit") for _ in range(3))
    noise = [make_execution(other, reason="audit") for _ in range(2)]

    def found(**query: str) -> set[int]:
        return {item["id"] for item in viewer.get(f"{EXECUTIONS}/", query).json()["results"]}

    assert found(search="audit") == {row.pk for row in noise}
    assert found(search="audit", task=str(task.pk)) == {one.pk, two.pk}
    assert found(search=str(old.pk)) == {old.pk}


def test_a_search_finds_parameters_but_no_secrets_and_persons_have_a_filter(viewer):
    anna = make_user(name="anna")
    task = make_task(function="testapp.secretive", params={"password": "pa55word", "user": "Jürgen"})
    one, other = make_execution(task, triggered_by=anna), make_execution()

    def found(**query: str) -> set[int]:
        return {item["id"] for item in viewer.get(f"{EXECUTIONS}/", query).json()["results"]}

    assert found(search="jürgen") == {one.pk}
    assert found(search="pa55") == set()
    assert found(triggeredBy="anna") == {one.pk}
    assert found(triggeredBy="nobody") == set()
    assert found() == {one.pk, other.pk}
    for _ in range(3):
        make_execution(task, triggered_by=anna)
    first = viewer.get(f"{EXECUTIONS}/?triggeredBy=anna&pageSize=3").json()
    assert [item["id"] for item in viewer.get(first["next"]).json()["results"]] == [one.pk]


def test_comments_are_added_and_read(operator):
    execution = make_execution()
    address = f"{EXECUTIONS}/{execution.tracking_id}/comments/"
    made = operator.post(address, {"text": " I watch it. "}, format="json")
    assert (made.status_code, made.json()["text"]) == (201, "I watch it.")
    assert operator.get(address).json() == [made.json()]
    assert set(made.json()) == {"id", "at", "user", "text"}
    for text in ("", "  ", "x" * 1001):
        assert operator.post(address, {"text": text}, format="json").status_code == 400
    assert operator.get(f"{EXECUTIONS}/0197c0a1-1111-7222-8333-944455566677/comments/").status_code == 404


@counts_statements
def test_a_search_reads_no_further_than_its_bound(viewer, monkeypatch):
    monkeypatch.setattr(search, "SEARCHED", 3)
    for _ in range(6):
        make_execution()
    with CaptureQueriesContext(connection) as captured:
        assert viewer.get(f"{EXECUTIONS}/?search=zzzz").json()["results"] == []
    assert sum("LIMIT 3" in one["sql"] for one in captured) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("outcome=failed,nope", "outcome"),
        ("triggeredAfter=yesterday", "triggeredAfter"),
        ("triggeredAfter=2026-03-20T12:00:00", "triggeredAfter"),
        ("triggeredAfter=0001-01-01T00:00:00%2B14:00", "triggeredAfter"),
        ("search=%00", "search"),
    ],
)
def test_wrong_filters_are_400(viewer, query, field):
    response = viewer.get(f"{EXECUTIONS}/?{query}")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", field)])


@counts_statements
def test_a_list_costs_the_same_however_many_there_are_and_counts_nothing(operator):
    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(f"{EXECUTIONS}/").status_code == 200
        return [query["sql"] for query in captured]

    make_execution()
    queries()  # permissions are read once
    assert len(queries()) == 1
    for _ in range(10):
        first = make_execution(triggered_by=make_user(), params={"a": 1})
        make_execution(first.task, rerun_of=first, status=Status.ERRORS, error_message="No.")
    (only,) = queries()
    assert "COUNT" not in only.upper()
    assert "traceback" not in only


def test_logs_are_read_from_an_offset(operator, viewer):
    execution = make_execution(status=Status.PROCESSING)
    address = f"{EXECUTIONS}/{execution.tracking_id}/logs/"
    for number in range(1, 5):
        ExecutionLog.objects.create(
            execution=execution, number=number, logged_at=NOON, level="INFO", message=f"line {number}"
        )
    page = operator.get(f"{address}?after=1&limit=2")
    assert [line["message"] for line in page.json()["lines"]] == ["line 2", "line 3"]
    assert page.json()["lines"][0]["loggedAt"] == "2026-03-20T12:00:00.000Z"
    assert (page.json()["next"], page.json()["open"]) == (3, True)
    assert "Retry-After" in page
    Execution.objects.update(status=Status.COMPLETED, outcome="succeeded", completed_at=NOON, lease_until=None)
    last = operator.get(f"{address}?after=3").json()
    assert ([line["number"] for line in last["lines"]], last["open"]) == ([4], False)
    assert operator.get(f"{address}?after=4").json() == {"lines": [], "next": 4, "open": False}
    assert viewer.get(address).status_code == 403
    assert codes(operator.get(f"{address}?after=x")) == [("invalid_input", "after")]


def test_cancel(operator):
    waiting, running, done = (
        make_execution(),
        make_execution(status=Status.PROCESSING),
        make_execution(status="completed"),
    )
    response = operator.post(f"{EXECUTIONS}/{waiting.tracking_id}/cancel/")
    assert (response.status_code, response.json()["info"]["outcome"]) == (200, "cancelled")
    response = operator.post(f"{EXECUTIONS}/{running.tracking_id}/cancel/", {"forceAfter": 5}, format="json")
    assert (response.status_code, response.json()["info"]["status"]) == (202, "processing")
    running.refresh_from_db()
    assert running.cancel_force_at - running.cancel_requested_at == timedelta(seconds=5)
    response = operator.post(f"{EXECUTIONS}/{done.tracking_id}/cancel/")
    assert (response.status_code, codes(response)) == (409, [("not_cancellable", "")])
    response = operator.post(f"{EXECUTIONS}/{uuid4()}/cancel/")
    assert (response.status_code, codes(response)) == (404, [("execution_not_found", "")])


def test_a_rerun_repeats_parameters_and_occurrence(engine, operator):
    task = make_task(function="testapp.add", params={"a": 1})
    earlier = make_execution(task, status=Status.ERRORS, params={"a": 7}, scheduled_for=NOON, trigger=Trigger.SCHEDULE)
    for number in (1, 2):
        response = operator.post(f"{EXECUTIONS}/{earlier.tracking_id}/rerun/", {"params": {"b": 5}}, format="json")
        assert response.status_code == 202, response.content
        again = Execution.objects.get(tracking_id=response.json()["info"]["trackingId"])
        assert (again.params, again.scheduled_for, again.replay) == ({"a": 7, "b": 5}, NOON, number)
        assert (again.trigger, again.rerun_of) == (Trigger.RERUN, earlier)
        Execution.objects.filter(pk=again.pk).update(status="completed", outcome="succeeded", completed_at=NOON)


def test_a_rerun_with_a_key_happens_once(engine, operator):
    earlier, other = make_execution(status="completed"), make_execution(status="completed")
    address = f"{EXECUTIONS}/{earlier.tracking_id}/rerun/"
    first = operator.post(address, headers={"Idempotency-Key": "k"})
    again = operator.post(address, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["info"]["trackingId"] == again.json()["info"]["trackingId"]
    Execution.objects.filter(pk=other.pk).update(task=earlier.task)
    mixed = operator.post(f"{EXECUTIONS}/{other.tracking_id}/rerun/", headers={"Idempotency-Key": "k"})
    assert codes(mixed) == [("idempotency_mismatch", "")]


def test_a_rerun_of_a_deleted_task_is_404(operator):
    execution = make_execution(status="completed")
    ScheduledTask.objects.all().delete()
    response = operator.post(f"{EXECUTIONS}/{execution.tracking_id}/rerun/")
    assert (response.status_code, codes(response)) == (404, [("task_not_found", "")])


RANGE = {"from": "2026-03-20T00:00:00Z", "to": "2026-03-20T03:00:00Z"}


def test_a_backfill_replays_both_ends_one_at_a_time_unless_another_overlap_rule_is_asked_for(engine, operator, editor):
    task = make_task(name="hourly", schedule_kind="cron", expression="0 * * * *")
    address = f"{ROOT}/tasks/hourly/backfill/"
    response = operator.post(address, RANGE | {"dryRun": True}, format="json")
    assert (response.status_code, Execution.objects.count()) == (200, 0)
    assert (response.json()["info"]["started"], response.json()["info"]["skipped"]) == (4, 0)
    skipping = editor.post(address, RANGE | {"dryRun": True, "overlap": "skip"}, format="json").json()["info"]
    assert (skipping["started"], skipping["skipped"]) == (1, 3)
    assert operator.post(address, RANGE | {"overlap": "allow"}, format="json").status_code == 403
    before = task.next_run_at
    response = editor.post(address, RANGE | {"overlap": "allow", "reason": "late data"}, format="json")
    assert response.status_code == 202, response.content
    rows = Execution.objects.order_by("scheduled_for")
    assert [row.scheduled_for.hour for row in rows] == [0, 1, 2, 3]
    assert {(row.trigger, row.replay, row.lock_key, row.reason) for row in rows} == {("backfill", 1, None, "late data")}
    assert [item["trackingId"] for item in response.json()["info"]["occurrences"]] == [str(r.tracking_id) for r in rows]
    task.refresh_from_db()
    assert task.next_run_at == before
    response = editor.post(address, RANGE | {"overlap": "queue_all"}, format="json")
    assert response.json()["info"]["started"] == 4
    assert Execution.objects.filter(replay=2).count() == 4


def test_a_backfill_with_a_key_happens_once(engine, editor):
    make_task(name="hourly", schedule_kind="cron", expression="0 * * * *", overlap="queue_all")
    address = f"{ROOT}/tasks/hourly/backfill/"
    first = editor.post(address, RANGE, format="json", headers={"Idempotency-Key": "k"})
    again = editor.post(address, RANGE, format="json", headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (202, 200, "true")
    assert first.json() == again.json()
    assert Execution.objects.count() == 4


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"from": "2026-03-20T00:00:00Z"}, 400, "to"),
        ({"from": "2026-03-20T00:00:00Z", "to": "2026-03-19T00:00:00Z"}, 422, "to"),
        ({"from": "2026-03-20T00:00:00Z", "to": "2100-01-01T00:00:00Z"}, 422, "to"),
        ({"from": "2020-03-20T00:00:00Z", "to": "2026-03-19T00:00:00Z"}, 422, "from"),
    ],
)
def test_impossible_ranges_are_refused(operator, body, status, field):
    make_task(name="hourly", schedule_kind="cron", expression="0 * * * *")
    response = operator.post(f"{ROOT}/tasks/hourly/backfill/", body, format="json")
    assert (response.status_code, codes(response)) == (status, [("invalid_input", field)])
    assert not Execution.objects.exists()


def test_a_viewer_sees_and_an_operator_acts():
    execution = make_execution()
    assert client_of(*VIEWER).post(f"{EXECUTIONS}/{execution.tracking_id}/cancel/").status_code == 403
    assert client_of(*OPERATOR).post(f"{EXECUTIONS}/{execution.tracking_id}/cancel/").status_code == 200
