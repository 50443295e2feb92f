"""The scheduler's loop."""

from __future__ import annotations

import itertools
import os
import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.engines.immediate import ImmediateEngine
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, Presence, PresenceKind, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.scheduler import loop as module
from django_scheduled_tasks.scheduler import sleep, upkeep
from django_scheduled_tasks.scheduler.loop import Loop
from django_scheduled_tasks.scheduler.sleep import Sleeper
from django_scheduled_tasks.scheduler.tick import FIRST_BATCH, Done, tick
from django_scheduled_tasks.services.delivery import notify
from django_scheduled_tasks.services.scheduling import occurrences
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_broker, pytest.mark.every_database, pytest.mark.django_db]


def test_a_tick_does_all_that_is_due(engine):
    now = read_now()
    task = make_task(schedule_kind="cron", expression="0 * * * *")
    make_execution(send_at=task.next_run_at)
    make_execution(status=Status.PROCESSING, lease_until=now)
    with frozen_at(task.next_run_at + timedelta(seconds=1)):
        assert tick() == Done(tasks=1, executions=1, sent=1, lost=1)
        assert not tick()


def test_a_tick_takes_batch_after_batch(engine, settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"BATCH_SIZE": 2}
    tasks = [make_task(schedule_kind="cron", expression="0 * * * *") for _ in range(5)]
    with frozen_at(tasks[0].next_run_at):
        assert tick().tasks == 5


def test_of_many_that_are_due_at_once_the_first_are_sent_while_the_others_are_planned(engine, monkeypatch):
    sent: list[tuple[int, int]] = []
    real = occurrences.record_due

    def note(*, limit: int) -> occurrences.Pass:
        done = real(limit=limit)
        sent.append((limit, Execution.objects.count()))
        return done

    monkeypatch.setattr(occurrences, "record_due", note)
    tasks = [make_task(name=f"task {number}", schedule_kind="interval", expression="1h") for number in range(70)]
    with frozen_at(max(task.next_run_at for task in tasks)):
        assert tick().executions == 70
    assert sent == [(FIRST_BATCH, 20), (40, 60), (80, 70)]


def test_once_says_what_it_did(engine, capsys):
    task = make_task(schedule_kind="cron", expression="0 * * * *")
    with frozen_at(task.next_run_at):
        call_command("runscheduler", once=True)
    assert "1 tasks were due, 1 executions recorded, 0 sent." in capsys.readouterr().out


@pytest.fixture
def in_thread():
    """Run a loop in a thread; the test stops it, or the end of the test does."""
    loops: list[tuple[Loop, threading.Thread]] = []

    def start(loop: Loop) -> Loop:
        def run():
            loop.run()
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        loops.append((loop, thread))
        return loop

    yield start
    for loop, thread in loops:
        loop.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()


def until(condition, timeout=20.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.django_db(transaction=True)
def test_the_loop_starts_what_is_due_and_says_that_it_is_there(engine, in_thread):
    loop = in_thread(Loop())
    make_task(schedule_kind="cron", expression="* * * * * *", overlap="allow")
    until(lambda: Execution.objects.count() >= 2)
    assert Presence.objects.get(kind=PresenceKind.SCHEDULER)
    loop.stop()
    until(lambda: not Presence.objects.alive().exists())


@pytest.mark.django_db(transaction=True)
def test_the_loop_outlives_a_database_that_goes_away_and_a_pass_that_fails(engine, in_thread, monkeypatch, caplog):
    real, troubles = module.look, [OperationalError("away"), RuntimeError("a bug")]

    def look(left=()):
        if troubles:
            raise troubles.pop(0)
        return real()

    monkeypatch.setattr(module, "look", look)
    in_thread(Loop())
    make_task(schedule_kind="cron", expression="* * * * * *", overlap="allow")
    until(Execution.objects.exists)
    assert "away" in caplog.text
    assert "a bug" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_an_idle_loop_neither_spins_nor_oversleeps(engine, in_thread, monkeypatch):
    looks = []
    real = module.look

    def look(left=()):
        looks.append(time.monotonic())
        return real()

    monkeypatch.setattr(module, "look", look)
    monkeypatch.setattr(notify, "LONGEST_SLEEP", timedelta(seconds=1))
    in_thread(Loop())
    until(lambda: len(looks) >= 6)
    gaps = [after - before for before, after in itertools.pairwise(looks[3:])]
    assert all(0.5 < gap < 5 for gap in gaps), gaps


def test_a_scheduler_that_hears_of_changes_looks_less_often(settings):
    loop = Loop()
    try:
        assert loop._longest_sleep() == 1
        loop._sleeper.hears = True
        assert loop._longest_sleep() == 5
        settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"POLL_INTERVAL": timedelta(minutes=5)}
        assert loop._longest_sleep() == 300
    finally:
        loop._sleeper.close()


