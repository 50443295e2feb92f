"""Long polls of a real async deployment: uvicorn, which is asked by many at once."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import OperationalError
from rest_framework.authtoken.models import Token

from django_scheduled_tasks.api.http import longpoll
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from tests.api.conftest import ROOT
from tests.cluster import wait_until
from tests.database import connection
from tests.factories import VIEWER, make_execution, make_task, make_user
from tests.servers import spare_port

WAITING = 50
CALLS = 4
SPARE_THREADS = 8
"""Threads that the server may have while all wait, beside those it has at rest: far fewer than wait."""


class Server:
    """uvicorn with one process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, token: str) -> None:
        self._process, self._port, self._token = process, port, token

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(list(Path(f"/proc/{self._process.pid}/task").iterdir()))

    async def get(self, path: str) -> tuple[int, dict]:
        """Return status and JSON of an answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", f"Authorization: Token {self._token}", "Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), json.loads(body)


@pytest.fixture
def server(transactional_db) -> Iterator[Server]:
    token, port = Token.objects.create(user=make_user(*VIEWER)).key, spare_port()
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "SCHEDULED_TASKS_TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "django.core.asgi:get_asgi_application", "--workers", "1"]
    command += ["--port", str(port), "--lifespan", "off", "--log-level", "warning"]
    command += ["--timeout-graceful-shutdown", "2"]
    process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2])
    try:
        wait_until(lambda: _listens(port), timeout=30, what="uvicorn listens")
        yield Server(process, port, token)
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(execution: Execution) -> None:
    """End it, as a worker in another process would."""
    changes = {"status": Status.COMPLETED, "outcome": "succeeded", "completed_at": datetime.now(UTC)}
    Execution.objects.filter(pk=execution.pk).update(**changes)
    connection.close()


@pytest.mark.cluster
@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_fifty_waiting_calls_hold_no_thread_and_others_are_answered_meanwhile(server):
    execution = make_execution(make_task(name="nightly"))
    path = f"{ROOT}/tasks/nightly/status/{execution.tracking_id}/"

    async def run() -> None:
        assert (await server.get(path))[0] == 200
        at_rest = server.threads()
        calls = [asyncio.create_task(server.get(f"{path}?wait=30")) for _ in range(WAITING)]
        # Each begins in a thread of its own, and gives it back.
        deadline, quiet = time.monotonic() + 20, 0
        while quiet < 5:
            assert time.monotonic() < deadline, f"{server.threads()} threads; at rest there are {at_rest}"
            await asyncio.sleep(0.2)
            quiet = quiet + 1 if server.threads() <= at_rest + SPARE_THREADS else 0
        for _ in range(CALLS):
            status, found = await asyncio.wait_for(server.get(f"{ROOT}/tasks/"), 10)
            assert (status, found["count"]) == (200, 1)
            assert server.threads() <= at_rest + SPARE_THREADS
        assert not [call for call in calls if call.done()]
        await asyncio.to_thread(end, execution)
        answers = await asyncio.wait_for(asyncio.gather(*calls), 60)
        assert {(status, found["info"]["status"]) for status, found in answers} == {(200, "completed")}

    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_who_waits_is_released_when_its_own_execution_ends_and_nothing_is_left_behind():
    task = make_task(overlap="allow")
    first, second = make_execution(task), make_execution(task)

    async def run() -> None:
        poller = longpoll.Poller()
        one, other = (asyncio.create_task(poller.wait(row.tracking_id, 20)) for row in (first, second))
        again = asyncio.create_task(poller.wait(first.tracking_id, 20))
        await asyncio.sleep(0)
        await asyncio.to_thread(end, first)
        await asyncio.wait_for(asyncio.gather(one, again), 10)
        assert not other.done()
        other.cancel()
        await asyncio.wait({other})
        began = time.monotonic()
        await poller.wait(second.tracking_id, 0.3)
        assert 0.3 <= time.monotonic() - began < 5
        while poller._polling is not None:
            await asyncio.sleep(0.05)
        assert poller._waiting == {}

    asyncio.run(run())


@pytest.mark.django_db
def test_a_database_that_does_not_answer_releases_all_who_wait(monkeypatch, caplog):
    def fail(**_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(longpoll.Execution.objects, "filter", fail)
    assert longpoll.open_among([make_task().pk]) == set()
    assert "Cannot see" in caplog.text


@pytest.mark.django_db
def test_a_connection_within_a_transaction_of_a_test_is_kept(viewer):
    task = make_task(name="nightly")
    longpoll._close_connections()
    task.refresh_from_db()
    assert viewer.get(f"{ROOT}/tasks/nightly/").status_code == 200
