"""What a scheduler does beside starting tasks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.core import mail

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import Notice, Presence
from django_scheduled_tasks.scheduler import loop as loop_module
from django_scheduled_tasks.scheduler import upkeep as module
from django_scheduled_tasks.scheduler.loop import Loop
from django_scheduled_tasks.scheduler.upkeep import Upkeep
from django_scheduled_tasks.services.tasks.broken import Resumed
from django_scheduled_tasks.services.tasks.sync import SyncResult
from tests.factories import make_task
from tests.services.alerts.help import BAD, end, make_rule

pytestmark = pytest.mark.django_db


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
        upkeep.prune_batch(time_left=1.0)
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
    assert upkeep.prune_batch(time_left=1.0)
    with pytest.raises(RuntimeError):
        upkeep.prune_batch(time_left=1.0)
    upkeep._pruned_at = float("-inf")
    upkeep.do_due()
    assert upkeep.prune_batch(time_left=1.0)


def test_of_pruning_there_is_no_batch_while_something_is_due_soon(monkeypatch):
    monkeypatch.setattr(module, "prune_steps", lambda: iter([("task", 1)] * 3))
    upkeep = Upkeep()
    assert not upkeep.prune_batch(time_left=60), "it has not begun"
    upkeep.do_due()
    assert not upkeep.prune_batch(time_left=module.TIME_TO_PRUNE)
    assert upkeep.prune_batch(time_left=60)
    upkeep._batch_at -= module.LONGEST_WITHOUT_PRUNING
    assert upkeep.prune_batch(time_left=0)


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
