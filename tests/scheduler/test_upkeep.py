"""What a scheduler does beside starting tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.core import mail
from django.db import transaction

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import NO_END, Execution, Notice, Presence, Total, Uncounted
from django_scheduled_tasks.scheduler import counting
from django_scheduled_tasks.scheduler import loop as loop_module
from django_scheduled_tasks.scheduler import upkeep as module
from django_scheduled_tasks.scheduler.loop import Loop
from django_scheduled_tasks.scheduler.upkeep import Upkeep
from django_scheduled_tasks.services.scheduling.rollup import Step
from django_scheduled_tasks.services.tasks.broken import Resumed
from django_scheduled_tasks.services.tasks.sync import SyncResult
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task
from tests.services.alerts.help import BAD, end, make_rule

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNS = SimpleNamespace(newest_id=5, runs_since=None, ready_since=None)
END = {"status": "completed", "outcome": "succeeded", "completed_at": NOON, "lease_until": None}


def test_a_walk_of_pruning_that_takes_longer_than_its_interval_comes_to_its_end(monkeypatch):
    walks = []

    def steps():
        walks.append([])
        for number in range(5):
            walks[-1].append(number)
            yield "task", 1

    monkeypatch.setattr(module, "prune_steps", steps)
    upkeep = Upkeep()
    for _ in range(12):
        upkeep._pruned_at = float("-inf")  # as if the interval were over
        upkeep.do_due()
        upkeep.do_batch(time_left=1.0)
    assert walks == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


def test_it_says_outside_once_a_minute_that_it_is_alive(monkeypatch):
    said = []
    monkeypatch.setattr(module.monitors, "scheduler_is_alive", lambda: said.append(1))
    upkeep = Upkeep()
    upkeep.do_due()
    upkeep.do_due()
    assert len(said) == 1
    upkeep._pinged_at -= module.PING_INTERVAL
    upkeep.do_due()
    assert len(said) == 2


def test_a_batch_of_pruning_that_fails_does_not_end_pruning(monkeypatch):
    def steps():
        yield "task", 1
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "prune_steps", steps)
    upkeep = Upkeep()
    upkeep.do_due()
    assert upkeep.do_batch(time_left=1.0)
    with pytest.raises(RuntimeError):
        upkeep.do_batch(time_left=1.0)
    upkeep._pruned_at = float("-inf")
    upkeep.do_due()
    assert upkeep.do_batch(time_left=1.0)


def test_of_pruning_there_is_no_batch_while_something_is_due_soon(monkeypatch):
    monkeypatch.setattr(module, "prune_steps", lambda: iter([("task", 1)] * 3))
    upkeep = Upkeep()
    assert not upkeep.do_batch(time_left=60), "it has not begun"
    upkeep.do_due()
    assert not upkeep.do_batch(time_left=module.TIME_TO_PRUNE)
    assert upkeep.do_batch(time_left=60)
    upkeep._batch_at -= module.LONGEST_WITHOUT_PRUNING
    assert upkeep.do_batch(time_left=0)


def test_what_was_done_a_moment_ago_is_not_done_again(monkeypatch):
    searches = []
    monkeypatch.setattr(module.recovery, "send_lost", lambda *, limit: searches.append(limit))
    upkeep = Upkeep()
    upkeep.do_due()
    seen = Presence.objects.get().last_seen_at
    upkeep.do_due()
    assert len(searches) == 1
    assert Presence.objects.get().last_seen_at == seen


def test_nothing_is_lost_while_nothing_is_pending(monkeypatch):
    searches = []
    monkeypatch.setattr(module.recovery, "send_lost", lambda *, limit: searches.append(limit))
    upkeep = Upkeep()
    upkeep.do_due(is_anything_pending=False)
    assert not searches
    upkeep.do_due(is_anything_pending=True)
    assert len(searches) == 1


def test_what_is_due_a_moment_after_a_pass_does_not_wait_for_the_next(monkeypatch):
    searches, seen = [], []
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(module.recovery, "send_lost", lambda *, limit: searches.append(clock.now))
    monkeypatch.setattr(module.presence, "seen", lambda _kind: seen.append(clock.now))
    upkeep = Upkeep()
    for moment in (1000.004, 1005.0, 1010.001, 1013.0, 1020.0):
        clock.now = moment
        upkeep.do_due()
        assert upkeep.next_at() == seen[-1] + 10
    assert seen == [1000.004, 1010.001, 1020.0]
    assert searches == [1000.004, 1005.0, 1010.001, 1020.0]


# --- releases -----------------------------------------------------------------------------------------------------


def test_broken_tasks_are_looked_at_at_once_then_often_while_there_are_some(monkeypatch):
    looks = []
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    found = Resumed(still_broken=1)
    monkeypatch.setattr(module, "resume_known", lambda: looks.append(clock.now) or found)
    upkeep = Upkeep()
    for _ in range(60):
        upkeep.do_due()
        clock.now += 1
    assert looks == [1000, 1020, 1040]
    found.still_broken = 0
    for _ in range(140):
        upkeep.do_due()
        clock.now += 1
    assert looks[3:] == [1060, 1120, 1180], "within a minute"


def test_a_sync_that_had_to_leave_something_is_made_again_until_it_need_not(monkeypatch):
    syncs = []
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    upkeep = Upkeep(lambda: syncs.append(clock.now))
    for second in range(100):
        upkeep.sync_again = second < 50
        upkeep.do_due()
        clock.now += 1
    assert syncs == [1020, 1040]


def test_the_loop_says_whether_its_sync_is_done(monkeypatch):
    result = SyncResult(postponed=["nightly"])
    monkeypatch.setattr(loop_module, "sync_declared_tasks", lambda: result)
    loop = Loop()
    loop.sync()
    assert loop._upkeep.sync_again
    result.postponed.clear()
    loop._upkeep._sync()
    assert not loop._upkeep.sync_again


def test_what_fails_is_seen_and_told_beside_the_scheduler_s_work():
    make_rule(Kind.FAILING)
    end(make_task(name="digest"), BAD)
    upkeep = Upkeep()
    upkeep.do_due()
    upkeep.close(within=30)
    assert "Failing: digest" in mail.outbox[0].subject
    assert Notice.objects.filter(alert__task_name="digest", channel__name="ops").get().sent_at is not None


# --- counting -----------------------------------------------------------------------------------------------------


def test_what_has_ended_is_counted_and_while_nothing_happens_nothing_is_asked(monkeypatch):
    steps, clock = [], SimpleNamespace(now=1000.0)
    step = counting.count_step
    monkeypatch.setattr(counting, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(counting, "count_step", lambda: steps.append(clock.now) or step())
    upkeep = Upkeep()

    def look_and_count() -> int:
        clock.now += 10
        upkeep._watched_at = float("-inf")
        upkeep.do_due()
        while upkeep.do_batch(time_left=60):
            pass
        return sum(total.succeeded for total in Total.objects.all())

    ended = {"status": "completed"}
    running = make_execution(status="processing")
    make_execution(running.task, **ended)
    assert look_and_count() == 1
    make_execution(running.task, **ended)
    assert look_and_count() == 2, "what is new is seen by its id"
    Execution.objects.filter(pk=running.pk).update(**END)
    look_and_count()  # nothing is open any more, and nothing new: what was passed by has time
    clock.now += counting.RANGES_INTERVAL
    assert look_and_count() == 3
    Uncounted.objects.exclude(pk=NO_END).delete()
    clock.now += counting.RANGES_INTERVAL
    look_and_count()
    done = len(steps)
    clock.now += 10 * counting.RANGES_INTERVAL
    assert look_and_count() == 3
    assert len(steps) == done


def test_under_load_a_batch_is_counted_all_the_same(monkeypatch):
    monkeypatch.setattr(counting, "count_step", lambda: Step(5, is_all=False, next_id=9, has_ranges=False))
    found = counting.Counting()
    found.look(SIGNS)
    assert found.step(has_time=False)
    assert not found.step(has_time=False), "not at each pass"
    assert found.step(has_time=True)
    monkeypatch.setattr(counting, "count_step", lambda: None)
    assert not found.step(has_time=True), "another scheduler counts"
    assert not found.step(has_time=True)


def test_where_the_tables_are_older_than_the_code_nothing_is_counted(monkeypatch):
    def fail() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_scheduled_tasks_nothing")

    monkeypatch.setattr(counting, "count_step", fail)
    found = counting.Counting()
    found.look(SIGNS)
    with transaction.atomic(ALIAS):
        assert not found.step(has_time=True)
        transaction.set_rollback(True, ALIAS)
