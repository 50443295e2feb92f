"""Rows about alerts, and schedulers that look."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import ENDED, Outcome, Status
from django_scheduled_tasks.models import AlertRule, Channel, Notice, frozen_at, read_now
from django_scheduled_tasks.services.alerts.deciding.watch import Watch
from tests.factories import make_execution

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
GOOD, BAD, MISSED = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.MISSED


def make_rule(*kinds, channels=None, **values):
    """Make a rule; without *kinds* of all. Without channels one with a channel of its own."""
    row = AlertRule.objects.create(name="rule", kinds=[str(kind) for kind in kinds or Kind], **values)
    row.channels.set([make_channel()] if channels is None else channels)
    return row


def make_channel(name="ops", kind="mail", address="ops@example.com", **values):
    return Channel.objects.create(name=name, kind=kind, address=address, **values)


def end(task, outcome, at=None, **values):
    """Record that an execution of *task* ended in this way."""
    status = Status.COMPLETED if outcome == GOOD else Status.ERRORS
    assert status in ENDED
    at = at or read_now()
    return make_execution(task, status=status, outcome=outcome, started_at=at, completed_at=at, **values)


@contextmanager
def later(amount):
    """Let the database's clock be so much later, and stand."""
    with frozen_at(read_now() + amount):
        yield


def looking():
    """Return a scheduler that has looked before, and found nothing."""
    watch = Watch()
    watch.look()
    return watch


def told():
    """Return what channels are told, in order."""
    rows = Notice.objects.order_by("pk").values_list("channel__name", "event", "number", "alert__kind")
    return [(channel, event, number, kind) for channel, event, number, kind in rows]
