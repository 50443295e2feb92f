"""The statement that counts in buckets counts what the ORM counts bucket by bucket."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.db.clock import as_instant
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.store.reading.buckets import count_grouped
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGES = [NOON + timedelta(hours=number) for number in range(4)]


@pytest.fixture
def rows():
    task, other = make_task(), make_task()
    for minute in range(0, 240, 7):
        status = Status.COMPLETED if minute % 2 else Status.PENDING
        make_execution(task if minute % 3 else other, status=status, triggered_at=NOON + timedelta(minutes=minute))
    return Execution.objects.filter(task=task)


@pytest.mark.parametrize("cap", [3, 100])
def test_it_counts_the_newest_of_each_bucket_as_the_orm_does(rows, cap):
    expected = {}
    for number, (start, end) in enumerate(pairwise(EDGES)):
        inside = rows.filter(triggered_at__gte=start, triggered_at__lt=end).order_by("-triggered_at")[:cap]
        found = list(inside.values_list("status", "triggered_at"))
        for status, count in Counter(status for status, _at in found).items():
            instants = [at for known, at in found if known == status]
            expected[number, status] = (count, min(instants), max(instants))
    with CaptureQueriesContext(connection) as queries:
        counted = count_grouped(rows, EDGES, ("status",), cap)
    assert len(queries) == 1
    assert {
        (number, status): (count, *(as_instant(value, connection) for value in span))
        for number, status, count, *span in counted
    } == expected
    assert expected


def test_of_nothing_it_counts_nothing(rows):
    assert count_grouped(rows.none(), EDGES, ("status",), 3) == []
    assert count_grouped(rows, EDGES[:1], ("status",), 3) == []
