"""Schedulers are killed while tasks fail and succeed: each transition of the ledger is told once, whoever dies."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connections

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Alert, AlertRule, Channel, Execution, Notice, frozen_at, read_now
from django_scheduled_tasks.scheduler import upkeep
from django_scheduled_tasks.scheduler.upkeep import Upkeep
from django_scheduled_tasks.services.alerts.deciding import watch
from django_scheduled_tasks.services.alerts.telling import outbox, sender
from tests import selection
from tests.alerting import model
from tests.factories import make_task
from tests.services.alerts.help import BAD, GOOD, end, make_rule
from tests.services.alerts.receivers import Server

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
SECONDS = 30.0 if selection.IS_NIGHTLY else 2.5
SCHEDULERS, TASKS, ENDS_OF_EACH = 3, 12, 12


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    """Look and send all the time, one notice a message, to a server on this machine."""
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {
        "ALERT_NETWORKS": ("127.0.0.0/8",),
        "PRESENCE_INTERVAL": timedelta(seconds=1),
    }
    monkeypatch.setattr(upkeep, "WATCH_INTERVAL", 0.02)
    monkeypatch.setattr(watch, "SLOW_INTERVAL", 0.2)
    monkeypatch.setattr(outbox, "DIGEST_FROM", 10_000)
    AlertRule.objects.all().delete()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def make_hook(server, name="hook"):
    address = f"http://127.0.0.1:{server.port}/"
    return Channel.objects.create(name=name, kind="webhook", address=address)


def fork(act) -> int:
    """Let *act* run in a process of its own; return its id."""
    connections.close_all()
    child = os.fork()
    if child:
        return child
    try:
        act()
    finally:
        os._exit(1)


def schedule():
    """Do what a scheduler does beside its planning, until somebody kills this process."""
    one = Upkeep()
    while True:
        one.do_due()
        time.sleep(0.01)


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@contextmanager
def schedulers():
    """Yield the process ids of schedulers, which the block may replace."""
    children = [fork(schedule) for _ in range(SCHEDULERS)]
    try:
        yield children
    finally:
        for child in children:
            kill(child)


def settle() -> None:
    """Let one scheduler do what is left; what others had taken is due again only when their time is over."""
    for hours in (0, 1):
        with frozen_at(read_now() + timedelta(hours=hours)):
            one = Upkeep()
            one._watch.look()
            while Notice.objects.filter(next_try_at__lte=read_now()).exists():
                one._sender.send_due()
                one.close(5)


def messages(server) -> Counter[str]:
    return Counter(headers.get("webhook-id") or headers["Webhook-Id"] for _line, headers, _body in server.requests)


def expected(task, after, closes_after):
    """What the ledger implies, as the independent model reads it."""
    rows = Execution.objects.filter(task=task).order_by("completed_at", "id")
    ends = [model.End(row.completed_at, row.pk, Outcome(row.outcome)) for row in rows]
    return model.history(model.FAILED, ends, after, closes_after)


def recorded(task):
    found = []
    for alert in Alert.objects.filter(task=task, kind=Kind.FAILING).order_by("id"):
        found.append(("opened", alert.opened_at))
        if not alert.is_open:
            found.append(("closed", alert.closed_at))
    return found


@pytest.mark.timeout(120)
def test_each_transition_of_the_ledger_is_one_step_and_one_notice_whoever_is_killed(server):
    after, closes_after = 2, 2
    make_rule(
        Kind.FAILING, after=after, closes_after=closes_after, channels=[make_hook(server), make_hook(server, "b")]
    )
    rng, killed, ended = random.Random(7), 0, 0
    tasks = [make_task() for _ in range(TASKS)]
    with schedulers() as children:
        deadline = time.monotonic() + SECONDS
        # However slow the machine is, so much has to have happened.
        while time.monotonic() < deadline or ended < ENDS_OF_EACH * TASKS or killed < SECONDS:
            for _ in range(rng.randrange(4)):
                end(rng.choice(tasks), rng.choice([BAD, BAD, GOOD]))
                ended += 1
            if rng.random() < 0.3:
                place = rng.randrange(SCHEDULERS)
                kill(children[place])
                children[place] = fork(schedule)
                killed += 1
            time.sleep(0.02)
    settle()
    transitions = 0
    for task in tasks:
        steps = [(event, at) for event, at, _number in expected(task, after, closes_after)]
        assert recorded(task) == steps
        transitions += len(steps)
    assert transitions >= TASKS
    told = Counter(Notice.objects.values_list("alert", "channel", "event"))
    assert set(told.values()) == {1}
    assert len(told) == 2 * transitions
    assert not Notice.objects.filter(sent_at=None).exists()
    sent = messages(server)
    assert set(sent) == set(Notice.objects.values_list("message", flat=True)), (
        "none is lost, none is told by another id"
    )


def test_who_is_killed_between_sending_and_recording_leaves_the_same_message_to_be_sent_again(server, monkeypatch):
    make_rule(Kind.FAILING, channels=[make_hook(server)])
    end(make_task(), BAD)
    with monkeypatch.context() as patched:
        patched.setattr(sender, "write_answer", lambda _answer: time.sleep(60))
        child = fork(schedule)
        deadline = time.monotonic() + 10
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        kill(child)
    notice = Notice.objects.get()
    assert (notice.tries, notice.sent_at, len(server.requests)) == (1, None, 1)
    settle()
    notice.refresh_from_db()
    assert (notice.tries, notice.sent_at is not None) == (2, True)
    (first, second) = [headers for _line, headers, _body in server.requests]
    for name in ("webhook-id", "Idempotency-Key"):
        assert first[name] == second[name] == notice.message
