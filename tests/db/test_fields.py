"""Instants are UTC in the database and aware in Python, whatever USE_TZ says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.models import Execution, ScheduledTask, database_now, frozen_at, read_now
from django_scheduled_tasks.store.due import lock_due_tasks
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
MOMENT = datetime(2026, 10, 25, 0, 30, 15, 250_000, tzinfo=UTC)  # 02:30 in Berlin, for the first time that night


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("moment", [MOMENT - timedelta(days=90), MOMENT])
def test_an_instant_comes_back_as_it_was(settings, use_tz, zone, moment):
    if not use_tz and connection.vendor == "postgresql":
        pytest.skip("on PostgreSQL the connection's own zone decides, which is set once for each process")
    settings.USE_TZ, settings.TIME_ZONE = use_tz, zone
    given = moment.astimezone(timezone(timedelta(hours=5)))
    execution = make_execution(triggered_at=given)
    found = Execution.objects.get(pk=execution.pk).triggered_at
    assert found == moment
    assert found.tzinfo is UTC
    assert Execution.objects.filter(triggered_at__lte=moment, pk=execution.pk).exists()
    assert not Execution.objects.filter(triggered_at__lt=moment, pk=execution.pk).exists()


def test_a_naive_instant_is_the_projects_wall_clock(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    execution = make_execution(triggered_at=datetime(2026, 7, 1, 12))  # noqa: DTZ001
    expected = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert Execution.objects.get(pk=execution.pk).triggered_at == expected


def test_the_databases_clock_is_now_and_in_utc():
    now = read_now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=10)
    annotated = ScheduledTask.objects.filter(pk=make_task().pk).annotate(now=database_now()).get()
    assert abs(annotated.now - now) < timedelta(seconds=10)


def test_a_test_can_move_the_databases_clock():
    task = make_task(schedule_kind="cron", expression="0 3 * * *")
    assert lock_due_tasks(10) == []
    with frozen_at(task.next_run_at):
        assert read_now() == task.next_run_at
        assert lock_due_tasks(10) == [task]
