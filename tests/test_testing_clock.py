"""The testing kit: a clock that a test moves, a ledger of what happened, and whether all tasks can run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import TestCase

from django_scheduled_tasks import task
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.tasks.holds import hold
from django_scheduled_tasks.testing import Clock, DeferredEngine, assert_all_tasks_valid, use_engine
from tests.factories import make_task

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]
START = datetime(2027, 3, 27, 22, tzinfo=UTC)
BERLIN = {"schedule_kind": "cron", "timezone": "Europe/Berlin"}


@pytest.fixture
def clock(scheduled_tasks_engine):
    with Clock(START) as found:
        yield found


def test_what_is_due_runs_at_its_instant_in_order_and_nothing_else(clock):
    make_task(name="nightly", function="testapp.add", params={"a": 1, "b": 2}, expression="30 2 * * *", **BERLIN)
    make_task(name="often", schedule_kind="interval", expression="2h", starts_at=START)
    make_task(name="by hand")
    found = clock.run_until("2027-03-28T04:00:00+02:00")
    # At 02:00 the clock goes to 03:00, so that 02:30 is the first instant after it.
    assert [(one.task, one.due, one.outcome) for one in found] == [
        ("often", START + timedelta(hours=2), "succeeded"),
        ("nightly", datetime(2027, 3, 28, 1, tzinfo=UTC), "succeeded"),
        ("often", START + timedelta(hours=4), "succeeded"),
    ]
    assert found[1].execution.result == 3
    assert found[1].execution.started_at == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert clock.now == datetime(2027, 3, 28, 2, tzinfo=UTC)


def test_a_time_of_day_is_the_next_one_in_the_zone_of_the_settings(clock, settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"TIME_ZONE": "Europe/Berlin"}
    assert clock.run_until("04:00") == []
    assert clock.now == datetime(2027, 3, 28, 2, tzinfo=UTC)
    clock.run_until("90m")
    assert clock.now == datetime(2027, 3, 28, 3, 30, tzinfo=UTC)
    clock.run_until(timedelta(minutes=1))
    assert clock.now == datetime(2027, 3, 28, 3, 31, tzinfo=UTC)


def test_a_failure_is_retried_when_its_wait_is_over(clock):
    row = make_task(name="fails", function="testapp.fail", max_attempts=3, min_backoff=timedelta(seconds=10))
    ScheduledTask.objects.filter(pk=row.pk).update(
        schedule_kind="interval", expression="1d", next_run_at=START + timedelta(seconds=1)
    )
    (first,) = clock.run_until("1s")
    assert (first.outcome, first.execution.attempts.count()) == ("", 1)
    assert clock.run_until("9s") == []
    clock.run_until("2s")  # what the function took counts as well
    assert first.execution.attempts.count() == 2
    clock.run_until("1h")
    first.execution.refresh_from_db()
    assert (first.execution.outcome, first.execution.attempts.count()) == ("failed", 3)


def test_a_downtime_is_a_clock_that_is_moved(clock):
    make_task(name="hourly", schedule_kind="interval", expression="1h", starts_at=START, catch_up="latest")
    clock.run_until("1m")
    clock.move_to("5h")
    found = clock.run_until("1m")
    assert [one.outcome for one in found] == ["missed", "missed", "missed", "missed", "succeeded"]
    assert "only the newest is started" in found[0].reason


def test_a_hold_ends_by_itself_and_what_was_started_by_hand_runs_then(clock):
    make_task(name="held", overlap="allow")
    hold(reason="deploy", until=START + timedelta(minutes=10))
    info, _errors = task("held").run_once()
    assert clock.run_until("9m") == []
    assert task("held").get_task_status(info.tracking_id)[0].status == "pending"
    clock.run_until("2m")
    assert task("held").get_task_status(info.tracking_id)[0].status == "completed"


@pytest.mark.parametrize("wrong", ["2027-03-27T21:00:00+00:00", "2027-03-29T00:00:00", "soon", timedelta(seconds=-1)])
def test_what_is_before_now_or_no_instant_is_refused(clock, wrong):
    with pytest.raises(ValueError, match="is before|has no time zone|soon"):
        clock.run_until(wrong)


def test_a_start_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        Clock("2027-03-28T00:00:00")


def test_without_a_start_it_stands_at_the_present_instant(scheduled_tasks_clock):
    first = scheduled_tasks_clock.now
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=5)
    assert scheduled_tasks_clock.now == first


class InATestCase(TestCase):
    databases = "__all__"

    def test_it_works_in_a_transaction_that_is_rolled_back(self):
        self.enterContext(use_engine(DeferredEngine()))
        make_task(name="daily", schedule_kind="cron", expression="0 3 * * *", timezone="UTC")
        with Clock("2027-03-28T00:00:00+00:00") as clock:
            (one,) = clock.run_until("2027-03-28T03:00:00Z")
        assert (one.task, one.outcome) == ("daily", "succeeded")


def test_all_tasks_are_valid_or_it_is_said_which_are_not_and_why():
    assert_all_tasks_valid()
    make_task(name="fine", schedule_kind="cron", expression="0 3 * * *")
    make_task(name="by hand", function="testapp.add")  # whoever runs it gives what is missing
    assert_all_tasks_valid()
    for name, wrong in {
        "function": {"function": "gone.away"},
        "missing": {"function": "testapp.add"},
        "zone": {"timezone": "Mars/Olympus"},
        "over": {"schedule_kind": "dates", "expression": "2020-01-01T00:00:00Z"},
    }.items():
        row = make_task(name=name, schedule_kind="cron", expression="0 3 * * *")
        ScheduledTask.objects.filter(pk=row.pk).update(**wrong)
    with pytest.raises(AssertionError) as caught:
        assert_all_tasks_valid()
    lines = str(caught.value).splitlines()[1:]
    assert {line.partition(":")[0] for line in lines} == {"function", "missing", "over", "zone"}
