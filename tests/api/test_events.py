"""Live streams: what becomes of executions, as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import connections
from django.test import AsyncClient, Client

from django_scheduled_tasks.api.streaming import hub, listening, response
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ExecutionLog
from tests.api.conftest import ROOT, client_of
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def often(monkeypatch) -> None:
    """Look often."""
    monkeypatch.setattr(hub, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(response, "LOOK_EVERY", 0.02)


def log(execution: Execution, *numbers: int) -> None:
    ExecutionLog.objects.bulk_create(
        ExecutionLog(execution=execution, number=one, logged_at=datetime.now(UTC), level="INFO", message=f"line {one}")
        for one in numbers
    )


def end(execution: Execution) -> None:
    changes = {"status": Status.COMPLETED, "outcome": "succeeded", "completed_at": datetime.now(UTC)}
    Execution.objects.filter(pk=execution.pk).update(**changes, lease_until=None)


def read(text: str) -> list[tuple[str, Any, str]]:
    """Return name, data and id of each event in *text*."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"]), fields.get("id", "")))
    return found


async def listen(path: str, user: Any, **headers: str) -> tuple[Any, AsyncIterator[tuple[str, Any, str]]]:
    client = AsyncClient()
    await client.aforce_login(user)
    answer = await client.get(f"{ROOT}/{path}", headers={"Accept": "text/event-stream", **headers})

    async def events() -> AsyncIterator[tuple[str, Any, str]]:
        async for piece in answer.streaming_content:
            for event in read(piece.decode()):
                yield event

    return answer, events()


def run(main: Callable[[], Any]) -> Any:
    async def within() -> Any:
        try:
            return await asyncio.wait_for(main(), 20)
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(within())


def test_status_progress_and_lines_come_as_they_are_written_and_then_the_end():
    execution, user = make_execution(status=Status.PROCESSING), make_user(*OPERATOR)

    async def main() -> list[tuple[str, Any, str]]:
        answer, events = await listen(f"executions/{execution.tracking_id}/events/", user)
        assert answer["Content-Type"] == "text/event-stream"
        found = []
        steps = iter(
            (
                lambda: log(execution, 1, 2),
                lambda: Execution.objects.filter(pk=execution.pk).update(progress_current=1, progress_total=4),
                lambda: (log(execution, 3), end(execution)),
            )
        )
        async for event in events:
            found.append(event)
            waits_for_more = event[0] == "status" or event[2] == "2"
            if waits_for_more and (step := next(steps, None)) is not None:
                await sync_to_async(step)()
        return found

    found = run(main)
    names = [(name, data.get("number") or data.get("status")) for name, data, _id in found]
    assert names[0] == ("status", "processing")
    assert names[-3:] == [("log", 3), ("status", "completed"), ("end", None)]
    assert [data["number"] for name, data, _id in found if name == "log"] == [1, 2, 3]
    assert any(data.get("progress", {}).get("current") == 1 for _name, data, _id in found)
    assert found[-1][2] == listening.OVER


def test_who_connects_again_goes_on_after_the_last_line_and_after_the_end_not_at_all():
    execution, user = make_execution(status=Status.PROCESSING), make_user(*OPERATOR)
    log(execution, 1, 2, 3)
    end(execution)

    async def main() -> tuple[list[Any], int]:
        path = f"executions/{execution.tracking_id}/events/"
        _answer, events = await listen(path, user, **{"Last-Event-ID": "2"})
        lines = [data["number"] async for name, data, _id in events if name == "log"]
        answer, _events = await listen(path, user, **{"Last-Event-ID": listening.OVER})
        return lines, answer.status_code

    assert run(main) == ([3], 204)


def test_who_may_not_see_logs_hears_none_and_no_result():
    execution = make_execution(status=Status.PROCESSING)
    log(execution, 1)
    Execution.objects.filter(pk=execution.pk).update(result={"sum": 3})
    end(execution)
    user = make_user(*VIEWER)

    async def main() -> list[tuple[str, Any, str]]:
        _answer, events = await listen(f"executions/{execution.tracking_id}/events/", user)
        return [event async for event in events]

    found = run(main)
    assert [name for name, _data, _id in found] == ["status", "end"]
    assert "result" not in found[0][1]


