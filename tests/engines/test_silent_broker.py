"""A Redis that accepts and never answers, and one that answers slowly: nobody stands still because of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django_q.brokers.redis_broker import Redis as RedisBroker
from django_q.conf import Conf
from rest_framework.test import APIClient

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, Presence, ScheduledTask
from django_scheduled_tasks.services.queries.health import answer as health
from django_scheduled_tasks.services.starting.run_once import run_once
from tests import profiles
from tests.api.conftest import ROOT
from tests.cluster import directed, scheduler, wait_until
from tests.factories import OPERATOR, make_execution, make_task, make_user
from tests.servers import Silent

pytestmark = [pytest.mark.every_broker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.stop()


@pytest.fixture
def here(silent, monkeypatch) -> Iterator[Silent]:
    """Let this process send to it."""
    with directed(settings={"ENGINE_TIMEOUT": 1}):
        monkeypatch.setattr(Conf, "ORM", None)
        monkeypatch.setattr(Conf, "REDIS", silent.url)
        # The queue is deleted at the end, which is not to be asked of this one.
        monkeypatch.setattr(RedisBroker, "delete_queue", lambda _self: None)
        yield silent


def trigger(task: ScheduledTask) -> float:
    """Start *task* over REST; return how many seconds that took."""
    client = APIClient()
    client.force_authenticate(make_user(*OPERATOR))
    began = time.monotonic()
    response = client.post(f"{ROOT}/tasks/{task.pk}/run-once/", {}, format="json")
    assert response.status_code == 202, response.content
    return time.monotonic() - began


def test_a_trigger_answers_within_the_limit_and_those_that_follow_at_once(here, caplog):
    task = make_task(overlap="allow")
    assert trigger(task) < 2.5
    assert trigger(task) < 0.5
    assert set(Execution.objects.values_list("status", "submissions")) == {(Status.PENDING, 0)}
    assert "did not take the message: it did not answer a moment ago" in caplog.text


@pytest.mark.redis
def test_so_it_does_if_each_answer_comes_slowly(monkeypatch):
    _, _, port = profiles.REDIS_URL.partition("://")[2].partition("/")[0].partition(":")
    slow = Silent(int(port or 6379), delay=0.7)
    with directed(settings={"ENGINE_TIMEOUT": 1}):
        monkeypatch.setattr(Conf, "ORM", None)
        monkeypatch.setattr(Conf, "REDIS", slow.url)
        task = make_task(overlap="allow")
        assert trigger(task) < 2.5  # connecting alone takes several answers
        slow.delay = 0.0
        wait_until(lambda: trigger(task) < 0.5 and Execution.objects.filter(submissions=1).exists(), what="it goes on")
        monkeypatch.undo()
    slow.stop()


def test_a_transaction_that_is_committed_is_not_held_up_for_longer(here):
    task = make_task(overlap="allow")
    began = time.monotonic()
    with transaction.atomic():
        for _ in range(3):
            run_once(task)
    assert time.monotonic() - began < 3


def test_health_says_what_cannot_be_sent():
    task = make_task()
    execution = make_execution(task, submissions=0)
    long_ago = execution.triggered_at - timedelta(minutes=1)
    assert "engine_unavailable" not in {problem.code for problem in health.examine().problems}
    Execution.objects.update(triggered_at=long_ago)
    (problem,) = [one for one in health.examine().problems if one.code == "engine_unavailable"]
    assert problem.details == {"tracking_ids": [str(execution.tracking_id)]}
    Execution.objects.update(submissions=1)
    assert "engine_unavailable" not in {problem.code for problem in health.examine().problems}


@pytest.mark.cluster
def test_a_scheduler_goes_on_planning_says_so_and_stops_when_asked(silent):
    q_cluster = {"orm": None, "redis": silent.url}
    with directed(), scheduler(settings={"ENGINE_TIMEOUT": 1}, q_cluster=q_cluster) as process:
        make_task(schedule_kind="cron", expression="* * * * * *", overlap="allow")
        wait_until(lambda: Execution.objects.count() >= 6, what="it plans", timeout=40)
        wait_until(lambda: "The engine is not available" in process.text(), what="it says so")
        rows = list(Execution.objects.order_by("id"))
        late = [row.triggered_at - row.scheduled_for for row in rows if row.scheduled_for]
        assert sorted(late)[len(late) // 2] < timedelta(seconds=1), late
        began = time.monotonic()
        process.popen.terminate()
        assert process.popen.wait(20) == 0, process.text()
        assert time.monotonic() - began < 10
        assert "Scheduler has stopped" in process.text()
    assert not Presence.objects.alive().filter(pid=process.pid).exists()
    assert not Execution.objects.exclude(submissions=0).exists(), "what was not sent is marked for other schedulers"
