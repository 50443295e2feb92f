"""Sending over a connection that is open: in the thread that asks, and for no longer than the limit."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django_q.brokers import redis_broker
from django_q.conf import Conf

from django_scheduled_tasks.engines import Submission
from django_scheduled_tasks.engines.deadline import Callers
from django_scheduled_tasks.engines.django_q import DjangoQEngine
from django_scheduled_tasks.engines.django_q.brokers import default_queue, limited
from django_scheduled_tasks.exceptions import EngineUnavailable
from django_scheduled_tasks.identifiers import as_uuid
from tests import profiles
from tests.cluster import directed, wait_until
from tests.servers import Silent

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]
ONE = Submission(tracking_id=as_uuid("01890a5d-ac96-774b-bcce-b302099a8057"), queue="", timeout=None, may_share=False)


@pytest.fixture
def proxy(monkeypatch) -> Iterator[Silent]:
    """Something before the Redis of the tests that can be slow."""
    _, _, port = profiles.REDIS_URL.partition("://")[2].partition("/")[0].partition(":")
    server = Silent(int(port or 6379))
    with directed(settings={"ENGINE_TIMEOUT": 1}):
        monkeypatch.setattr(Conf, "ORM", None)
        monkeypatch.setattr(Conf, "REDIS", server.url)
        yield server
        monkeypatch.undo()
    server.stop()


def length() -> int:
    """Return how many messages wait in the default queue."""
    return int(redis_broker.Redis(default_queue()).queue_size())


def test_from_the_second_message_on_no_other_thread_is_asked(proxy, monkeypatch):
    engine, before = DjangoQEngine(), length()
    engine.submit([ONE])
    monkeypatch.setattr(Callers, "call", lambda *_args, **_options: pytest.fail("another thread was asked"))
    engine.submit([ONE])
    engine.submit([ONE, ONE])
    assert length() - before == 4


def test_when_redis_falls_silent_one_waits_for_the_limit_and_the_next_is_refused_at_once(proxy):
    engine = DjangoQEngine()
    engine.submit([ONE])
    proxy.is_frozen = True
    began = time.monotonic()
    with pytest.raises(EngineUnavailable):
        engine.submit([ONE])
    assert 0.9 < time.monotonic() - began < 2.5
    with pytest.raises(EngineUnavailable, match="a moment ago"):
        engine.submit([ONE])
    assert time.monotonic() - began < 2.7
    proxy.is_frozen = False


def test_a_connection_that_was_lost_is_opened_again_and_the_message_sent(proxy):
    engine, before = DjangoQEngine(), length()
    engine.submit([ONE])
    for end in proxy.accepted:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    engine.submit([ONE])
    assert length() - before == 2


def test_threads_that_send_at_once_have_a_connection_each(proxy):
    engine, before = DjangoQEngine(), length()
    engine.submit([ONE])
    proxy.delay = 0.05
    threads = [threading.Thread(target=lambda: engine.submit([ONE])) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    wait_until(lambda: length() - before == 9, what="all are there")


@pytest.mark.parametrize(("own", "expected"), [(None, 1.0), (30, 1.0), (0.5, 0.5)])
def test_no_answer_is_waited_for_longer_than_the_limit_whatever_the_client_says(proxy, monkeypatch, own, expected):
    monkeypatch.setattr(Conf, "REDIS", {"host": "127.0.0.1", "port": proxy.port, "socket_timeout": own})
    broker = limited(redis_broker.Redis(default_queue()))
    assert broker.connection.connection_pool.connection_kwargs["socket_timeout"] == expected