@pytest.mark.django_db(transaction=True)
def test_what_an_idle_scheduler_asks_of_the_database(engine, monkeypatch):
    """A look each time it wakes up, by itself or told, and each ten seconds that it is there: at most."""
    loop, slept = Loop(), []
    settled = [loop._home.is_here, loop._pass_and_sleep, loop._pass_and_sleep]
    monkeypatch.setattr(loop._sleeper, "sleep", slept.append)
    try:
        for act in settled:
            act()
        loop._sleeper.hears = True
        loop._upkeep._present_at -= 10
        with CaptureQueriesContext(connection) as queries:
            loop._pass_and_sleep()
            loop._pass_and_sleep()
    finally:
        loop._sleeper.close()
    assert ["presence" in query["sql"].partition("WHERE")[0] for query in queries] == [False, True, False]
    assert all(4 < seconds <= 5 for seconds in slept[-2:])


@pytest.mark.django_db(transaction=True)
def test_a_change_takes_effect_within_a_poll(engine, in_thread):
    task = make_task(schedule_kind="cron", expression="* * * * * *", enabled=False, overlap="allow")
    in_thread(Loop())
    until(Presence.objects.exists)
    assert not Execution.objects.exists()
    from django_scheduled_tasks.services.tasks.edit import update_task

    update_task(task, enabled=True)
    until(Execution.objects.exists)
    update_task(task, enabled=False)
    assert ScheduledTask.objects.get().next_run_at is None


