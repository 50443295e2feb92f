"""A clock of the database that is set back is said in the scheduler's log, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.scheduler.clock import ClockWatch

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "is_said"), [(10.0, False), (8.1, False), (7.9, True), (-3600.0, True), (60.0, False)]
)
def test_what_is_said_ten_seconds_after_the_last_look(caplog, shown, is_said):
    watch = ClockWatch()
    watch.look(NOON, 100.0)
    watch.look(NOON + timedelta(seconds=shown), 110.0)
    watch.look(NOON + timedelta(seconds=shown + 10), 120.0)
    assert ["was set back by" in record.message for record in caplog.records] == [True] * is_said
