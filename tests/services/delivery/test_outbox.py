"""The thread that sends for a scheduler."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from django_scheduled_tasks.engines import Submission
from django_scheduled_tasks.engines.base import use_engine
from django_scheduled_tasks.exceptions import EngineUnavailable
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, frozen_at, read_now
from django_scheduled_tasks.services.delivery import dispatch, outbox
from django_scheduled_tasks.services.scheduling import recovery
from django_scheduled_tasks.services.scheduling.recovery import CLAIM_TIME
from tests.cluster import wait_until
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db(transaction=True)


class Engine:
    """Answers as the test says, in the order of the calls."""

    waits_for_server = True

    def __init__(self) -> None:
        self.sent: list[Submission] = []
        self.threads: set[int] = set()
        self.error: Exception | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.idle = True

    def submit(self, submissions: Sequence[Submission]) -> None:
        self.answers.wait(30)
        self.threads.add(threading.get_ident())
        if self.error is not None:
            raise self.error
        self.sent += submissions

    def is_idle(self, _queues: Sequence[str]) -> bool:
        self.answers.wait(30)
        return self.idle


@pytest.fixture
def server() -> Iterator[Engine]:
    engine = Engine()
    with use_engine(engine):
        yield engine


@pytest.fixture
def news(server) -> Iterator[list[int]]:
    """Open the outbox; each item is a call for the thread that plans."""
    found: list[int] = []
    outbox.open_outbox(lambda: found.append(1))
    yield found
    server.answers.set()
    outbox.close_outbox(20)


def waiting(**values: Any) -> Execution:
    return make_execution(submissions=1, triggered_at=read_now() - 2 * CLAIM_TIME, **values)


def test_only_an_engine_that_asks_a_server_has_one(server):
    server.waits_for_server = False
    outbox.open_outbox(lambda: None)
    assert outbox.outbox() is None
    assert outbox.close_outbox(1) == []


def test_what_is_sent_is_sent_by_the_thread_in_order(server, news):
    executions = [waiting() for _ in range(3)]
    for execution in executions:
        assert dispatch.submit([execution])
    wait_until(lambda: len(server.sent) == 3, what="they are sent")
    assert [one.tracking_id for one in server.sent] == [one.tracking_id for one in executions]
    assert threading.get_ident() not in server.threads
    assert not news


def test_what_could_not_be_sent_is_marked_by_the_thread_that_plans(server, news, caplog):
    rows = [waiting(), waiting()]
    server.error = EngineUnavailable("refused", sent=1, of=2)
    dispatch.submit(rows)
    wait_until(lambda: news, what="it says so")
    assert set(Execution.objects.values_list("submissions", flat=True)) == {1}, "only that thread uses the database"
    dispatch.settle()
    assert dict(Execution.objects.values_list("pk", "submissions")) == {rows[0].pk: 1, rows[1].pk: 0}
    server.error = RuntimeError("a bug")
    dispatch.submit(rows)
    wait_until(lambda: len(news) == 2, what="an engine may raise anything")
    assert caplog.text.count("The engine is not available") == 1
    server.error = None
    dispatch.submit(rows)
    wait_until(lambda: len(server.sent) == 2, what="it goes on")
    wait_until(lambda: "The engine is available again" in caplog.text, what="and says so")


def test_while_the_engine_does_not_answer_only_so_many_wait(server, news, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_WAITING", 1)
    first, second = waiting(), waiting()
    server.answers.clear()
    dispatch.submit([first])
    dispatch.submit([second])
    assert dict(Execution.objects.values_list("pk", "submissions")) == {first.pk: 1, second.pk: 0}


def test_lost_messages_are_sent_again_when_the_engine_has_answered(server, news):
    execution = waiting()
    assert recovery.send_lost(limit=10) == 0
    wait_until(lambda: news, what="it answers")
    assert server.sent == []
    dispatch.settle()
    wait_until(lambda: len(server.sent) == 1, what="it is sent")
    server.idle = False
    with frozen_at(read_now() + 5 * CLAIM_TIME):
        assert recovery.send_lost(limit=10) == 0
        dispatch.submit([execution])
        wait_until(lambda: len(server.sent) == 2, what="that was asked before")
        assert len(news) == 1


def test_only_what_waited_when_the_question_was_asked_is_lost(server, news):
    waiting()
    recovery.send_lost(limit=10)
    wait_until(lambda: news, what="it answers")
    later = make_execution(submissions=1)
    with frozen_at(read_now() + 5 * CLAIM_TIME):
        dispatch.settle()
    wait_until(lambda: server.sent, what="the first is sent")
    assert later.tracking_id not in {one.tracking_id for one in server.sent}


def test_at_the_end_the_rest_is_marked_for_other_schedulers(server, news, settings):
    server.answers.clear()
    execution = waiting(task=make_task())
    dispatch.submit([execution])
    dispatch.stop_sending()
    execution.refresh_from_db()
    assert (execution.status, execution.submissions) == (Status.PENDING, 0)
    assert outbox.outbox() is None


def test_a_failure_of_ours_does_not_end_the_thread(server, news, monkeypatch, caplog):
    monkeypatch.setattr(server, "is_idle", lambda _queues: 1 / 0)
    dispatch.when_idle([""], lambda: 1)
    dispatch.submit([waiting()])
    wait_until(lambda: len(server.sent) == 1, what="sending goes on")
    assert "sending goes on" in caplog.text