@pytest.mark.django_db(transaction=True)
def test_on_postgresql_a_change_takes_effect_at_once(engine, in_thread, settings):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL can tell others")
    never = dict.fromkeys(("POLL_INTERVAL", "PRESENCE_INTERVAL"), timedelta(minutes=5))
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | never
    in_thread(Loop())
    until(Presence.objects.exists)
    make_task(schedule_kind="cron", expression="* * * * * *", overlap="allow")
    until(Execution.objects.exists, timeout=10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_on_postgresql_what_is_due_was_prefetched_and_costs_no_pass(engine, in_thread, monkeypatch, overlap):
    if connection.vendor != "postgresql":
        pytest.skip("occurrences are prefetched on PostgreSQL")
    prefetched: list[Execution] = []
    real = module.prefetch.record

    def note(what):
        written = real(what)
        prefetched.extend(written)
        return written

    monkeypatch.setattr(module.prefetch, "record", note)
    # So that nothing is open when the next one is due.
    monkeypatch.setattr(engine, "submit", ImmediateEngine().submit)
    in_thread(Loop())
    make_task(schedule_kind="cron", expression="* * * * * *", overlap=overlap)
    until(lambda: len(prefetched) >= 3)
    found = {row.scheduled_for: row for row in Execution.objects.filter(status=Status.COMPLETED)}
    for row in prefetched[:3]:
        assert found[row.scheduled_for].pk == row.pk
        assert row.triggered_at >= row.scheduled_for, "it started too early"


@pytest.mark.django_db(transaction=True)
def test_on_postgresql_many_of_one_instant_were_prefetched_in_the_second_before(engine, in_thread, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("occurrences are prefetched on PostgreSQL")
    recorded: list[tuple[int, int]] = []
    real = module.prefetch.record

    def note(prefetched):
        written = real(prefetched)
        recorded.append((len(prefetched.ready), len(written)))
        return written

    monkeypatch.setattr(module.prefetch, "record", note)
    at = read_now().replace(microsecond=0) + timedelta(seconds=6)
    for number in range(60):
        make_task(name=f"task {number}", schedule_kind="interval", expression="1h", starts_at=at)
    assert set(ScheduledTask.objects.values_list("next_run_at", flat=True)) == {at}
    in_thread(Loop())
    until(lambda: Execution.objects.count() == 60, timeout=20)
    assert recorded == [(60, 60)]
    assert min(Execution.objects.values_list("triggered_at", flat=True)) >= at


@pytest.mark.django_db(transaction=True)
def test_a_change_while_many_are_prefetched_lets_the_loop_look_again(engine, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("occurrences are prefetched on PostgreSQL")
    loop, asked = Loop(), []
    tasks = [make_task(name=f"task {number}", schedule_kind="interval", expression="1h") for number in range(60)]
    real = loop._has_time_until

    def change_after_the_first(moment: float) -> bool:
        asked.append(moment)
        if len(asked) == 1:
            loop._sleeper.wake()
        return real(moment)

    monkeypatch.setattr(loop, "_has_time_until", change_after_the_first)
    try:
        loop._sleeper.listen()
        ScheduledTask.objects.update(next_run_at=read_now() + timedelta(seconds=0.9))
        until(lambda: loop._pass_and_sleep() or asked)
        assert len(asked) == 1
        assert not Execution.objects.exists(), "nobody may start what may have changed"
        until(lambda: loop._pass_and_sleep() or Execution.objects.count() == len(tasks))
    finally:
        loop._sleeper.close()


# --- nobody waits for what is stuck -----------------------------------------------------------------------------


OVERDUE = {"schedule_kind": "cron", "expression": "0 3 * * *"}


@pytest.mark.parametrize(
    "state",
    [
        {"status": Status.PROCESSING, "started_at": "then", "lease_until": "then", "worker_host": "gone"},
        {"status": Status.PENDING, "expires_at": "then", "send_at": "then"},
    ],
    ids=["lost", "expired"],
)
def test_after_an_outage_what_is_dead_is_not_in_the_way_of_what_is_due(engine, state):
    task = make_task(**OVERDUE, overlap="skip")
    at = task.next_run_at
    values = {name: at - timedelta(hours=20) if value == "then" else value for name, value in state.items()}
    dead = make_execution(task, scheduled_for=at - timedelta(days=1), trigger="schedule", **values)
    with frozen_at(at + timedelta(minutes=1)):
        tick()
    dead.refresh_from_db()
    assert dead.outcome == ("worker_lost" if "lease_until" in state else "expired")
    (row,) = Execution.objects.filter(scheduled_for=at)
    assert (row.status, row.outcome) == (Status.PENDING, "")


@pytest.mark.django_db(transaction=True)
def test_a_due_task_that_somebody_holds_is_asked_for_now_and_then_only(engine, in_thread, monkeypatch):
    make_task(**OVERDUE)
    ScheduledTask.objects.update(next_run_at=read_now() - timedelta(hours=1))
    looks, real = [], module.look

    def look(left=()):
        looks.append(time.monotonic())
        return real()

    monkeypatch.setattr(module, "look", look)
    monkeypatch.setattr(module, "tick", lambda _outlook=None: Done())
    monkeypatch.setattr(module.prefetch, "prefetch", lambda *_args, **_options: pytest.fail("it is due already"))
    in_thread(Loop())
    until(lambda: len(looks) >= 10)
    assert looks[9] - looks[0] > 8 * module.HELD_WAIT


@pytest.mark.django_db(transaction=True)
def test_a_scheduler_that_always_has_something_to_do_is_seen_looks_for_lost_messages_and_prunes(
    engine, in_thread, monkeypatch
):
    pruned, looked = [], []

    def steps():
        for number in itertools.count():
            pruned.append(number)
            yield "task", 1

    monkeypatch.setattr(module, "tick", lambda _outlook=None: time.sleep(0.01) or Done(sent=1))
    monkeypatch.setattr(upkeep, "prune_steps", steps)
    monkeypatch.setattr(upkeep, "LONGEST_WITHOUT_PRUNING", 0.05)
    monkeypatch.setattr(upkeep.recovery, "send_lost", lambda *, limit: looked.append(limit))
    make_execution(send_at=read_now() + timedelta(hours=1))
    in_thread(Loop())
    until(lambda: Presence.objects.exists() and looked and len(pruned) > 3)


def test_a_sleeper_that_is_closed_meanwhile_is_not_woken(monkeypatch):
    """The end of its pipe may be another file by then."""
    sleeper, written = Sleeper(), []

    def close_first(descriptor, data):
        closing = threading.Thread(target=sleeper.close)
        closing.start()
        closing.join(0.2)  # it has to wait until the word is written
        written.append(os.write(descriptor, data))

    monkeypatch.setattr(sleep, "os", SimpleNamespace(write=close_first, close=os.close))
    sleeper.wake()
    monkeypatch.undo()
    assert written == [1]
    sleeper.close()
    sleeper.wake()
