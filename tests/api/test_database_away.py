"""A database that does not answer: 503, when to try again, and the one shape of errors, from every call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, ProgrammingError, connections
from django.test import AsyncClient
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from django_scheduled_tasks.api.http.errors import is_temporary
from django_scheduled_tasks.api.viewsets import starting
from django_scheduled_tasks.api.viewsets import status as module
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.tasks.holds import hold
from tests.api.conftest import ROOT, client_of, codes
from tests.api.test_permissions import CALLS, NUMBERS
from tests.database import connection
from tests.factories import OWNER, VIEWER, make_execution, make_task, make_user

UNAVAILABLE = [("database_unavailable", "")]


def _failing(error: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise error

    return connection.execute_wrapper(fail)


def _call(call: str, client: Any) -> Any:
    method, address, body, *_ = CALLS[call]
    execution = make_execution(make_task(name="mine", schedule_kind="interval", expression="1h"))
    lasting = hold("tag", tag="other", reason="deploy")
    numbers = NUMBERS | {"hold": lasting.pk}
    address = address.format(task="mine", execution=execution.tracking_id, **numbers)
    kind = "json" if body is not None else None
    with _failing(OperationalError("server closed the connection unexpectedly")):
        return getattr(client, method)(f"{ROOT}/{address}", body, format=kind)


def _is_refused(response: Any) -> None:
    assert (response.status_code, codes(response)) == (503, UNAVAILABLE)
    assert response["Content-Type"] == "application/json"
    assert int(response["Retry-After"]) > 0


@pytest.mark.django_db
@pytest.mark.parametrize("call", CALLS)
def test_every_call_says_so(call, engine):
    _is_refused(_call(call, client_of(*OWNER)))


@pytest.mark.django_db
@pytest.mark.parametrize("call", CALLS)
def test_so_does_the_question_who_it_is(call, engine):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=make_user(*OWNER)).key}")
    _is_refused(_call(call, client))


@pytest.mark.django_db
@pytest.mark.parametrize("call", CALLS)
def test_so_does_the_transaction_of_atomic_requests(call, engine, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    _is_refused(_call(call, client_of(*OWNER)))


@pytest.fixture
def away(transactional_db, monkeypatch) -> Iterator[None]:
    """Let there be no database to connect to."""
    where = {"NAME": "/nowhere/db.sqlite3"} if connection.vendor == "sqlite" else {"PORT": "1"}
    token = Token.objects.create(user=make_user(*VIEWER)).key
    connections.close_all()
    with monkeypatch.context() as patched:
        for name, value in where.items():
            patched.setitem(connection.settings_dict, name, value)
        yield token
    connections.close_all()


@pytest.mark.every_database
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("address", ["health/", "tasks/"])
def test_a_database_that_is_really_away(away, address, accept):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {away}")
    _is_refused(client.get(f"{ROOT}/{address}", headers={"Accept": accept}))


@pytest.mark.django_db
@pytest.mark.urls("tests.api.urls")
def test_altogic_has_its_own_shape(engine):
    client = client_of(*OWNER)
    with _failing(InterfaceError("connection already closed")):
        response = client.post("/_api/rest/v1/task", {"taskNameOrId": "x"}, format="json")
    assert (response.status_code, list(response.json())) == (503, ["errors"])
    assert response.json()["errors"][0]["code"] == "database_unavailable"


@pytest.mark.django_db
def test_what_is_wrong_with_the_code_is_left_to_django(viewer):
    for error in (ProgrammingError("no such column"), OperationalError("no such table: x")):
        with _failing(error), pytest.raises(type(error)):
            viewer.get(f"{ROOT}/tasks/")
    assert not is_temporary(OperationalError(1054, "Unknown column 'x' in 'field list'"))


@pytest.mark.django_db
def test_it_is_logged_once_for_each_call(viewer, caplog):
    with caplog.at_level(logging.ERROR, "django_scheduled_tasks"), _failing(OperationalError("gone")):
        viewer.get(f"{ROOT}/tasks/")
    assert [record.event for record in caplog.records if record.name.startswith("django_scheduled_tasks")] == [
        "database_unavailable"
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("happens", "status"), [("away", 503), ("deleted", 404)])
def test_after_a_wait_in_an_event_loop_too(monkeypatch, happens, status):
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.2)
    execution = make_execution()
    token = Token.objects.create(user=make_user(*VIEWER)).key
    read = module._read

    def meanwhile(tracking_id: Any) -> Any:
        if happens == "away":
            raise OperationalError("gone")
        Execution.objects.all().delete()
        return read(tracking_id)

    monkeypatch.setattr(module, "_read", meanwhile)

    async def ask() -> Any:
        url = f"{ROOT}/tasks/{execution.task_name}/status/{execution.tracking_id}/?wait=5"
        response = await AsyncClient().get(url, headers={"Authorization": f"Token {token}"})
        await sync_to_async(connections.close_all)()
        return response

    response = asyncio.run(ask())
    assert response.status_code == status
    assert [code for code, _field in codes(response)] == [
        "database_unavailable" if happens == "away" else "execution_not_found"
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_atomic", [True, False])
def test_a_refusal_takes_back_what_the_request_has_written_before_it(monkeypatch, settings, is_atomic):
    """As Django REST Framework does where the project has ``ATOMIC_REQUESTS``."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", is_atomic)
    run_once = starting.run_once

    def write_first(*arguments: Any, **options: Any) -> Any:
        make_task(name="written before")
        return run_once(*arguments, **options)

    monkeypatch.setattr(starting, "run_once", write_first)
    response = client_of(*OWNER).post(f"{ROOT}/tasks/nope/run-once/")
    assert (response.status_code, codes(response)) == (404, [("task_not_found", "")])
    assert ScheduledTask.objects.exists() is not is_atomic
