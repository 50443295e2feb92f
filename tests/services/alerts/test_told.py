"""Who is told of a task, in sentences."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from django_scheduled_tasks.alerting import OF_TASK, Kind
from django_scheduled_tasks.models import AlertRule, read_now
from django_scheduled_tasks.services.alerts.telling.told import who_is_told
from tests.factories import make_task
from tests.services.alerts.help import BAD, GOOD, end, make_channel, make_rule

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def no_rules(db):
    AlertRule.objects.all().delete()


def said(task):
    return {(line.when, line.why, line.quiet): line.channels for line in who_is_told(task).lines}


def test_each_rule_says_when_it_tells_whom(django_assert_num_queries):
    ops, mail = make_channel("ops"), make_channel("mail")
    make_rule(Kind.FAILING, Kind.MISSED, channels=[ops], after=2)
    make_rule(Kind.FAILING, channels=[mail])
    make_rule(Kind.FAILING, channels=[mail, make_channel("off", enabled=False)], after=2)
    make_rule(
        Kind.TOO_LONG, Kind.MISSED, channels=[ops], quiet_from=time(22), quiet_until=time(7), tell_at_once=["missed"]
    )
    make_rule(Kind.FAILING, channels=[ops], scope="tag", tag="other")
    task = make_task()
    for _ in range(12):
        end(task, GOOD, read_now())
    with django_assert_num_queries(4):
        found = who_is_told(task)
    assert [(line.when, line.channels) for line in found.lines] == [
        ("Fails twice in a row", ["mail", "ops"]),
        ("Fails", ["mail"]),
        ("Is missed", ["ops"]),
        ("Runs for over 1m", ["ops"]),
    ]
    assert [line.quiet for line in found.lines] == ["", "", "", "quiet from 22:00 to 07:00"]
    assert (found.nobody, found.limit, found.usual) == ("", timedelta(minutes=1), timedelta(0))


def test_nobody_is_told_of_a_task_that_only_its_own_rules_tell_of_and_that_has_none():
    make_rule()
    task = make_task(own_rules_only=True)
    assert said(task) == {}
    assert who_is_told(task).nobody == "Nobody is told when this task fails."
    make_rule(Kind.FAILING, channels=[make_channel("its own")], scope="task", task=task, after=3)
    assert said(task) == {("Fails 3 times in a row", "", ""): ["its own"]}
    assert who_is_told(make_task()).nobody == ""


def test_what_each_kind_says_and_that_a_promise_that_was_not_made_is_not_told():
    make_rule(margin=timedelta(minutes=2))
    task = make_task()
    assert {line.kind for line in who_is_told(task).lines} == OF_TASK - {Kind.STALE, Kind.DEADLINE}
    end(task, BAD)
    task.must_succeed_every, task.must_finish_by, task.max_runtime = timedelta(hours=26), time(6), timedelta(seconds=90)
    assert [when for when, *_ in said(task)] == [
        "Fails",
        "Is missed",
        "Has not started 2m after it is due",
        "Runs for over 90s",
        "Has not succeeded for 26h",
        "Has not succeeded by 06:00",
        "Is paused by the system",
        "Cannot run",
    ]


def test_why_an_execution_counts_as_too_long():
    make_rule(Kind.TOO_LONG)
    task, now = make_task(), read_now()
    assert [when for when, *_ in said(task)] == [
        "Runs for much longer than usual, as soon as it has succeeded 10 times"
    ]
    for _ in range(12):
        row = end(task, GOOD, now)
        row.started_at = now - timedelta(seconds=48)
        row.save()
    assert list(said(task)) == [("Runs for over 2m24s", "3 × 48s; usually 48s", "")]
