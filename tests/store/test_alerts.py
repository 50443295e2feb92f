"""What one look at the database says of alerts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connections

from django_scheduled_tasks.db.connections.cursor import binding_cursor
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Alert, Presence, PresenceKind, ScheduledTask, read_now
from django_scheduled_tasks.services.tasks.holds import hold
from django_scheduled_tasks.store.alerts import SIGNS, last_successes, read_signs
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_signs_of_what_may_be_wrong_and_what_ended_badly():
    now = read_now()
    signs = read_signs(now, limit=9)
    assert (signs.due_at, signs.ready_since, signs.runs_since, signs.worker_seen_at) == (None, None, None, None)
    assert (signs.open_alerts, signs.notice_at, list(signs.bad_ends)) == (0, None, [])
    assert abs(signs.now - now) < timedelta(minutes=1)
    task = make_task(schedule_kind="cron", expression="0 * * * *")
    held = make_task(schedule_kind="cron", expression="0 * * * *", tags=["off"])
    ScheduledTask.objects.filter(pk=task.pk).update(next_run_at=now)
    ScheduledTask.objects.filter(pk=held.pk).update(next_run_at=now - timedelta(hours=1))
    hold("tag", tag="off", reason="x")
    make_execution(task, triggered_at=now - timedelta(hours=2), not_before=now + timedelta(hours=1))
    waits = make_execution(task, triggered_at=now - timedelta(hours=1))
    runs = make_execution(task, status=Status.PROCESSING)
    Presence.objects.create(kind=PresenceKind.WORKER, identity="w", host="w", started_at=now, last_seen_at=now)
    Alert.objects.create(kind="late", opened_at=now, open_key="x")
    bad = []
    for number, outcome in enumerate([*Outcome, Outcome.FAILED]):
        status = Status.COMPLETED if outcome == Outcome.SUCCEEDED else Status.ERRORS
        row = make_execution(task, status=status, outcome=outcome, completed_at=now + number * timedelta(seconds=1))
        if outcome in {"failed", "timed_out", "worker_lost", "missed"}:
            bad.append(row)
    signs = read_signs(now, limit=9)
    assert (signs.due_at, signs.ready_since, signs.runs_since) == (now, waits.triggered_at, runs.started_at)
    assert (signs.worker_seen_at, signs.open_alerts) == (now, 1)
    assert [(end.number, end.task_id, end.at) for end in signs.bad_ends] == [
        (row.pk, task.pk, row.completed_at) for row in bad
    ]
    assert [end.number for end in read_signs(bad[2].completed_at, limit=1).bad_ends] == [bad[2].pk]


def test_bad_ends_are_found_by_their_own_index():
    with binding_cursor(connections[ALIAS]) as cursor:
        explained = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{explained} {SIGNS.sql()}", SIGNS.parameters(since=read_now(), limit=9))
        assert "dst_exec_bad_end" in str(cursor.fetchall())


def test_the_last_success_of_each_task_that_has_one():
    assert last_successes([]) == {}
    with_one, without = make_task(), make_task()
    make_execution(with_one, status=Status.COMPLETED, completed_at=read_now() - timedelta(hours=1))
    newest = make_execution(with_one, status=Status.COMPLETED)
    for task in (with_one, without):
        make_execution(task, status=Status.ERRORS)
    assert last_successes([without.pk, with_one.pk]) == {with_one.pk: newest.completed_at}
