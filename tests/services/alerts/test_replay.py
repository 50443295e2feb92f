"""What a rule would have told, from the ledger, next to what it tells."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import Alert, AlertRule, Execution, Notice, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.services.alerts.deciding import replay as module
from django_scheduled_tasks.services.alerts.deciding.replay import replay
from tests.database import connection
from tests.factories import make_task
from tests.rows_read import rows_read
from tests.services.alerts.help import BAD, GOOD, MISSED, end, later, looking, make_rule

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def past(task, letters, *, days=5):
    """Record an execution of *task* for each letter, an hour apart."""
    start = read_now() - days * DAY
    for number, letter in enumerate(letters):
        at = start + number * HOUR
        end(task, {"x": BAD, "s": GOOD, "m": MISSED}[letter], at, triggered_at=at)


def rule(*kinds, **values):
    return AlertRule(name="new", kinds=[str(kind) for kind in kinds], **values)


def test_what_a_rule_would_have_told_is_what_it_tells():
    AlertRule.objects.all().delete()
    letters, task, watch = "sxsxxsmxxxs", make_task(name="digest"), looking()
    stored = make_rule(Kind.FAILING, Kind.MISSED, after=2)
    for number, letter in enumerate(letters):
        with later(number * timedelta(seconds=20)):
            end(task, {"x": BAD, "s": GOOD, "m": MISSED}[letter])
            watch.look()
    with later(HOUR):
        found = replay(stored)
    told = Notice.objects.filter(event="opened").order_by("alert__opened_at").values_list("alert__kind", "alert__count")
    assert [(str(one.kind), one.count) for one in found.told] == list(told)
    assert [one.words for one in found.told] == ["digest (2 in a row)", "digest (missed)", "digest (3 in a row)"]
    assert (found.failures, found.runs, found.tasks, sum(day.failures for day in found.days)) == (7, 10, 1, 7)
    assert sum(day.told for day in found.days) == 3
    assert found.headline == "Would have told you 3 times in the last 30 days"
    assert found.comparison == "At once instead of after 2: 3 times"
    assert Alert.objects.filter(kind=Kind.FAILING).count() == 2


def test_a_rule_for_a_tag_or_a_task_and_one_of_which_nothing_can_be_said():
    past(make_task(tags=["night"]), "sxxs")
    mine, own = make_task(name="mine"), make_task(own_rules_only=True)
    past(mine, "sxs")
    past(own, "sxs")
    assert [
        len(replay(rule(Kind.FAILING, **scope)).told)
        for scope in (
            {"scope": "all"},
            {"scope": "tag", "tag": "night"},
            {"scope": "task", "task": own},
            {"scope": "task"},
        )
    ] == [2, 1, 1, 0]
    seen = replay(rule(Kind.FAILING), tasks=ScheduledTask.objects.filter(pk=mine.pk))
    assert ([one.task_name for one in seen.told], seen.tasks) == (["mine"], 1)
    assert seen.comparison == "After 2 instead of at once: 0 times"
    late = replay(rule(Kind.LATE))
    assert (late.headline, late.comparison) == ("Would not have told you in the last 30 days", "")
    assert late.kinds == {Kind.LATE}
    assert late.history == 6


def test_what_opens_in_quiet_hours_and_is_over_by_their_end_would_not_have_been_told():
    task = make_task()
    at = (read_now() - 2 * DAY).replace(hour=2, minute=0, second=0, microsecond=0)
    end(task, BAD, at)
    end(task, GOOD, at + HOUR)
    end(task, BAD, at + DAY)
    end(task, GOOD, at + DAY + 7 * HOUR)
    quiet = {"quiet_from": time(22), "quiet_until": time(7)}
    (told,) = replay(rule(Kind.FAILING, **quiet)).told
    assert told.at == (at + DAY).replace(hour=7)
    assert len(replay(rule(Kind.FAILING, tell_at_once=["failing"], **quiet)).told) == 2


def test_it_reads_a_bounded_part_in_as_many_statements_for_many_tasks_and_says_so(monkeypatch):
    past(make_task(), "sxs")
    counts = []
    for number in (1, 8):
        for _ in range(number):
            past(make_task(), "sxxs")
        with CaptureQueriesContext(connections[write_alias()]) as found:
            last = replay(rule(Kind.FAILING), now=read_now())
        counts.append(len(found))
    assert counts[0] == counts[1] <= 7
    assert (len(last.told), last.is_cut) == (10, False)
    monkeypatch.setattr(module, "MOST_TASKS", 3)
    last = replay(rule(Kind.FAILING))
    assert (len(last.told), last.is_cut) == (3, True)


def test_without_any_history(db):
    found = replay(rule(Kind.FAILING, after=3))
    assert (found.history, found.runs, found.told, len(found.days)) == (0, 0, [], 30)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="counts by EXPLAIN")
def test_of_tasks_that_never_fail_it_reads_what_it_counts_and_no_more(monkeypatch):
    monkeypatch.setattr(module, "MOST_COUNTED", 100)
    common, rare, now = make_task(), make_task(), read_now()
    past(rare, "sxs")
    columns = {"task_name": "x", "function": "testapp.noop", "trigger": "api", "status": "completed"}
    rows = [
        Execution(task=common, outcome=GOOD, triggered_at=now, started_at=now, completed_at=now, **columns)
        for _ in range(5_000)
    ]
    Execution.objects.bulk_create(rows, batch_size=1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_scheduled_tasks_execution")
    found = rule(Kind.FAILING)
    assert rows_read(lambda: replay(found)) <= 200
