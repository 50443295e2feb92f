"""The load of the week over REST and by command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Presence, PresenceKind, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.services.queries.load.week import week_load
from tests.api.conftest import ROOT
from tests.database import ALIAS, counts_statements
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def midnight(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    with frozen_at(NOW):
        now = read_now()
        Presence.objects.create(
            kind=PresenceKind.WORKER,
            identity="w",
            host="w",
            queue="",
            processes=2,
            started_at=now,
            last_seen_at=now,
        )
        for number in range(3):
            task = make_task(
                name=f"nightly {number}", schedule_kind="cron", expression="0 0 * * *", timezone="Europe/Berlin"
            )
            took = timedelta(seconds=60 * (number + 1))
            make_execution(task, status=Status.COMPLETED, started_at=NOW, completed_at=NOW + took)
        yield


def test_it_says_the_hours_and_the_worst_minutes(viewer):
    found = viewer.get(f"{ROOT}/load/").json()
    assert (found["timezone"], found["processes"], found["counted"]) == ("Europe/Berlin", 2, 3)
    assert found["days"][0] == {"date": "2026-11-30", "hours": [3, *[0] * 23]}
    (worst,) = found["worst"]
    assert {name: worst[name] for name in ("at", "due", "busy", "forSeconds", "times")} == {
        "at": "2026-11-29T23:00:00.000Z",
        "due": 3,
        "busy": 3,
        "forSeconds": 60,
        "times": 7,
    }
    assert [(task["name"], task["waitsSeconds"]) for task in worst["tasks"]] == [
        ("nightly 2", 60),
        ("nightly 0", 0),
        ("nightly 1", 0),
    ]
    assert viewer.get(f"{ROOT}/load/?queue=other").json()["counted"] == 0


def test_the_command_prints_the_same():
    out, as_json = StringIO(), StringIO()
    call_command("show_load", stdout=out)
    assert "Week from Mon 30 Nov (Europe/Berlin), 2 worker processes, 3 tasks" in out.getvalue()
    assert "Mon 00:00  3 due, 3 of 2 busy for 1m, waits up to 1m: nightly 0, nightly 1, nightly 2" in out.getvalue()
    call_command("show_load", "--queue", "other", stdout=(other := StringIO()))
    assert "No minute needs more than are there." in other.getvalue()
    call_command("show_load", "--json", stdout=as_json)
    assert json.loads(as_json.getvalue())["worst"][0]["busy"] == 3


@counts_statements
def test_more_tasks_need_no_more_statements_and_many_schedules_are_estimated(monkeypatch):
    week_load(now=NOW)  # who is there is read once in a few seconds
    with CaptureQueriesContext(connections[ALIAS]) as before:
        week_load(now=NOW)
    first = ScheduledTask.objects.get(name="nightly 0")
    ScheduledTask.objects.bulk_create(
        ScheduledTask(
            name=f"more {number}",
            name_key=f"more {number}",
            function=first.function,
            schedule_kind="cron",
            expression=f"{number % 60} 5 * * *",
            next_run_at=NOW,
            created_at=NOW,
            updated_at=NOW,
        )
        for number in range(90)
    )
    with CaptureQueriesContext(connections[ALIAS]) as after:
        found = week_load(now=NOW)
    assert len(after) == len(before)
    assert found.counted == 93
    assert not found.is_estimated
    monkeypatch.setattr("django_scheduled_tasks.services.queries.load.week.MOST_WORKS", 10)
    found = week_load(now=NOW)
    assert found.is_estimated
    assert (found.counted, len(found.works)) == (93, 10)
