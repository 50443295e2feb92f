"""Rare cases of the API that the other tests do not meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404

from django_scheduled_tasks.api.http import errors
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.exceptions import EngineUnavailable
from django_scheduled_tasks.lifecycle import Overlap, Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services.starting.backfill import backfill
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import EDITOR, OPERATOR, make_execution, make_task, make_user

RUN = f"{ROOT}/tasks/nightly/run-once/"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestDataTooBig("…"), 413, "too_large"),
        (SuspiciousOperation("…"), 400, "bad_request"),
        (Http404(), 404, "not_found"),
        (DjangoPermissionDenied(), 403, "permission_denied"),
        (EngineUnavailable(), 503, "engine_unavailable"),
    ],
)
def test_whatever_is_raised_has_the_one_shape(error, status, code):
    response = errors.handle(error, {"view": ApiViewSet()})
    assert response.status_code == response.data["errors"]["status"] == status
    (item,) = response.data["errors"]["items"]
    assert item["code"] == code
    assert item["message"]
    assert item["origin"] == ("client_error" if status < 500 else "server_error")


def test_a_bug_is_left_to_django():
    assert errors.handle(ZeroDivisionError(), {"view": ApiViewSet()}) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {"timeout": 90},
        {"timeout": "soon"},
        {"maxRuns": "3"},
        {"maxRuns": True},
        {"maxRuns": 0},
        {"maxRuns": 10**12},
        {"enabled": "yes"},
        {"logLevel": "LOUD"},
        {"overlap": None},
        {"retryOn": "ValueError"},
        {"startsAt": 5},
    ],
)
def test_wrong_types_of_a_task_are_400(editor, body):
    make_task(name="nightly")
    response = editor.patch(f"{ROOT}/tasks/nightly/", body, format="json")
    assert response.status_code == 400, response.content
    assert codes(response)[0] == ("invalid_input", next(iter(body)))


@pytest.mark.django_db
def test_a_form_of_a_task_gives_numbers_flags_and_nothing(editor):
    make_task(name="nightly", timeout=timedelta(minutes=1), starts_at=datetime(2026, 1, 1, tzinfo=UTC))
    body = {"maxRuns": "3", "enabled": "false", "timeout": "", "startsAt": "", "grace": "5m"}
    response = editor.patch(f"{ROOT}/tasks/nightly/", body)
    assert response.status_code == 200, response.content
    task = ScheduledTask.objects.get()
    assert (task.max_runs, task.enabled, task.timeout, task.starts_at) == (3, False, None, None)
    assert task.grace == timedelta(minutes=5)


@pytest.mark.django_db
def test_a_key_is_free_again_after_a_day(engine, operator):
    make_task(name="nightly", overlap="allow")
    first = operator.post(RUN, headers={"Idempotency-Key": "k"})
    Execution.objects.update(triggered_at=datetime.now(UTC) - timedelta(hours=24, seconds=1))
    again = operator.post(RUN, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert Execution.objects.count() == 2


@pytest.mark.django_db
def test_secrets_stay_masked_when_the_function_is_gone(viewer):
    make_task(name="nightly", function="testapp.secretive", params={"password": "geheim"})
    ScheduledTask.objects.update(function="shop.gone")
    assert viewer.get(f"{ROOT}/tasks/nightly/").json()["params"] == {"password": MASK}


@pytest.mark.django_db
def test_a_backfill_that_cancels_what_runs(engine):
    task = make_task(schedule_kind="cron", expression="0 * * * *")
    running, waiting = make_execution(task, status=Status.PROCESSING), make_execution(task)
    start = datetime(2026, 3, 20, tzinfo=UTC)
    done = backfill(task, start=start, end=start + timedelta(hours=2), overlap=Overlap.CANCEL_RUNNING)
    assert (done.started, done.skipped) == (1, 2)  # a later one would have cancelled the earlier ones
    assert done.occurrences[-1].starts
    running.refresh_from_db()
    waiting.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert waiting.outcome == "cancelled"


@pytest.mark.django_db
def test_a_backfill_of_a_task_that_is_never_due_does_nothing(engine):
    start = datetime(2026, 3, 20, tzinfo=UTC)
    done = backfill(make_task(), start=start, end=start + timedelta(days=1))
    assert done.occurrences == ()
    assert not Execution.objects.exists()


@pytest.mark.django_db
def test_members_of_a_group_wait_for_each_other_in_a_backfill_too(engine):
    task = make_task(schedule_kind="cron", expression="0 * * * *", concurrency_group="reports", overlap="allow")
    start = datetime(2026, 3, 20, tzinfo=UTC)
    backfill(task, start=start, end=start)
    assert Execution.objects.get().lock_key == "group:reports"


@pytest.mark.django_db
@pytest.mark.urls("tests.api.urls")
def test_the_calls_of_altogic_answer_refusals_as_a_list(engine):
    task = make_task(name="nightly")

    def post(body: Any, *permissions: str) -> Any:
        return client_of(*permissions).post("/_api/rest/v1/task", body, format="json")

    assert post({"taskNameOrId": "nightly"}).status_code == 401
    refused = post({"taskNameOrId": "nightly"}, "view_scheduledtask")
    assert refused.status_code == 403
    assert list(refused.json()) == ["errors"]
    assert [item["code"] for item in refused.json()["errors"]] == ["permission_denied"]
    assert post({}, *OPERATOR).status_code == 400
    assert not Execution.objects.exists()
    for name in ("NIGHTLY", str(task.pk)):
        answer = post({"taskNameOrId": name}, *OPERATOR)
        assert answer.status_code == 202
        Execution.objects.update(status="completed", outcome="succeeded", completed_at=datetime.now(UTC))
    info = client_of(*OPERATOR).get(f"/_api/rest/v1/task/{answer.json()['taskId']}").json()
    assert info["status"] == "completed"
    assert "info" not in info


@pytest.mark.django_db
def test_a_queue_that_is_full_is_409(engine, monkeypatch):
    from django_scheduled_tasks.services.starting import overlap

    monkeypatch.setitem(overlap._MOST, "queue_all", 2)
    make_task(name="nightly", overlap="queue_all")
    client = client_of(user=make_user(*EDITOR))
    assert [client.post(RUN).status_code for _ in range(3)] == [202, 202, 409]
