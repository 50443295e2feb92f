"""Which tasks need attention: the rule, and what it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import PauseCode
from django_scheduled_tasks.models import Alert, AlertRule, ScheduledTask, read_now
from django_scheduled_tasks.services.alerts.edit import acknowledge, close, silence, unacknowledge
from django_scheduled_tasks.services.queries import overview
from tests.database import KEEPS_JIT_AWAY
from tests.factories import make_task
from tests.services.alerts.help import BAD, GOOD, MISSED, end, later, looking, make_rule

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def needing():
    rows = overview.with_state(ScheduledTask.objects.all()).filter(overview.needs_attention())
    found = sorted(rows.values_list("name", flat=True))
    assert overview.count_tasks().needs_attention == len(found)
    return found


def test_what_failed_was_missed_is_late_or_broken_until_somebody_acknowledges_it():
    watch = looking()
    failed, missed, fine = (make_task(name=name) for name in ("failed", "missed", "fine"))
    late = make_task(name="late", schedule_kind="cron", expression="0 * * * *")
    broken = make_task(name="broken")
    for task, outcome in ((failed, BAD), (missed, MISSED), (fine, BAD), (fine, GOOD)):
        end(task, outcome)
    ScheduledTask.objects.filter(pk=late.pk).update(next_run_at=read_now() - timedelta(hours=1))
    now = read_now()
    ScheduledTask.objects.filter(pk=broken.pk).update(paused_at=now, pause_code=PauseCode.UNKNOWN_FUNCTION)
    assert needing() == ["broken", "failed", "late"], "before a scheduler has looked"
    watch._slow_at = float("-inf")
    watch.look()
    assert needing() == ["broken", "failed", "late", "missed"]
    for alert in Alert.objects.open():
        acknowledge(alert)
    assert needing() == []
    unacknowledge(Alert.objects.get(kind=Kind.MISSED))
    assert needing() == ["missed"]
    silence(Alert.objects.get(kind=Kind.MISSED), until=read_now() + timedelta(minutes=5))
    assert needing() == []
    with later(timedelta(minutes=6)):
        assert needing() == ["missed"]


def test_a_failure_that_no_rule_tells_of_yet_counts_and_one_that_somebody_has_closed_does_not():
    AlertRule.objects.all().delete()
    make_rule(Kind.FAILING, after=2)
    watch, task = looking(), make_task(name="task")
    end(task, BAD)
    watch.look()
    assert not Alert.objects.exists()
    assert needing() == ["task"]
    end(task, BAD)
    watch.look()
    close(Alert.objects.get())
    assert needing() == []
    end(task, BAD)
    watch.look()
    assert needing() == ["task"]
    assert not Alert.objects.open().exists(), "it counts anew"


def test_it_is_one_statement(django_assert_num_queries):
    overview.count_tasks()
    with django_assert_num_queries(1 + KEEPS_JIT_AWAY):
        overview.count_tasks()
