"""The report of a day or a week: what it says, to whom it goes, and the task that sends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Channel, Execution, ScheduledTask
from django_scheduled_tasks.services.alerts.telling import report
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.testing import run_pending_executions
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
MONDAY = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def ran(task: ScheduledTask, *, ago: timedelta, took: float = 10, outcome: str = "succeeded", count: int = 1) -> None:
    for number in range(count):
        began = MONDAY - ago + timedelta(minutes=number)
        is_good = outcome == Outcome.SUCCEEDED
        make_execution(
            task,
            status=Status.COMPLETED if is_good else Status.ERRORS,
            outcome=outcome,
            triggered_at=began,
            started_at=None if outcome == Outcome.MISSED else began,
            completed_at=began + timedelta(seconds=took),
        )


@pytest.fixture
def sent(mailoutbox, settings):
    settings.ADMINS = ["ops@example.com"]
    return mailoutbox


def test_it_names_what_failed_was_missed_and_got_slower(django_assert_num_queries):
    digest, stock, slow = (make_task(name=name) for name in ("send-digest", "sync-stock", "slow"))
    ran(digest, ago=timedelta(hours=3), outcome="failed", count=3)
    ran(stock, ago=timedelta(hours=3), outcome="timed_out")
    ran(stock, ago=timedelta(hours=2), outcome="missed", count=2)
    ran(digest, ago=2 * DAY, outcome="failed", count=7)  # before
    ran(slow, ago=2 * DAY - timedelta(hours=9), took=20, count=5)
    ran(slow, ago=timedelta(hours=9), took=48, count=5)
    ran(stock, ago=2 * DAY - timedelta(hours=9), took=1, count=5)
    ran(stock, ago=timedelta(hours=9), took=4, count=5)  # three seconds are nothing
    with django_assert_num_queries(3):
        found = report.look_back(MONDAY, DAY)
    assert found.failed == [("send-digest", 3), ("sync-stock", 1)]
    assert found.missed == [("sync-stock", 2)]
    assert [(one.task, one.before.total_seconds(), one.now.total_seconds()) for one in found.slower] == [
        ("slow", 20, 48)
    ]
    assert found.succeeded == 10
    text = report.text_of(found)
    assert "Failed: send-digest (3 times), sync-stock (1 times)" in text
    assert "Slower: slow took 48s on average, 20s in the time before." in text


def test_it_says_when_the_clocks_of_tasks_change():
    make_task(schedule_kind="cron", expression="0 3 * * *", timezone="Europe/Berlin")
    make_task(name="nightly", schedule_kind="cron", expression="30 2 * * *", timezone="Europe/Berlin")
    make_task(schedule_kind="cron", expression="0 3 * * *", timezone="Asia/Tokyo")
    (found,) = report.look_back(MONDAY, DAY).clocks
    assert (found.zone, found.change.at) == ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC))
    text = report.text_of(report.look_back(MONDAY, DAY))
    assert "The clocks of Europe/Berlin change on 2026-10-25 01:00 UTC; 2 tasks go by them.\n- nightly: On " in text
    assert "02:30 comes twice; it runs once." in text


def test_all_is_well_is_said_as_well():
    assert "Nothing failed, and nothing was missed." in report.text_of(report.look_back(MONDAY, DAY))


def test_who_subscribes_weekly_is_told_on_mondays_of_the_projects_zone_only(sent, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    Channel.objects.create(name="boss", kind="mail", report="weekly")
    Channel.objects.create(name="ops", kind="mail", report="daily")
    Channel.objects.create(name="gone", kind="mail", report="daily", enabled=False)
    Channel.objects.create(name="none", kind="mail")
    midnight = datetime(2026, 10, 19, tzinfo=ZoneInfo("Europe/Berlin"))
    assert len(report.send_due_reports(midnight)) == 2
    assert [mail.subject.rpartition("] ")[2] for mail in sent] == ["Report of the day", "Report of the week"]
    sent.clear()
    assert len(report.send_due_reports(midnight - timedelta(seconds=1))) == 1
    first, *_others = sent
    report.send_due_reports(midnight - timedelta(seconds=1))
    assert sent[-1].extra_headers["Message-ID"] == first.extra_headers["Message-ID"], (
        "a mail that comes twice shows once"
    )


def test_a_channel_that_does_not_take_it_keeps_no_other_from_it_and_fails_the_execution(sent, engine):
    Channel.objects.create(name="dead", kind="nothing", report="daily")
    Channel.objects.create(name="ops", kind="mail", report="daily")
    with pytest.raises(NotDelivered, match=r"dead: No kind of channel is called nothing\."):
        report.send_due_reports(MONDAY)
    assert len(sent) == 1


def test_the_task_is_made_for_the_first_who_subscribes_and_switched_off_after_the_last():
    assert not ScheduledTask.objects.exists()
    channel = Channel.objects.create(name="ops", kind="mail")
    assert not ScheduledTask.objects.exists()
    channel.report = "daily"
    channel.save()
    task = ScheduledTask.objects.get()
    assert (task.function, task.expression, task.enabled) == (report.FUNCTION, "0 8 * * *", True)
    other = Channel.objects.create(name="other", kind="mail", report="weekly")
    channel.delete()
    assert ScheduledTask.objects.get().enabled
    other.enabled = False
    other.save()
    assert not ScheduledTask.objects.get().enabled
    other.enabled = True
    other.save()
    task = ScheduledTask.objects.get()
    assert task.enabled
    assert task.next_run_at is not None


def test_the_task_sends_them(sent, engine):
    Channel.objects.create(name="ops", kind="mail", report="daily")
    run_once(ScheduledTask.objects.get())
    run_pending_executions()
    assert len(sent) == 1
    assert Execution.objects.get().status == Status.COMPLETED
