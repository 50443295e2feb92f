"""Adopting a copy, and the same installation under another name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Installation, Presence, PresenceKind, ScheduledTask, read_now
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.adoption import adopt, is_ambiguous, say_copy, say_same, waiting_here
from django_scheduled_tasks.services.delivery.dispatch import submit
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.installation.verdict import Cause
from django_scheduled_tasks.services.scheduling.gap import hold_after_gap
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_execution, make_task, make_user
from tests.services.installation.conftest import installation, staging  # noqa: F401

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture
def copied(staging):  # noqa: F811
    now = read_now()
    task = make_task(schedule_kind="interval", expression="1h")
    ScheduledTask.objects.update(next_run_at=now - timedelta(days=1))
    waiting = make_execution(task, trigger=Trigger.SCHEDULE, scheduled_for=now, lock_key="a")
    running = make_execution(
        task, status=Status.PROCESSING, lease_until=now - timedelta(hours=1), lock_key="b", exclusive_key="b"
    )
    state.look()
    return task, waiting, running


def test_of_a_copy_nothing_that_was_copied_starts_and_nothing_before_now_is_due(copied, engine, staging):  # noqa: F811
    task, waiting, running = copied
    by_hand = run_once(task).execution
    user = make_user()
    assert waiting_here() == 1
    done = adopt(environment="staging", user=user)
    assert (done.skipped, done.lost) == (1, 1)
    for row in (waiting, running, by_hand, task):
        row.refresh_from_db()
    assert (waiting.status, waiting.outcome, waiting.error_message) == (Status.ERRORS, Outcome.SKIPPED, messages.COPIED)
    assert (running.outcome, running.error_message) == (Outcome.WORKER_LOST, messages.RAN_ELSEWHERE)
    assert by_hand.status == Status.PENDING
    assert task.next_run_at > read_now()
    row = Installation.objects.get()
    assert row.uuid != staging.uuid
    assert (row.environment, row.adopted_by, row.copy_key, row.copy_after) == ("staging", user, "", None)
    assert not state.is_held()


def test_of_the_same_installation_all_goes_on(copied, staging):  # noqa: F811
    task, waiting, running = copied
    done = adopt(environment="staging", is_same=True)
    assert (done.skipped, done.lost) == (0, 0)
    for row in (waiting, running, task):
        row.refresh_from_db()
    assert waiting.status == Status.PENDING
    assert running.status == Status.PROCESSING
    assert task.next_run_at < read_now()
    assert Installation.objects.get().uuid == staging.uuid
    assert not state.is_held()


def test_at_home_nothing_is_skipped(installation):  # noqa: F811
    waiting = make_execution()
    adopt(environment="")
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING


def test_the_name_has_to_be_that_of_the_setting(copied):
    with pytest.raises(InvalidInput, match="staging"):
        adopt(environment="production")
    assert Installation.objects.get().environment == "production"


def test_a_name_that_is_new_may_be_either(staging, settings):  # noqa: F811
    assert not is_ambiguous(state.look())
    Installation.objects.update(environment="", system_identifier="")
    assert is_ambiguous(state.look())
    Installation.objects.update(address="db-1:5432/shop")
    assert not is_ambiguous(state.look())


def test_in_a_copy_a_run_by_hand_waits_for_nothing(copied, engine, django_capture_on_commit_callbacks):
    task, waiting, running = copied
    with django_capture_on_commit_callbacks(execute=True):
        execution = run_once(task).execution
    assert execution.lock_key is None
    engine.run_all()
    for row in (execution, waiting, running):
        row.refresh_from_db()
    assert [row.status for row in (execution, waiting, running)] == [
        Status.COMPLETED,
        Status.PENDING,
        Status.PROCESSING,
    ]


def test_in_a_copy_nothing_that_was_copied_is_sent(copied, engine):
    _task, waiting, _running = copied
    assert submit([waiting])
    assert not engine.submitted


def test_a_copied_message_marks_nothing(copied):
    from django_scheduled_tasks.runner.execute import execute

    _task, waiting, _running = copied
    waiting.expires_at = read_now() - timedelta(hours=1)
    waiting.save()
    execute(str(waiting.tracking_id))
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING


# --- after a gap


@pytest.fixture
def gap(installation, settings):  # noqa: F811
    long_ago = read_now() - timedelta(hours=3)
    Installation.objects.update(adopted_at=long_ago)
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "HOLD_AFTER_GAP": timedelta(hours=1)}
    return Presence.objects.create(
        kind=PresenceKind.SCHEDULER, identity="a", host="a", started_at=long_ago, last_seen_at=long_ago
    )


def test_after_a_gap_it_is_held_until_somebody_says_go(gap):
    waiting = make_execution()
    assert hold_after_gap()
    assert state.look().cause == Cause.GAP
    Presence.objects.update(last_seen_at=read_now())
    assert not hold_after_gap()
    assert state.look().is_held  # another scheduler that starts changes nothing
    adopt(environment="", is_same=True)
    Presence.objects.update(last_seen_at=gap.last_seen_at)
    assert not hold_after_gap()  # there is no gap since somebody has said so
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING


def test_without_the_setting_or_without_a_gap_it_goes_on(gap, settings):
    Presence.objects.update(last_seen_at=read_now())
    assert not hold_after_gap()
    Presence.objects.all().delete()
    assert not hold_after_gap()
    settings.SCHEDULED_TASKS = {}
    assert not hold_after_gap()


# --- a database that has moved


@pytest.fixture
def moved(installation):  # noqa: F811
    Installation.objects.update(address="db-1:5432/shop")
    state.look(tidy=True)
    assert state.look().has_moved
    return installation


def test_a_move_is_said_until_somebody_says_that_it_is_the_same_one(moved):
    say_same()
    row = Installation.objects.get()
    assert (row.moved_from, row.moved_at, row.address) == ("", None, moved.address)
    found = state.look(tidy=True)
    assert (found.has_moved, found.is_held) == (False, False)


def test_one_that_somebody_calls_a_copy_is_held_until_it_is_adopted(moved):
    before = make_execution(trigger=Trigger.API)
    say_copy()
    found = state.look(tidy=True)
    assert (found.cause, found.has_moved, bool(found.copy_key)) == (Cause.SAID, False, True)
    assert not found.may_start(before)
    assert found.may_start(make_execution(trigger=Trigger.API))
    adopt(environment="", is_same=False)
    row = Installation.objects.get()
    assert (row.said_copy_at, row.moved_at, row.uuid == moved.uuid) == (None, None, False)
    assert not state.look(tidy=True).is_held
    before.refresh_from_db()
    assert before.outcome == Outcome.SKIPPED


def test_one_that_has_not_moved_is_not_called_a_copy(installation):  # noqa: F811
    say_copy()
    assert not state.look().is_held
