"""Several schedulers that look, and several that send, at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress

import pytest
from django.db import connections

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import Alert, AlertRule, Notice
from django_scheduled_tasks.services.alerts.deciding import ends
from django_scheduled_tasks.services.alerts.deciding.watch import Watch
from django_scheduled_tasks.services.alerts.telling.outbox import take_due
from tests.factories import make_task
from tests.services.alerts.help import BAD, GOOD, end, make_rule

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
SCHEDULERS = 4


def at_once(act):
    """Let as many threads as there are schedulers do it at the same moment; return what each returns."""
    barrier, found = threading.Barrier(SCHEDULERS), []

    def work():
        try:
            barrier.wait(30)
            found.append(act())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(SCHEDULERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == SCHEDULERS, "none has failed"
    return found


def let_all_read_before_one_writes(monkeypatch):
    """Let those who read the history of a task wait for the others, unless a lock keeps these from it."""
    meeting, read = threading.Barrier(SCHEDULERS), ends._ends_of

    def read_together(task_id):
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.2)
        return read(task_id)

    monkeypatch.setattr(ends, "_ends_of", read_together)


def test_each_transition_is_told_once_and_each_notice_taken_by_one(monkeypatch):
    let_all_read_before_one_writes(monkeypatch)
    AlertRule.objects.all().delete()
    make_rule(Kind.FAILING)
    tasks = [make_task() for _ in range(4)]
    watches = [Watch() for _ in range(SCHEDULERS)]
    for watch in watches:
        watch.look()
    for outcomes in ([BAD, GOOD], [BAD, GOOD, BAD], [BAD]):
        for task in tasks:
            for outcome in outcomes:
                end(task, outcome)
        waiting = list(watches)
        at_once(lambda waiting=waiting: waiting.pop().look())
    transitions = Counter((alert.task, alert.is_open) for alert in Alert.objects.filter(kind=Kind.FAILING))
    assert transitions == {(task, is_open): 2 if not is_open else 1 for task in tasks for is_open in (True, False)}
    told = Counter(Notice.objects.values_list("event", flat=True))
    assert told == {"opened": 12, "closed": 8}
    parcels = [parcel for found in at_once(take_due) for parcel in found]
    # As a rule one takes all of them, for one digest; each is in one message, which one has taken, once.
    taken = [parcel.message.id for parcel in parcels]
    assert len(taken) == len(set(taken))
    assert set(Notice.objects.values_list("message", "tries")) == {(message, 1) for message in taken}
