"""Waiting for the end: long poll, ETag, Retry-After."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from django_scheduled_tasks.api.http import longpoll
from django_scheduled_tasks.api.viewsets import status as module
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, frozen_at
from tests.api.conftest import ROOT, client_of, codes
from tests.database import connection, counts_statements
from tests.factories import VIEWER, make_execution, make_task, make_user

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def threads(settings) -> None:
    """Let calls wait: the tests' client says that its process has one thread only."""
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"MAX_WAITING_CALLS": 2}


def address_of(execution: Execution) -> str:
    return f"{ROOT}/tasks/{execution.task_name}/status/{execution.tracking_id}/"


def end(execution: Execution) -> None:
    """End it, as a worker in another process would."""
    Execution.objects.filter(pk=execution.pk).update(
        status=Status.COMPLETED, outcome="succeeded", completed_at=datetime.now(UTC), lease_until=None
    )


@pytest.mark.django_db
def test_the_answer_comes_with_an_etag_that_changes_with_it(viewer):
    execution = make_execution()
    first = viewer.get(address_of(execution))
    assert first["ETag"].startswith('W/"')
    assert "private" in first["Cache-Control"]
    same = viewer.get(address_of(execution), headers={"If-None-Match": f'"other", {first["ETag"]}'})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", first["ETag"])
    assert same["Retry-After"] == "1"
    end(execution)
    assert viewer.get(address_of(execution), headers={"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.django_db
def test_who_sees_more_has_another_etag(viewer, operator):
    execution = make_execution(status=Status.COMPLETED, result=42)
    assert viewer.get(address_of(execution))["ETag"] != operator.get(address_of(execution))["ETag"]


@pytest.mark.django_db
@pytest.mark.parametrize(("age", "expected"), [(0, "1"), (4.9, "1"), (5, "2"), (29, "2"), (30, "5"), (86_400, "5")])
def test_the_longer_it_is_open_the_less_often_to_ask(viewer, age, expected):
    execution = make_execution(triggered_at=NOON)
    with frozen_at(NOON + timedelta(seconds=age)):
        assert viewer.get(address_of(execution))["Retry-After"] == expected


@pytest.mark.django_db
@pytest.mark.parametrize("wait", ["x", "-1", "1.5", "", "²"])
def test_what_is_no_number_of_seconds_is_400(viewer, wait):
    response = viewer.get(address_of(make_execution()), {"wait": wait})
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "wait")])


@pytest.mark.django_db
def test_what_has_ended_is_answered_at_once(viewer):
    before = time.monotonic()
    assert viewer.get(f"{address_of(make_execution(status='completed'))}?wait=30").status_code == 200
    assert time.monotonic() - before < 5


@pytest.mark.django_db
def test_the_wait_is_capped(viewer, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.3)
    before = time.monotonic()
    response = viewer.get(f"{address_of(make_execution())}?wait=99999999999999999999")
    assert 0.3 <= time.monotonic() - before < 5
    assert (response.json()["info"]["status"], response["Retry-After"]) == ("pending", "1")


@pytest.mark.django_db(transaction=True)
def test_a_waiting_call_is_released_as_soon_as_it_ends(viewer):
    execution = make_execution()

    def act() -> None:
        end(execution)
        connection.close()

    timer = threading.Timer(0.5, act)
    before = time.monotonic()
    timer.start()
    response = viewer.get(f"{address_of(execution)}?wait=30")
    timer.join()
    assert response.json()["info"]["status"] == "completed"
    assert 0.4 < time.monotonic() - before < 5
    assert "Retry-After" not in response


@pytest.mark.django_db(transaction=True)
def test_the_same_under_atomic_requests(viewer, settings):
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        test_a_waiting_call_is_released_as_soon_as_it_ends(viewer)
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


@pytest.mark.django_db(transaction=True)
def test_in_an_async_deployment_waiting_calls_hold_no_thread():
    """All sync code of one event loop shares one thread here: calls that held it would wait one after another."""
    execution = make_execution()
    token = Token.objects.create(user=make_user(*VIEWER)).key
    url = f"{address_of(execution)}?wait=20"

    async def ask() -> dict[str, object]:
        response = await AsyncClient().get(url, headers={"Authorization": f"Token {token}"})
        assert response.status_code == 200
        assert response["ETag"]
        return response.json()["info"]

    async def run() -> list[dict[str, object]]:
        waiting = [asyncio.ensure_future(ask()) for _ in range(10)]
        await asyncio.sleep(1)
        assert not any(task.done() for task in waiting)
        await sync_to_async(end)(execution)
        try:
            return await asyncio.wait_for(asyncio.gather(*waiting), 10)
        finally:
            await sync_to_async(connections.close_all)()

    assert {info["status"] for info in asyncio.run(run())} == {"completed"}


@pytest.mark.django_db(transaction=True)
def test_an_async_wait_that_is_up_answers_where_it_is(monkeypatch):
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.2)
    execution = make_execution()
    token = Token.objects.create(user=make_user(*VIEWER)).key

    async def ask() -> str:
        url = f"{address_of(execution)}?wait=5"
        response = await AsyncClient().get(url, headers={"Authorization": f"Token {token}"})
        await sync_to_async(connections.close_all)()
        return response.json()["info"]["status"]

    assert asyncio.run(ask()) == "pending"


@counts_statements
@pytest.mark.django_db
def test_authentication_by_token_costs_one_statement_and_permissions_two(engine, django_assert_num_queries):
    """Trigger at most 3 and status at most 2 beside authentication, whatever the length of the history."""
    task = make_task(name="nightly", overlap="allow")
    user = make_user("run_scheduledtask", "view_execution")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
    for _ in range(20):
        make_execution(task, status=Status.COMPLETED)
    token, permissions = 1, 2
    with django_assert_num_queries(token + permissions + 2):
        location = client.post(f"{ROOT}/tasks/nightly/run-once/")["Location"]
    with django_assert_num_queries(token + permissions + 1):
        assert client.get(location).status_code == 200
    task.overlap = "skip"
    task.save()
    Execution.objects.filter(status=Status.PENDING).delete()
    with django_assert_num_queries(token + permissions + 3):
        client.post(f"{ROOT}/tasks/nightly/run-once/")


@pytest.mark.django_db
def test_a_deleted_execution_is_404_after_the_wait(monkeypatch):
    execution = make_execution()
    url = address_of(execution)

    def looked(tracking_id: object) -> bool:
        Execution.objects.all().delete()
        return True

    monkeypatch.setattr(longpoll, "has_ended", looked)
    response = client_of(*VIEWER).get(f"{url}?wait=1")
    assert (response.status_code, codes(response)) == (404, [("execution_not_found", "")])
