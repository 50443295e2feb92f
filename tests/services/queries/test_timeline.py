"""Executions counted over time: exactly where they are few, extrapolated where they are many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.admin.executions.list.histogram import bucket_text
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.queries.executions.timeline import BUCKET_CAP, Bucket, count_in_buckets
from tests.database import connection
from tests.factories import make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
START = datetime(2026, 11, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fill(count: int, *, first: datetime = START, within: timedelta = HOUR) -> None:
    """Write *count* ended executions, evenly spread; each tenth failed."""
    task, step = make_task(), within / max(count, 1)
    Execution.objects.bulk_create(
        Execution(
            task=task,
            task_name=task.name,
            function=task.function,
            trigger="python",
            triggered_at=first + number * step,
            completed_at=first + number * step,
            status=Status.ERRORS if number % 10 == 0 else Status.COMPLETED,
            outcome=Outcome.FAILED if number % 10 == 0 else Outcome.SUCCEEDED,
        )
        for number in range(count)
    )


def counted(hours: int = 1) -> list[Bucket]:
    return count_in_buckets(Execution.objects.all(), [START + number * HOUR for number in range(hours + 1)])


def test_a_few_are_counted():
    fill(50)
    fill(20, first=START + HOUR)
    one, two = counted(2)
    assert (one.completed, one.failed, one.other, one.is_estimated) == (45, 5, 0, False)
    assert (two.completed, two.failed, two.other, two.is_estimated) == (18, 2, 0, False)
    assert ": 45 completed, 5 failed, 0 others" in bucket_text(one)


@pytest.mark.parametrize("count", [2 * BUCKET_CAP, 5 * BUCKET_CAP])
def test_many_are_extrapolated_from_the_newest(count):
    fill(count)
    (bucket,) = counted()
    assert bucket.is_estimated
    assert bucket.total == pytest.approx(count, rel=0.02)
    assert bucket.failed == pytest.approx(count / 10, rel=0.05)
    assert f": ≈{bucket.completed} completed, ≈{bucket.failed} failed" in bucket_text(bucket)


def test_a_bucket_that_is_not_over_yet_is_not_taken_for_full():
    fill(3 * BUCKET_CAP, within=HOUR / 4)
    (bucket,) = counted()
    assert bucket.total == pytest.approx(3 * BUCKET_CAP, rel=0.02)


def test_many_at_one_instant_cannot_be_told_apart():
    fill(2 * BUCKET_CAP, within=timedelta(0))
    (bucket,) = counted()
    assert (bucket.total, bucket.is_estimated) == (BUCKET_CAP, True)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite tells how many steps a statement takes")
def test_a_range_that_the_rows_are_limited_to_is_not_walked_through_for_each_bucket():
    fill(4_800, within=48 * HOUR)
    edges = [START + number * HOUR for number in range(49)]
    limited = Execution.objects.filter(triggered_at__gte=edges[0], triggered_at__lt=edges[-1])
    assert count_in_buckets(limited, edges) == count_in_buckets(Execution.objects.all(), edges)
    assert steps(lambda: count_in_buckets(limited, edges)) < 1.5 * steps(
        lambda: count_in_buckets(Execution.objects.all(), edges)
    )


def steps(act: Callable[[], object]) -> int:
    """Return how many hundred steps SQLite's machine takes for what *act* asks."""
    count = 0

    def one_more() -> int:
        nonlocal count
        count += 1
        return 0

    connection.connection.set_progress_handler(one_more, 100)
    try:
        act()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return count