@pytest.mark.parametrize(("lost", "expected"), [("view_execution", "end"), ("view_execution_logs", "no more lines")])
def test_a_permission_that_is_taken_away_counts_at_once(lost, expected):
    execution, user = make_execution(status=Status.PROCESSING), make_user(*OPERATOR)
    log(execution, 1)

    def take_away() -> None:
        user.user_permissions.remove(Permission.objects.get(codename=lost))
        log(execution, 2)
        if expected != "end":
            end(execution)

    async def main() -> list[tuple[str, Any, str]]:
        _answer, events = await listen(f"executions/{execution.tracking_id}/events/", user)
        found = []
        async for event in events:
            found.append(event)
            if event[0] == "status" and event[1]["status"] == "processing":
                await sync_to_async(take_away)()
        return found

    found = run(main)
    assert [data["number"] for name, data, _id in found if name == "log"] == [1]
    assert found[-1][:2] == ("end", {"code": "permission_denied" if expected == "end" else "ended"})


def test_the_stream_of_all_tells_what_is_open_what_is_new_and_how_it_ends_once_each():
    first, user = make_execution(make_task(name="first"), status=Status.PROCESSING), make_user(*VIEWER)
    old = make_execution(make_task(name="old"), status=Status.PROCESSING)
    end(old)

    async def main() -> list[tuple[str, str]]:
        _answer, events = await listen("events/", user)
        found = []
        async for _name, data, _id in events:
            found.append((data["scheduledTaskName"], data["status"]))
            if len(found) == 2:
                await sync_to_async(lambda: (make_execution(make_task(name="second")), end(first)))()
            if len(found) == 4:
                await asyncio.sleep(0.2)
                break
        return found

    found = run(main)
    assert ("first", "processing") in found[:2]
    assert set(found[2:]) == {("second", "pending"), ("first", "completed")}


def test_under_wsgi_it_is_refused_with_a_sentence_unless_the_settings_allow_it(settings):
    execution, user = make_execution(status=Status.PROCESSING), make_user(*OPERATOR)
    end(execution)
    client = Client()
    client.force_login(user)
    url = f"{ROOT}/executions/{execution.tracking_id}/events/"
    refused = client.get(url)
    assert (refused.status_code, refused.json()["errors"]["items"][0]["code"]) == (501, "stream_unavailable")
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"STREAM_IN_THREADS": True}
    allowed = client.get(url)
    assert [name for name, _data, _id in read(b"".join(allowed.streaming_content).decode())] == ["status", "end"]


def test_more_than_the_settings_allow_are_refused_and_places_are_given_back(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"MAX_STREAMS": 1}
    execution, user = make_execution(status=Status.PROCESSING), make_user(*OPERATOR)

    async def main() -> list[int]:
        path = f"executions/{execution.tracking_id}/events/"
        first, events = await listen(path, user)
        await anext(events)
        second, _events = await listen(path, user)
        await sync_to_async(end)(execution)
        async for _event in events:
            pass
        await sync_to_async(first.close)()
        third, events = await listen(path, user)
        async for _event in events:
            pass
        await sync_to_async(third.close)()
        return [first.status_code, second.status_code, third.status_code]

    assert run(main) == [200, 503, 200]


def test_one_look_for_all_who_listen_costs_few_statements(django_assert_num_queries):
    task, user = make_task(), make_user(*OPERATOR)
    rows = [make_execution(task, status=Status.PROCESSING, lock_key=None, exclusive_key=None) for _ in range(3)]

    def look(count: int) -> None:
        listening.look([listening.OneExecution(user.pk, rows[0].pk) for _ in range(count)])

    with django_assert_num_queries(5):  # executions, user, two of its permissions, the log
        look(1)
    with django_assert_num_queries(4 + 10):
        look(10)


def test_strangers_are_refused():
    execution = make_execution()
    for path in ("events/", f"executions/{execution.tracking_id}/events/"):
        assert Client().get(f"{ROOT}/{path}").status_code in {401, 403}
        assert client_of(user=make_user()).get(f"{ROOT}/{path}").status_code == 403
