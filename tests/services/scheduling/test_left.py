"""What a scheduler leaves to others since it does not know it, and when it stops doing so."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from django_scheduled_tasks.lifecycle import Outcome, PauseCode
from django_scheduled_tasks.models import Change, Execution, Presence, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.scheduler.tick import tick
from django_scheduled_tasks.services.scheduling import left
from django_scheduled_tasks.services.scheduling.left import left_now
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.tasks import broken
from django_scheduled_tasks.services.tasks.broken import resume_known
from django_scheduled_tasks.services.tasks.edit import pause, update_task
from django_scheduled_tasks.store.reading.outlook import look
from tests.factories import make_release, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOURLY = {"schedule_kind": "cron", "expression": "0 * * * *"}
HOUR = timedelta(hours=1)


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """The monotonic clock of this process, by hand."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(left, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def unknown(**values) -> ScheduledTask:
    """Return a task that this process cannot plan, which is due each hour."""
    task = make_task(**HOURLY)
    ScheduledTask.objects.filter(pk=task.pk).update(**(values or {"function": "shop.gone"}))
    task.refresh_from_db()
    return task


CAUSES = [
    {"function": "shop.gone"},
    {"timezone": "Mars/Olympus"},
    {"schedule_kind": "moon"},
    {"expression": "61 * * *"},
]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_due_task_that_is_not_known_here_is_left_as_it_is_and_the_others_are_planned(engine, clock, cause):
    task, healthy = unknown(**cause), make_task(**HOURLY)
    at = healthy.next_run_at
    with frozen_at(at):
        done = tick()
        assert (done.executions, done.paused) == (1, 0)
        assert look(left_now()).next_run_at == at + HOUR, "it is not looked at again at once"
        assert not tick()
    task.refresh_from_db()
    assert (task.next_run_at, task.paused_at) == (at, None)
    assert left.left_until() == clock.now + left.LEAVE_FOR
    clock.now += left.LEAVE_FOR
    assert look(left_now()).next_run_at == at
    assert left.left_until() == float("inf")


@pytest.mark.parametrize("cause", CAUSES)
def test_what_nobody_knows_for_two_minutes_is_paused_as_broken(engine, clock, cause):
    task = unknown(**cause)
    at = task.next_run_at
    for seconds in (0, 30, 60, 90, 114):
        clock.now = 1000.0 + seconds
        with frozen_at(at + timedelta(seconds=seconds)):
            record_due(limit=10)
        task.refresh_from_db()
        assert task.paused_at is None
    clock.now = 1120.0
    with frozen_at(at + timedelta(seconds=120)):
        assert set(record_due(limit=10).paused) == {task.pk}
    task.refresh_from_db()
    code = PauseCode.UNKNOWN_FUNCTION if "function" in cause else PauseCode.INVALID_SCHEDULE
    assert (task.pause_code, task.paused_at, task.next_run_at) == (code, at, None)


def test_what_another_release_knows_is_never_paused(engine, clock):
    task = unknown()
    make_release(functions=["shop.gone"])
    Presence.objects.update(last_seen_at=task.next_run_at + HOUR)
    for _ in range(20):
        clock.now += 30
        with frozen_at(task.next_run_at):
            assert not record_due(limit=10).paused
    Presence.objects.all().delete()
    with frozen_at(task.next_run_at + timedelta(days=30)):
        for step in range(5):
            clock.now += 30
            assert bool(record_due(limit=10).paused) is (step == 4), "two minutes begin when nobody knows it"


def test_two_minutes_are_not_put_together_from_two_occurrences(engine, clock):
    task = unknown()
    with frozen_at(task.next_run_at):
        record_due(limit=10)
        clock.now += 3600  # another scheduler has handled it meanwhile
        left_now()
        record_due(limit=10)
    task.refresh_from_db()
    assert task.paused_at is None


# --- and how it goes on -------------------------------------------------------------------------------------------


def broken_since(hours: int, **values) -> ScheduledTask:
    """Return a task that was paused as broken so many hours ago, and is known again."""
    began = (read_now() - hours * HOUR).replace(minute=0, second=0, microsecond=0)
    task = make_task(**(HOURLY | values))
    changes = {"paused_at": began, "next_run_at": None, "pause_code": PauseCode.UNKNOWN_FUNCTION, "pause_reason": "…"}
    ScheduledTask.objects.filter(pk=task.pk).update(**changes)
    return task


@pytest.mark.parametrize(("catch_up", "started"), [("latest", 1), ("all", 4), ("none", 0)])
def test_it_goes_on_as_after_a_downtime(engine, catch_up, started):
    task = broken_since(3, catch_up=catch_up)
    began = ScheduledTask.objects.get().paused_at
    assert resume_known().names == [task.name]
    assert Change.objects.filter(task=task.pk, deed="resumed").count() == 1
    task.refresh_from_db()
    assert (task.next_run_at, task.paused_at, task.pause_code, task.pause_reason) == (began, None, "", "")
    with frozen_at(began + 3 * HOUR + timedelta(minutes=10)):
        record_due(limit=10)
    rows = Execution.objects.order_by("scheduled_for")
    assert [row.scheduled_for for row in rows] == [began + number * HOUR for number in range(4)]
    assert [row.outcome for row in rows] == [Outcome.MISSED] * (4 - started) + [""] * started
    assert resume_known().names == []


def test_what_is_not_known_here_either_stays_paused_and_is_looked_at_again():
    task = broken_since(1)
    ScheduledTask.objects.update(function="shop.gone")
    assert (resume_known().names, resume_known().still_broken) == ([], 1)
    ScheduledTask.objects.update(function="testapp.noop", timezone="Mars/Olympus", pause_code="invalid_schedule")
    assert resume_known().still_broken == 1
    ScheduledTask.objects.update(timezone="UTC")
    assert resume_known().names == [task.name]


def test_what_a_person_has_paused_is_not_resumed():
    task = broken_since(1)
    pause(task, reason="The function is not right.")
    make_task()
    assert (resume_known().names, resume_known().still_broken) == ([], 0)


def test_what_older_versions_have_paused_is_resumed():
    task = broken_since(1)
    text = broken.FunctionNotRegistered(task.function).message
    ScheduledTask.objects.update(pause_code="", pause_reason=text)
    assert resume_known().names == [task.name]


def test_after_an_edit_nothing_before_it_becomes_due():
    task = broken_since(5)
    update_task(task, expression="30 * * * *")
    resume_known()
    task.refresh_from_db()
    assert task.next_run_at > read_now() - timedelta(seconds=10)


def test_who_changes_it_meanwhile_has_his_way(monkeypatch):
    task = broken_since(1)
    real = broken._locked

    def other_first(row):
        ScheduledTask.objects.update(pause_code="", pause_reason="mine")
        return real(row)

    monkeypatch.setattr(broken, "_locked", other_first)
    assert resume_known().names == []
    task.delete()
    gone = broken_since(1)
    monkeypatch.setattr(broken, "_locked", lambda row: (gone.delete(), real(row)))
    assert resume_known().names == []
