"""Holds: nothing new of what they are for starts, and afterwards it is as after a downtime."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from django_scheduled_tasks.exceptions import HoldEnded, HoldNotFound, InvalidInput
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.scheduler.tick import Done, tick
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.health import answer as health
from django_scheduled_tasks.services.queries.holds import concerns, holding, lasting, still_running, tasks_of
from django_scheduled_tasks.services.running import mutex
from django_scheduled_tasks.services.running.claim import take
from django_scheduled_tasks.services.scheduling import prefetch, recovery
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.holds import change_hold, hold, release
from django_scheduled_tasks.store.holds import held_tasks
from django_scheduled_tasks.store.reading.outlook import look
from tests.database import connection
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOURLY = {"schedule_kind": "cron", "expression": "0 * * * *"}
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def taken(execution: Execution) -> bool:
    return take(str(execution.tracking_id))[1]


def test_sql_and_python_agree_about_what_is_held():
    # "mai_" and "mail": an underscore is no wildcard; "mail" is no part of "email".
    tags = ["mail", "mai_", "email"]
    tasks = [
        make_task(queue=queue, tags=words)
        for queue, words in itertools.product(["", "reports"], [[], ["mail"], ["mai_", "night"], ["email", "a.b:c-d"]])
    ]
    holds = [hold("queue", queue=queue, reason="x") for queue in ("", "reports", "other")]
    holds += [hold("tag", tag=tag, reason="x") for tag in tags]
    holds += [hold("task", task=tasks[3], reason="x"), hold(reason="x")]
    Hold.objects.update(ended_at=read_now())
    for one in holds:
        Hold.objects.filter(pk=one.pk).update(ended_at=None)
        expected = {task.pk for task in tasks if concerns(one, task)}
        assert set(ScheduledTask.objects.filter(pk__in=held_tasks()).values_list("pk", flat=True)) == expected, one
        assert {task.pk for task in tasks_of(one)} == expected
        assert overview.count_tasks().held == len(expected)
        assert (one.scope == "queue" and one.queue == "other") or expected
        Hold.objects.filter(pk=one.pk).update(ended_at=read_now())
    assert not ScheduledTask.objects.filter(pk__in=held_tasks()).exists()


@pytest.mark.parametrize("scope", ["all", "queue", "tag", "task"])
def test_nothing_new_starts_and_the_release_lets_it(engine, scope):
    task = make_task(queue="reports", tags=["mail"], overlap="allow")
    other = make_execution(make_task(queue="other"))
    given = {"queue": {"queue": "reports"}, "tag": {"tag": "Mail"}, "task": {"task": task}}.get(scope, {})
    row = hold(scope, **given, reason="deploy", user=make_user(name="anna"))
    assert [(one.pk, one.created_by.get_username()) for one in lasting()] == [(row.pk, "anna")]
    waiting = run_once(task).execution
    assert Execution.objects.get(pk=waiting.pk).status == Status.PENDING
    assert not taken(waiting)
    assert taken(other) == (scope != "all")
    assert Execution.objects.get(pk=waiting.pk).status == Status.PENDING
    release(row)
    assert not lasting().exists()
    assert taken(waiting)


def test_what_was_deleted_is_held_with_everything_only():
    orphan = make_execution(make_task())
    Execution.objects.update(task=None)
    row = hold("queue", queue="", reason="x")
    assert taken(orphan)
    Execution.objects.update(status=Status.PENDING, lease_until=None, exclusive_key=None)
    release(row)
    hold(reason="x")
    assert not taken(orphan)


def test_one_that_runs_goes_on_and_is_named(engine):
    task = make_task()
    running = make_execution(task, status=Status.PROCESSING, worker_host="worker-1")
    row = hold("task", task=task, reason="deploy")
    assert [(one.number, one.task, one.worker) for one in still_running(row)] == [(running.pk, task.name, "worker-1")]
    assert Execution.objects.get().status == Status.PROCESSING
    assert not still_running(hold("tag", tag="other", reason="x"))


def test_a_held_schedule_stands_as_in_a_downtime_and_catches_up_at_the_release(engine):
    task = make_task(**HOURLY)
    due = task.next_run_at
    row = hold(reason="postgres upgrade")
    with frozen_at(due + 2 * HOUR + MINUTE):
        outlook = look()
        assert (outlook.next_run_at, outlook.next_at()) == (None, None)  # the loop does not spin over it
        assert not tick(outlook)
        assert ScheduledTask.objects.get(pk=task.pk).next_run_at == due
        release(row)
        assert look().next_run_at == due
        assert tick().tasks == 1
    rows = Execution.objects.order_by("scheduled_for")
    assert [(one.scheduled_for, one.outcome or one.status) for one in rows] == [
        (due, Outcome.MISSED),
        (due + HOUR, Outcome.MISSED),
        (due + 2 * HOUR, Status.PENDING),
    ]


def test_the_scheduler_wakes_at_the_end_of_a_hold(engine):
    task = make_task(**HOURLY)
    due, until = task.next_run_at, task.next_run_at + timedelta(minutes=5, milliseconds=250)
    row = hold(reason="x", until=until)
    asked = run_once(make_task()).execution
    with frozen_at(due):
        assert look().next_at() in {until, Execution.objects.get(pk=asked.pk).send_at}
        assert look().hold_until == until
    with frozen_at(until - timedelta(milliseconds=1)):
        tick()  # what it looks at meanwhile is not sent
        assert not engine.submitted
    with frozen_at(until):
        assert tick(replace(look(), next_run_at=None)) == Done(released=1)  # as the loop does that slept until then
        assert look().hold_until is None
        done = tick()
    assert (done.tasks, done.sent) == (1, 1)
    row.refresh_from_db()
    assert row.ended_at == until
    assert Execution.objects.get(trigger=Trigger.SCHEDULE).scheduled_for == due


def test_what_waits_is_neither_sent_nor_missed_by_the_health_check(engine, django_capture_on_commit_callbacks):
    hold(reason="x")
    with django_capture_on_commit_callbacks(execute=True):
        waiting = run_once(make_task()).execution
        ScheduledTask.objects.update(next_run_at=waiting.triggered_at)
    engine.submitted.clear()
    later = waiting.triggered_at + 3 * HOUR
    with frozen_at(later), django_capture_on_commit_callbacks(execute=True):
        assert recovery.send_pending(limit=5) == 1
        assert recovery.send_pending(limit=5) == 0  # it is not looked at again at once
        assert recovery.send_lost(limit=5) == 0
        assert [one.code for one in health.examine().problems] == ["no_scheduler"]
    assert not engine.submitted


def test_what_waits_too_long_expires_meanwhile(engine):
    hold(reason="x")
    waiting = run_once(make_task(expires_after=timedelta(minutes=5))).execution
    with frozen_at(waiting.triggered_at + timedelta(minutes=2)):
        recovery.send_pending(limit=5)
    with frozen_at(waiting.triggered_at + timedelta(minutes=5)):
        assert look().send_at <= waiting.expires_at
        recovery.send_pending(limit=5)
    assert Execution.objects.get().outcome == Outcome.EXPIRED


def test_the_release_sends_what_waits_unless_another_hold_lasts(engine, django_capture_on_commit_callbacks):
    task, other = make_task(tags=["mail"]), make_task()
    everything, _mail = hold(reason="x"), hold("tag", tag="mail", reason="y")
    now = read_now()
    with django_capture_on_commit_callbacks(execute=True):
        run_once(task)
        free = run_once(other).execution
        later = run_once(make_task(), not_before=now + HOUR).execution
    engine.submitted.clear()
    with django_capture_on_commit_callbacks(execute=True):
        release(everything)
    with django_capture_on_commit_callbacks(execute=True):
        tick()
    assert [one.tracking_id for one in engine.submitted] == [free.tracking_id]
    assert Execution.objects.get(pk=later.pk).send_at == later.not_before


def test_a_held_waiter_does_not_stand_before_one_of_another_task(engine):
    one, other = (make_task(concurrency_group="db") for _number in range(2))
    make_execution(one, lock_key="group:db")
    second = make_execution(other, lock_key="group:db")
    hold("task", task=one, reason="x")
    mutex.start_waiters("group:db")
    assert [item.tracking_id for item in engine.submitted] == [second.tracking_id]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL prefetches")
@pytest.mark.django_db(transaction=True)
def test_a_hold_between_prefetch_and_due_instant_wins(engine):
    task = make_task(**HOURLY, overlap="allow")
    with frozen_at(task.next_run_at - SECOND):
        ready = prefetch.prefetch(task.next_run_at)
        assert len(ready.ready) == 1
        row = hold(reason="x")
        assert prefetch.prefetch(task.next_run_at).ready == []
        assert not prefetch.are_many(task.next_run_at)
    with frozen_at(task.next_run_at):
        assert prefetch.record(ready) == []
        release(row)
        assert len(prefetch.record(ready)) == 1


def test_the_one_that_lasts_longest_is_named(engine):
    task, now = make_task(), read_now()
    short = hold(reason="short", until=now + HOUR)
    long = hold(reason="long", until=now + 2 * HOUR)
    assert holding(task, [short, long]) == long
    endless = hold("task", task=task, reason="endless")
    assert holding(task, lasting()) == endless
    assert holding(make_task(), [endless]) is None


def test_a_hold_is_changed_and_released_once(engine):
    row = hold(reason="x")
    until = read_now() + HOUR
    assert change_hold(row, reason=" longer ", until=until).until == until
    assert lasting().get().reason == "longer"
    release(row, user=make_user(name="ben"))
    row.refresh_from_db()
    assert row.ended_by.get_username() == "ben"
    with pytest.raises(HoldEnded):
        release(row)
    with pytest.raises(HoldEnded):
        change_hold(row, reason="x", until=None)
    row.delete()
    with pytest.raises(HoldNotFound):
        release(Hold(pk=123456))


def test_of_two_who_change_a_hold_at_the_same_time_neither_undoes_what_the_other_did():
    row, until = hold(reason="deploy"), read_now() + HOUR
    stale = Hold.objects.get()
    change_hold(row, until=until)
    changed = change_hold(stale, reason="upgrade")
    assert (changed.reason, changed.until) == ("upgrade", until)
    assert change_hold(stale, until=None).reason == "upgrade"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"scope": "team"}, {"scope"}),
        ({"scope": "tag"}, {"tag"}),
        ({"scope": "tag", "tag": "a,b"}, {"tag"}),
        ({"scope": "task"}, {"task"}),
        ({"scope": "all", "tag": "mail"}, {"tag"}),
        ({"scope": "queue", "queue": "q" * 101}, {"queue"}),
        ({"scope": "queue", "queue": "q\r\n2026-12-01 00:00:00 ERROR not ours"}, {"queue"}),
        ({"reason": " "}, {"reason"}),
        ({"reason": "x" * 501}, {"reason"}),
        ({"until": timedelta(0)}, {"until"}),
    ],
)
def test_what_is_wrong_with_a_hold_is_said(given, wrong):
    if "until" in given:
        given = {"until": read_now() - SECOND}
    with pytest.raises(InvalidInput) as raised:
        hold(**{"reason": "x", **given})
    assert {error.field for error in raised.value.errors} == wrong
    assert not Hold.objects.exists()
