"""What is due so often that lists and charts fold it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.queries.frequent import frequent

NOW = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make(kind, expression, *, first=NOW + timedelta(minutes=1), **values):
    return ScheduledTask(
        name=f"{kind} {expression}",
        schedule_kind=kind,
        expression=expression,
        next_run_at=first,
        created_at=NOW,
        **values,
    )


@pytest.mark.parametrize(
    ("kind", "expression", "an_hour"),
    [
        ("cron", "* * * * *", 60),
        ("cron", "*/4 * * * *", 15),
        ("interval", "20s", 180),
        ("cron", "*/5 * * * *", None),
        ("interval", "5m", None),
        ("interval", "1h", None),
        ("cron", "0-3 * * * *", None),  # close together, but not often
        ("dates", "2026-11-28T04:11Z", None),
        ("cron", "wrong", None),
    ],
)
def test_what_is_due_more_often_than_each_five_minutes(kind, expression, an_hour):
    found = frequent([make(kind, expression)])
    assert [one.an_hour for one in found] == ([an_hour] if an_hour else [])


def test_the_most_frequent_is_last_and_what_is_not_due_is_left_out():
    tasks = [make("interval", text) for text in ("20s", "1m", "1s", "2m")] + [make("interval", "3s", first=None)]
    assert [one.task.expression for one in frequent(tasks)] == ["2m", "1m", "20s", "1s"]


def test_it_counts_from_the_first_to_the_end_of_the_schedule():
    (one,) = frequent([make("cron", "* * * * *", ends_at=NOW + 2 * HOUR)])
    assert one.count(NOW, NOW + HOUR) == 59
    assert one.count(one.first + timedelta(seconds=1), one.first + HOUR) == 59
    assert one.count(NOW, NOW + 12 * HOUR) == 119
    assert one.count(NOW + 3 * HOUR, NOW + 12 * HOUR) == 0
