"""Streams of what happens: what is sent, from where on, to whom, how many, and to nobody under WSGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from django_scheduled_tasks.api.http import streams
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.services.following import follow
from django_scheduled_tasks.services.following.follow import Follower
from django_scheduled_tasks.services.following.follow_all import FollowerOfAll, look_at_all
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.running.logs import LogLine
from tests.api.conftest import ROOT, client_of, codes
from tests.database import connection
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(streams, "LOOK_EVERY", 0.02)


@dataclass
class Told:
    """An event as a client reads it."""

    kind: str
    place: str
    data: Any


class Listener:
    """A client under ASGI."""

    def __init__(self, user: Any, execution: Execution | None) -> None:
        self._headers = {"Authorization": f"Token {Token.objects.get_or_create(user=user)[0].key}"}
        self._url = f"{ROOT}/executions/{execution.tracking_id}/events/" if execution else f"{ROOT}/events/"
        self._parts: AsyncIterator[bytes]

    async def open(self, place: str = "") -> Any:
        """Ask for the stream."""
        more = {"Last-Event-ID": place} if place else {}
        accept = {"Accept": "text/event-stream"}
        response: Any = await AsyncClient().get(self._url, headers=self._headers | more | accept)
        if response.streaming:
            self._parts = aiter(response.streaming_content)
            assert (await anext(self._parts)).startswith(b"retry: ")
        return response

    async def hear(self) -> list[Told]:
        """Return the next events; none if the stream has ended."""
        part = await asyncio.wait_for(anext(self._parts, b""), 20)
        found = []
        for event in filter(None, part.decode().split("\n\n")):
            fields = dict(line.split(": ", 1) for line in event.splitlines())
            found.append(Told(fields["event"], fields["id"], json.loads(fields["data"])))
        return found

    async def leave(self) -> None:
        """Go away in the middle, as the server does with a client that is gone."""
        waiting = asyncio.create_task(self.hear())
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait({waiting})

    async def all(self) -> list[Told]:
        """Return all events until the end."""
        found: list[Told] = []
        while news := await self.hear():
            found += news
        return found


def run(scene: Any) -> None:
    asyncio.run(asyncio.wait_for(scene(), 60))


async def do(act: Any, *arguments: Any, **options: Any) -> None:
    """Do it as another process would."""

    def there() -> None:
        try:
            act(*arguments, **options)
        finally:
            connection.close()

    await asyncio.to_thread(there)


def begin() -> Execution:
    """Return an execution that runs, on which nobody else writes."""
    now = read_now()
    values = {"status": Status.PROCESSING, "started_at": now, "lease_until": now + timedelta(minutes=1)}
    return make_execution(make_task(name="nightly", overlap="allow"), **values)


def change(execution: Execution, **values: Any) -> None:
    Execution.objects.filter(pk=execution.pk).update(**values)


def end(execution: Execution) -> None:
    change(execution, status=Status.COMPLETED, outcome="succeeded", completed_at=read_now(), lease_until=None)


def log(execution: Execution, *texts: str) -> None:
    lines = [LogLine(read_now(), "INFO", "shop", text) for text in texts]
    logs.write(execution, lines, first=logs.used(execution).number + 1)


def test_status_progress_and_lines_arrive_and_the_stream_ends_with_the_execution():
    execution = begin()
    listener = Listener(make_user(*OPERATOR), execution)

    async def scene() -> None:
        response = await listener.open()
        assert response["Content-Type"].startswith("text/event-stream")
        (first,) = await listener.hear()
        assert (first.kind, first.data["info"]["status"], first.data["errors"]) == ("status", "processing", None)
        await do(change, execution, progress_current=3, progress_total=9)
        (second,) = await listener.hear()
        assert (second.kind, second.data["info"]["progress"]["current"]) == ("progress", 3)
        await do(log, execution, "one", "two")
        third = await listener.hear()
        assert [(told.kind, told.data["message"], told.data["number"]) for told in third] == [
            ("log", "one", 1),
            ("log", "two", 2),
        ]
        await do(log, execution, "last")
        await do(end, execution)
        rest = await listener.all()
        assert [told.kind for told in rest] == ["log", "status"]
        assert rest[-1].data["info"]["status"] == "completed"
        assert await listener.hear() == []
        # Who comes again knows everything: a browser does not come a third time.
        assert (await listener.open(rest[-1].place)).status_code == 204
        # Who missed the end gets it.
        assert (await listener.open(third[0].place)).status_code == 200
        assert [told.data.get("message", "") for told in await listener.all()] == ["two", "last", ""]

    run(scene)


def test_a_stream_ends_after_its_time_and_the_client_goes_on_where_it_was(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"STREAM_FOR": timedelta(seconds=1)}
    execution = begin()
    log(execution, "one")
    listener = Listener(make_user(*OPERATOR), execution)

    async def scene() -> None:
        await listener.open()
        told = await listener.all()
        assert [one.kind for one in told] == ["status", "log"]
        await do(log, execution, "two")
        await listener.open(told[-1].place)
        assert [one.data.get("message") for one in await listener.all()] == ["two"]

    run(scene)


def test_lines_need_their_permission_at_each_event_and_the_execution_its_own():
    execution, user = begin(), make_user(*OPERATOR)
    viewer, operator = Listener(make_user(*VIEWER), execution), Listener(user, execution)

    def withdraw(name: str) -> None:
        user.user_permissions.remove(Permission.objects.get(codename=name))

    async def scene() -> None:
        await viewer.open()
        await operator.open()
        await viewer.hear()
        await operator.hear()
        await do(log, execution, "secret of operators")
        assert [told.kind for told in await operator.hear()] == ["log"]
        await do(withdraw, "view_execution_logs")
        await do(log, execution, "no longer")
        await do(change, execution, progress_current=1)
        # Neither of them gets a line: the next that they hear is the progress.
        assert [told.kind for told in await viewer.hear()] == ["progress"]
        assert [told.kind for told in await operator.hear()] == ["progress"]
        await do(withdraw, "view_execution")
        await do(change, execution, progress_current=2)
        (last,) = await operator.all()
        assert (last.kind, last.data["errors"]["items"][0]["code"]) == ("error", "permission_denied")
        assert [told.kind for told in await viewer.hear()] == ["progress"]
        assert (await operator.open(last.place)).status_code == 403

    run(scene)


def test_who_hears_nothing_is_asked_again_all_the_same(monkeypatch):
    monkeypatch.setattr(follow, "CHECK_EVERY", 0.05)
    execution, user = begin(), make_user(*VIEWER)
    listener = Listener(user, execution)

    def leave() -> None:
        user.is_active = False
        user.save()

    async def scene() -> None:
        await listener.open()
        await listener.hear()
        await do(leave)
        assert [told.kind for told in await listener.all()] == ["error"]

    run(scene)


def test_what_is_deleted_is_told():
    execution = begin()
    listener = Listener(make_user(*VIEWER), execution)

    async def scene() -> None:
        await listener.open()
        await listener.hear()
        await do(Execution.objects.filter(pk=execution.pk).delete)
        (last,) = await listener.all()
        assert last.data["errors"]["items"][0]["code"] == "execution_not_found"

    run(scene)


def test_no_more_listen_than_may_and_who_leaves_makes_room(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"MAX_STREAMS": 1}
    execution = begin()
    first, second = (Listener(make_user(*VIEWER), execution) for _ in range(2))

    async def scene() -> None:
        await first.open()
        await first.hear()
        response = await second.open()
        assert (response.status_code, codes(response)[0][0]) == (503, "too_many_streams")
        assert int(response["Retry-After"]) >= 1
        await first.leave()
        assert (await second.open()).status_code == 200
        await second.leave()

    run(scene)


def test_a_database_that_does_not_answer_ends_no_stream(monkeypatch):
    execution, looks = begin(), []

    def broken(followers: Any) -> Any:
        looks.append(followers)
        if len(looks) == 1:
            raise DatabaseError("away")
        return follow.look(followers)

    monkeypatch.setattr(streams, "look", broken)
    listener = Listener(make_user(*VIEWER), execution)

    async def scene() -> None:
        await listener.open()
        assert [told.kind for told in await listener.hear()] == ["status"]
        await listener.leave()

    run(scene)
    assert len(looks) >= 2


def test_all_who_follow_share_two_statements_and_each_user_is_asked_for_once():
    execution, other = begin(), make_execution(make_task(name="other"))
    user = make_user(*OPERATOR)
    many = [Follower(row, user=user) for row in (execution, other) for _ in range(50)]
    follow.look(many)
    with CaptureQueriesContext(connection) as queries:
        assert follow.look(many) == {}
    assert len(queries) == 2
    log(execution, "one")
    with CaptureQueriesContext(connection) as queries:
        assert {len(events) for events in follow.look(many).values()} == {1}
    assert len(queries) == 5, "the user and their permissions, once"


def test_more_lines_than_one_look_reads_come_with_the_next_and_before_the_end(monkeypatch):
    monkeypatch.setattr(follow, "MOST_LINES", 2)
    execution = begin()
    log(execution, "one", "two", "three")
    end(execution)
    one = Follower(execution)
    assert [event.kind for event in follow.look([one])[one]] == ["log", "log"]
    assert not one.is_over
    assert [event.kind for event in follow.look([one])[one]] == ["log", "status"]
    assert one.is_over


@pytest.mark.parametrize("place", ["", "x", "1-", "99999999999-000000000000", "1-zzzzzzzzzzzz", "-1-000000000000"])
def test_a_place_that_is_none_means_the_beginning(place):
    one = Follower(Execution(pk=1))
    one.go_on_after(place)
    assert (one.line, one.digest) == (0, "")


def test_under_wsgi_it_is_refused_with_a_sentence_unless_threads_are_given(settings, viewer):
    execution = begin()
    log(execution, "not for viewers")
    end(execution)
    url = f"{ROOT}/executions/{execution.tracking_id}/events/"
    response = viewer.get(url, HTTP_ACCEPT="text/event-stream")
    assert (response.status_code, codes(response)[0][0]) == (501, "stream_refused")
    assert "MAX_STREAMS_IN_THREADS" in response.json()["errors"]["items"][0]["message"]
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"MAX_STREAMS_IN_THREADS": 1}
    for _ in range(2):  # the place is free again
        text = b"".join(viewer.get(url).streaming_content).decode()
        assert text.startswith("retry: ")
        assert text.count("event: ") == text.count("event: status") == 1
    assert client_of().get(url).status_code == 401


# --- all at once --------------------------------------------------------------------------------------------------


def said(events: list[Told]) -> list[tuple[str, str, str]]:
    return [(told.kind, told.data["info"]["scheduledTaskName"], told.data["info"]["status"]) for told in events]


def test_all_executions_are_followed_at_once_and_what_was_missed_is_told_later():
    ended, running = make_execution(make_task(name="ended"), status=Status.COMPLETED), begin()
    other, user = make_task(name="other"), make_user(*VIEWER)
    listener = Listener(user, None)

    async def scene() -> None:
        await listener.open()
        assert said(await listener.hear()) == [("status", "nightly", "processing")]
        await do(change, running, progress_current=1)
        first = await listener.hear()
        assert said(first) == [("progress", "nightly", "processing")]
        await do(make_execution, other, status=Status.COMPLETED)
        second = await listener.hear()
        assert said(second) == [("status", "other", "completed")]
        await listener.leave()
        await do(end, running)
        await listener.open(second[-1].place)
        assert said(await listener.hear()) == [("status", "nightly", "completed"), ("status", "other", "completed")]
        await do(Execution.objects.filter(pk=ended.pk).delete)
        await do(user.user_permissions.clear)
        await do(make_execution, other)
        (last,) = await listener.all()
        assert last.data["errors"]["items"][0]["code"] == "permission_denied"

    run(scene)


def only_mine(_user: Any, tasks: Any) -> Any:
    return tasks.filter(name="mine")


def test_of_tasks_that_somebody_may_not_see_nothing_is_told(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"VISIBLE_TASKS": f"{__name__}.only_mine"}
    begin()
    mine = make_execution(make_task(name="mine"))
    follower = FollowerOfAll(make_user(*OPERATOR))
    assert [event.info.tracking_id for event in look_at_all([follower])[follower]] == [mine.tracking_id]


def test_all_who_follow_all_share_two_statements():
    begin()
    user = make_user(*VIEWER)
    many = [FollowerOfAll(user) for _ in range(50)]
    assert {len(events) for events in look_at_all(many).values()} == {1}
    with CaptureQueriesContext(connection) as queries:
        assert not any(look_at_all(many).values())
    assert len(queries) == 2
