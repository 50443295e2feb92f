"""The engine for django-q2: what is sent, and what happens when the broker does not answer."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import ClassVar
from uuid import uuid4

import pytest
from django.db import OperationalError, connections
from django.db.models import QuerySet
from django_q.brokers import get_broker, redis_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signals import post_spawn
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from django_scheduled_tasks.engines import Submission
from django_scheduled_tasks.engines.base import ENTRY_POINT, Cluster
from django_scheduled_tasks.engines.django_q import brokers, clusters, taking
from django_scheduled_tasks.engines.django_q.engine import BUNDLE, FEW, MOST, DjangoQEngine
from django_scheduled_tasks.engines.django_q.taking import Waiting
from django_scheduled_tasks.exceptions import EngineUnavailable
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner import worker
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import directed, wait_until
from tests.factories import make_task
from tests.profiles import REDIS_URL

pytestmark = [pytest.mark.every_broker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queue():
    with directed() as name:
        yield name


def sent(queue: str) -> list[dict]:
    broker, messages = get_broker(queue), []
    while broker.queue_size():
        messages += [SignedPackage.loads(payload) for _identifier, payload in broker.dequeue() or ()]
    return messages


def test_a_message_is_the_tracking_id_and_nothing_else(queue):
    tracking_id = uuid4()
    DjangoQEngine().submit([Submission(tracking_id)])
    (message,) = sent(queue)
    assert (message["func"], message["args"], message["kwargs"]) == (ENTRY_POINT, (str(tracking_id),), {})
    assert message["save"] is False
    assert "timeout" not in message


def test_django_q_ends_a_worker_only_after_our_own_limit(queue):
    DjangoQEngine().submit([Submission(uuid4(), timeout=timedelta(seconds=0.5))])
    assert sent(queue)[0]["timeout"] == 3


def test_a_queue_is_a_cluster_of_that_name(queue):
    other = f"{queue}-other"
    engine = DjangoQEngine()
    assert engine.is_idle(["", other])
    engine.submit([Submission(uuid4(), queue=other)])
    assert engine.is_idle([""])
    assert not engine.is_idle(["", other])
    assert sent(queue) == []
    assert len(sent(other)) == 1
    get_broker(other).delete_queue()


@pytest.mark.parametrize("by", ["name", "cluster_name"])
def test_a_process_of_another_cluster_sends_to_the_default_queue(queue, monkeypatch, settings, by):
    """As with ``Q_CLUSTER_NAME=slow``: then django-q2 itself takes ``slow`` wherever no queue is named."""
    default = queue if by == "name" else f"{queue}-default"
    settings.Q_CLUSTER = settings.Q_CLUSTER | {by: default}
    monkeypatch.setattr(Conf, "CLUSTER_NAME", f"{queue}-slow")
    engine, submission = DjangoQEngine(), Submission(uuid4())
    engine.submit([submission])
    assert not engine.is_idle([""])
    assert get_broker(f"{queue}-slow").queue_size() == 0
    assert Waiting("").take(Conf.TIMEOUT) == [str(submission.tracking_id)]
    assert engine.is_idle([""])


def test_a_broker_that_does_not_answer_loses_no_execution(queue, monkeypatch):
    task = make_task(overlap="allow")
    calls = []

    def fail_at_the_second(*_args, **_options):
        calls.append(1)
        if len(calls) > 1:
            raise OSError("refused")

    monkeypatch.setattr("django_scheduled_tasks.engines.django_q.engine.async_task", fail_at_the_second)
    with pytest.raises(EngineUnavailable, match="refused") as caught:
        DjangoQEngine().submit([Submission(uuid4()), Submission(uuid4()), Submission(uuid4())])
    assert caught.value.details == {"sent": 0, "of": 3}
    execution = run_once(task).execution
    execution.refresh_from_db()
    assert (execution.status, execution.submissions) == ("pending", 0)
    assert Execution.objects.count() == 1


def test_many_messages_go_out_together_in_their_order(queue, monkeypatch):
    """Each is the message that would be sent alone; the broker is asked once for a bundle."""
    submissions = [Submission(uuid4()) for _ in range(BUNDLE + 7)]
    calls = []
    broker = get_broker(queue)
    monkeypatch.setattr(type(broker), "enqueue", lambda _self, _message: calls.append(1))
    DjangoQEngine().submit(submissions)
    monkeypatch.undo()
    assert calls == []
    messages = sent(queue)
    assert [message["args"] for message in messages] == [(str(item.tracking_id),) for item in submissions]
    assert all(message["save"] is False for message in messages)


def test_of_many_that_may_share_a_message_carries_several_in_their_order(queue):
    submissions = [Submission(uuid4(), may_share=True, timeout=timedelta(seconds=10)) for _ in range(FEW * 4)]
    assert BUNDLE < len(submissions) < BUNDLE * 2
    DjangoQEngine().submit(submissions)
    messages = sent(queue)
    assert [len(message["args"]) for message in messages] == [4] * 12 + [2] + [4] * 3 + [2]
    assert [identifier for message in messages for identifier in message["args"]] == [
        str(item.tracking_id) for item in submissions
    ]
    assert messages[0]["timeout"] == 4 * 12  # django-q2 ends a worker only after the last of them


@pytest.mark.parametrize("count", [1, FEW * 2 - 1])
def test_of_few_each_has_a_message_of_its_own(queue, count):
    DjangoQEngine().submit([Submission(uuid4(), may_share=True) for _ in range(count)])
    assert [len(message["args"]) for message in sent(queue)] == [1] * count


def test_only_those_with_one_time_limit_share_a_message_and_only_who_may(queue):
    limits = [timedelta(seconds=number // 3 % 2 + 1) for number in range(FEW * 8)]
    DjangoQEngine().submit(
        [Submission(uuid4(), may_share=number >= 12, timeout=limit) for number, limit in enumerate(limits)]
    )
    messages = sent(queue)
    assert [len(message["args"]) for message in messages[:12]] == [1] * 12
    assert max(len(message["args"]) for message in messages) == 3
    assert {message["timeout"] / len(message["args"]) for message in messages} == {3, 4}
    assert sum(len(message["args"]) for message in messages) == len(limits)


def test_a_broker_of_the_projects_own_gets_one_message_after_the_other(queue, monkeypatch):
    class Own(type(get_broker(queue))):
        taken: ClassVar[list[str]] = []

        def enqueue(self, message):
            self.taken.append(message)

    monkeypatch.setattr("django_scheduled_tasks.engines.django_q.engine.get_broker", lambda key: Own(list_key=key))
    DjangoQEngine().submit([Submission(uuid4()) for _ in range(3)])
    assert len(Own.taken) == 3


def test_what_went_out_before_the_broker_failed_is_said(queue, monkeypatch):
    real, bundles = DjangoQEngine._send, []

    def fail_at_the_second(engine, bundle, queue):
        bundles.append(bundle)
        if len(bundles) > 1:
            raise OSError("refused")
        real(engine, bundle, queue)

    monkeypatch.setattr(DjangoQEngine, "_send", fail_at_the_second)
    with pytest.raises(EngineUnavailable) as caught:
        DjangoQEngine().submit([Submission(uuid4()) for _ in range(BUNDLE + 2)])
    assert caught.value.details == {"sent": BUNDLE, "of": BUNDLE + 2}
    assert len(sent(queue)) == BUNDLE


def test_a_broker_that_does_not_answer_is_not_idle(queue, monkeypatch):
    def refuse(*_args):
        raise OSError("refused")

    monkeypatch.setattr("django_scheduled_tasks.engines.django_q.engine.get_broker", refuse)
    assert not DjangoQEngine().is_idle([""])


@pytest.mark.parametrize(
    ("name", "cluster_name", "served"),
    [("same", None, ""), ("other", None, "other"), ("given", "given", ""), ("other", "given", "other")],
)
def test_a_worker_that_starts_says_which_queue_it_serves(monkeypatch, settings, name, cluster_name, served):
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"name": "same", "cluster_name": cluster_name}
    started = []
    monkeypatch.setattr(worker, "start", lambda queue, take, cluster: started.append((queue, take.__func__, cluster)))
    monkeypatch.setattr(Conf, "PREFIX", "same")
    monkeypatch.setattr(Conf, "CLUSTER_NAME", name)
    DjangoQEngine()
    post_spawn.send(sender="django_q", proc_name="x")
    wait_until(lambda: started, timeout=1)
    assert started == [(served, Waiting.take, Cluster(clusters.KEY, os.getpid(), Conf.WORKERS))]


# --- a worker that is done with its message takes a few that wait ------------------------------------------------


def test_the_next_messages_are_taken_in_their_order_and_no_more_than_a_few(queue):
    submissions = [Submission(uuid4()) for _ in range(MOST + 2)]
    DjangoQEngine().submit(submissions)
    identifiers = [str(item.tracking_id) for item in submissions]
    waiting = Waiting("")
    assert waiting.take(Conf.TIMEOUT) == identifiers[:MOST]
    assert waiting.take(Conf.TIMEOUT) == identifiers[MOST:]
    assert waiting.take(Conf.TIMEOUT) == []
    assert sent(queue) == []


def test_a_message_of_somebody_else_stays_where_it_is(queue):
    engine, submissions = DjangoQEngine(), [Submission(uuid4()) for _ in range(3)]
    engine.submit(submissions[:1])
    async_task("tests.testapp.tasks.noop", broker=get_broker(queue))
    engine.submit(submissions[1:])
    assert Waiting("").take(Conf.TIMEOUT) == [str(submissions[0].tracking_id)]
    assert Waiting("").take(Conf.TIMEOUT) == []
    assert [message["func"] for message in sent(queue)] == ["tests.testapp.tasks.noop", ENTRY_POINT, ENTRY_POINT]


@pytest.mark.parametrize("limit", [timedelta(seconds=8), None])
def test_only_who_has_the_same_limit_is_taken_since_django_q2_watches_one_for_all(queue, limit):
    other = Submission(uuid4(), timeout=timedelta(seconds=5))
    DjangoQEngine().submit([Submission(uuid4(), timeout=limit), other])
    seconds = 10 if limit else Conf.TIMEOUT
    assert Waiting("").take(seconds + 1) == []
    assert len(Waiting("").take(seconds)) == 1
    assert [message["args"] for message in sent(queue)] == [(str(other.tracking_id),)]


def test_all_that_share_a_message_are_taken_together(queue):
    submissions = [Submission(uuid4(), may_share=True) for _ in range(FEW * 2)]
    DjangoQEngine().submit(submissions)
    assert Waiting("").take(Conf.TIMEOUT) == [str(item.tracking_id) for item in submissions][: MOST * 2]


def test_two_workers_never_take_the_same_message(queue):
    submissions = [Submission(uuid4()) for _ in range(60)]
    DjangoQEngine().submit(submissions)

    def take_all(_number: int) -> list[str]:
        waiting, taken, misses = Waiting(""), [], 0
        while misses < 3:
            found = waiting.take(Conf.TIMEOUT)
            taken += found
            misses = 0 if found else misses + 1
        connections.close_all()
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = [identifier for found in pool.map(take_all, range(3)) for identifier in found]
    assert sorted(taken) == sorted(str(item.tracking_id) for item in submissions)


def test_a_message_that_was_not_signed_here_is_left_to_django_q2(queue):
    broker = get_broker(queue)
    broker.enqueue("no signature")
    assert Waiting("").take(Conf.TIMEOUT) == []
    assert broker.queue_size() == 1


@pytest.mark.skipif(not Conf.ORM, reason="Redis gives several messages with one call")
def test_what_was_taken_before_the_broker_failed_is_not_lost(queue, monkeypatch):
    submissions = [Submission(uuid4()) for _ in range(4)]
    DjangoQEngine().submit(submissions)
    real, calls = QuerySet._raw_delete, []

    def delete(rows, using):
        calls.append(rows)
        if len(calls) == 3:
            raise OperationalError("database is locked")
        return real(rows, using)

    monkeypatch.setattr(QuerySet, "_raw_delete", delete)
    assert Waiting("").take(Conf.TIMEOUT) == [str(item.tracking_id) for item in submissions[:2]]
    assert get_broker(queue).queue_size() == 2


def test_a_project_that_runs_messages_at_once_in_the_caller_makes_no_worker_of_it(monkeypatch):
    monkeypatch.setattr(worker, "start", lambda *_arguments: pytest.fail("this is no worker"))
    monkeypatch.setattr(Conf, "SYNC", True)
    DjangoQEngine()
    (answer,) = [answer for receiver, answer in post_spawn.send_robust(sender="django_q", proc_name="x")]
    assert answer is None


def test_a_broker_that_does_not_answer_has_nothing_waiting(queue, monkeypatch, caplog):
    DjangoQEngine().submit([Submission(uuid4())])

    def refuse(*_args):
        raise OSError("refused")

    monkeypatch.setattr(taking, "get_broker", refuse)
    with caplog.at_level("DEBUG", "django_scheduled_tasks"):
        assert Waiting("").take(Conf.TIMEOUT) == []
    assert "refused" in caplog.text
    monkeypatch.undo()
    assert len(sent(queue)) == 1


@pytest.mark.redis
@pytest.mark.parametrize(("limit", "taken"), [(None, 0), (5.0, 1)])
def test_a_worker_asks_the_client_of_the_projects_cache_for_more_only_if_that_has_a_limit(monkeypatch, limit, taken):
    redis = pytest.importorskip("redis")
    client = redis.Redis.from_url(REDIS_URL, socket_timeout=limit)
    monkeypatch.setattr(redis_broker, "django_redis", SimpleNamespace(get_redis_connection=lambda _name: client))
    for name, value in (("DJANGO_REDIS", "default"), ("ORM", None), ("BROKER_CLASS", None)):
        monkeypatch.setattr(Conf, name, value)
    with directed():
        DjangoQEngine().submit([Submission(uuid4())])
        assert len(Waiting("").take(Conf.TIMEOUT)) == taken
        get_broker().delete_queue()
    assert client.connection_pool.connection_kwargs["socket_timeout"] == limit


# --- in a copy of a database


@pytest.fixture
def at_once(monkeypatch):
    DjangoQEngine()  # it lets clusters ask
    monkeypatch.setattr(taking, "TRY_AGAIN_AFTER", 0.0)


def test_a_copy_has_a_key_of_its_own_and_no_connection_of_its_own(monkeypatch):
    broker = object.__new__(ORM)
    broker.list_key, broker.connection = "reports", object()
    assert brokers.own_queue(broker, "") is broker
    own = brokers.own_queue(broker, "ab12")
    assert own.list_key == "reports:copy-ab12"
    assert own.connection is broker.connection
    assert broker.list_key == "reports"


def test_a_copy_takes_and_sends_nothing_through_a_broker_of_another_kind(monkeypatch, at_once):
    class Other(brokers.RedisBroker): ...

    broker = object.__new__(Other)
    with pytest.raises(EngineUnavailable):
        brokers.own_queue(broker, "ab12")
    monkeypatch.setattr(taking, "copy_key", lambda: "ab12")
    assert broker.dequeue() is None


def test_while_it_is_not_known_whether_this_is_a_copy_nothing_is_taken(monkeypatch, at_once):
    def away() -> str:
        raise OperationalError("away")

    monkeypatch.setattr(taking, "copy_key", away)
    assert object.__new__(brokers.RedisBroker).dequeue() is None
    with pytest.raises(OperationalError):
        object.__new__(ORM).dequeue()


@pytest.mark.parametrize("answers", [True, False])
def test_a_cluster_ends_whether_it_can_say_so_or_not(monkeypatch, answers):
    said, waiting = [], threading.Event()

    def ends(pid: int, *, has_ended: bool) -> None:
        said.append((pid, has_ended))
        if not answers:
            waiting.wait(10)

    class Guard:
        def stop(self) -> None:
            said.append("stopped")

    monkeypatch.setattr(worker, "cluster_ends", ends)
    monkeypatch.setattr(clusters, "SAY_WITHIN", 0.05)
    clusters._let_say_when_it_ends(Guard)
    clusters._let_say_when_it_ends(Guard)
    Guard().stop()
    waiting.set()
    first, last = (os.getpid(), False), (os.getpid(), True)
    assert said == ([first, "stopped", last] if answers else [first, "stopped"])
