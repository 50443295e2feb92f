"""Each of 569 real schedules is moved in with the same due times, or the report says where they part and why."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.moving.compare import compare, sentences
from django_scheduled_tasks.moving.rules.fields import Unreadable
from django_scheduled_tasks.moving.rules.listed import read
from tests.moving.record import DATA, zone_of
from tests.moving.sample import BEGIN, digest

ROWS = [json.loads(line) for line in (DATA / "schedules.jsonl").read_text().splitlines()]
DUE = json.loads((DATA / "due.json").read_text())
GATE = 16
"""By day one of so many is looked at."""
LOSE_MIDNIGHT = frozenset(
    row["id"]
    for row in ROWS
    if row["kind"] == "apscheduler" and row["fields"].get("hour") == row["fields"].get("minute") in {"0", "00"}
)
"""APScheduler 3.11 leaves out midnight of the day after the clock went forward, if a day or weekday is named."""
TABLE = {
    "celery": {"same": 143, "clock": 29, "cannot": 5},
    "k8s": {"same": 81},
    "apscheduler": {"same": 46, "cannot": 5},
    "airflow": {"same": 45, "clock": 1},
    "crontab": {"same": 34, "cannot": 8},
    "github": {"same": 40},
    "eventbridge": {"same": 29, "cannot": 2},
    "oncalendar": {"same": 30},
    "quartz": {"same": 21, "cannot": 6},
    "django-q": {"same": 19},
    "huey": {"same": 14, "clock": 1},
    "procrastinate": {"same": 6},
    "rq": {"same": 4},
}
"""What becomes of them; "clock": they part only where the clock of the zone changes."""


def anchor_of(row: dict[str, Any]) -> datetime:
    """Return the next run of a row of django-q2: of one that names a day of the month, in that month."""
    found = {
        "2024-05-08T00:00": datetime(2027, 2, 8, tzinfo=UTC),
        "day 28 06:30": datetime(2027, 1, 28, 6, 30, tzinfo=UTC),
    }
    return found.get(row["fields"].get("next_run", ""), datetime(2027, 1, 4, 5, 0, tzinfo=UTC))


def verdict_of(row: dict[str, Any]) -> tuple[str, list[str]]:
    """Return what becomes of a schedule, and what is told of it."""
    zone = zone_of(row)
    try:
        reading = read(row["kind"], row["fields"], zone, anchor_of(row))
        task = ScheduledTask(
            schedule_kind=reading.kind,
            expression=reading.expression,
            timezone=reading.timezone,
            starts_at=reading.starts_at,
            created_at=BEGIN,
        )
        difference = compare(reading, task.policy, now=BEGIN)
    except (Unreadable, InvalidSchedule) as exc:
        return "cannot", [str(exc)]
    if not difference:
        return "same", []
    return "clock" if difference.only_at_changes else "differs", sentences(reading, difference, zone)


def check_due(row: dict[str, Any]) -> None:
    """Fail if our copy of a scheduler's rule says another thing than the scheduler itself did."""
    try:
        reading = read(row["kind"], row["fields"], zone_of(row), BEGIN)
    except Unreadable:
        return
    found = digest(reading.due.after, zone_of(row))
    assert (found == DUE[str(row["id"])]) == (row["id"] not in LOSE_MIDNIGHT), row


RECORDED = [row for row in ROWS if isinstance(DUE[str(row["id"])], list)]


@pytest.mark.parametrize("row", RECORDED[::GATE], ids=lambda row: f"{row['kind']}-{row['id']}")
def test_the_old_rule_is_that_of_the_library_itself(row):
    check_due(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", RECORDED, ids=lambda row: f"{row['kind']}-{row['id']}")
def test_each_old_rule_is_that_of_the_library_itself(row):
    check_due(row)


@pytest.mark.parametrize("row", ROWS[::GATE], ids=lambda row: f"{row['kind']}-{row['id']}")
def test_a_schedule_is_the_same_or_explained(row):
    verdict, told = verdict_of(row)
    assert verdict in TABLE[row["kind"]]
    assert verdict == "same" or all(text.endswith(".") for text in told)


def can_be_read(row: dict[str, Any]) -> bool:
    """Whether a schedule can be said here."""
    try:
        reading = read(row["kind"], row["fields"], zone_of(row), anchor_of(row))
        task = ScheduledTask(schedule_kind=reading.kind, expression=reading.expression, created_at=BEGIN)
        return bool(task.policy)
    except (Unreadable, InvalidSchedule):
        return False


def test_each_schedule_can_be_read_but_for_those_of_the_table():
    found = Counter(row["kind"] for row in ROWS if not can_be_read(row))
    assert found == {kind: verdicts["cannot"] for kind, verdicts in TABLE.items() if "cannot" in verdicts}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_schedules_are_the_same_or_explained():
    found: dict[str, Counter[str]] = {}
    for row in ROWS:
        verdict, told = verdict_of(row)
        found.setdefault(row["kind"], Counter())[verdict] += 1
        assert verdict == "same" or told, row
    assert found == TABLE


@pytest.mark.parametrize(
    ("kind", "fields", "expression", "told"),
    [
        ("celery", {"minute": "0", "hour": "3", "day_of_month": "1-7", "day_of_week": "sunday"}, "0 3 * * 0#1", ""),
        (
            "celery",
            {"minute": "0", "hour": "9", "day_of_month": "2-8", "day_of_week": "wed"},
            "0 9 2-8 * &3",
            "",
        ),
        ("celery", {"minute": "0", "hour": "3", "day_of_week": "fri-mon"}, "0 3 * * 0,1,5,6", ""),
        ("celery", {"minute": [30, 0], "hour": {3}}, "0,30 3 * * *", ""),
        ("celery", {"hour": "2", "minute": "30"}, "30 2 * * *", "only here: Sun 2027-03-28 03:00"),
        ("celery", {"minute": "15"}, "15 * * * *", "Only here: Sun 2027-10-31 02:15 (again)"),
        ("apscheduler", {"trigger": "cron", "day_of_week": "0", "hour": "6"}, "0 6 * * 1", ""),
        ("apscheduler", {"from_crontab": "0 6 * * 0-4"}, "0 6 * * 1-5", ""),
        ("apscheduler", {"trigger": "cron", "day_of_week": "5-6", "hour": "6"}, "0 6 * * 6-7", ""),
        ("k8s", {"schedule": "0 6 */2 * 1"}, "0 6 1-31/2 * 1", ""),
        ("crontab", {"line": "0 6 1 * 1"}, "0 6 1 * 1", ""),
        ("django-q", {"schedule_type": "CRON", "cron": "0 0 4 * * 30"}, "30 0 0 4 * *", ""),
        (
            "django-q",
            {"schedule_type": "CRON", "cron": "30 2 * * *"},
            "30 2 * * *",
            "Only django-q2: Sun 2027-10-31 02:30 (again)",
        ),
        ("django-q", {"schedule_type": "BIMONTHLY"}, "0 6 4 1,3,5,7,9,11 *", ""),
        ("huey", {"minute": "0", "hour": "2"}, "0 2 * * *", "Only here: Sun 2027-03-28 03:00"),
    ],
)
def test_what_is_said_otherwise_here(kind, fields, expression, told):
    row = {"kind": kind, "fields": fields, "zone": "Europe/Berlin"}
    assert read(kind, fields, zone_of(row), anchor_of(row)).expression == expression
    verdict, texts = verdict_of(row)
    assert (verdict == "same") == (not told)
    assert told in " ".join(texts)
    json.dumps(texts)


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        ("celery", {"solar": "sunset,1,2"}, "Sunrise and sunset"),
        ("celery", {"minute": "5/10"}, "cannot be read"),
        ("celery", {"minute": "60"}, "beyond what"),
        ("celery", {"seconds": "0.5"}, "whole seconds"),
        ("apscheduler", {"trigger": "cron", "year": "2030"}, "bound to years"),
        ("apscheduler", {"trigger": "cron", "week": "3"}, "weeks of the year"),
        ("apscheduler", {"trigger": "cron", "day_of_week": "fri-mon"}, "backwards"),
        ("crontab", {"line": "@reboot"}, "systemd"),
        ("crontab", {"line": "H 3 * * *"}, "Jenkins"),
        ("crontab", {"line": "0 0 15W * *"}, "working day"),
        ("crontab", {"line": "0 0 * *"}, "4 fields"),
        ("crontab", {"line": "0 " + "1," * 600 + "1 * * *"}, "longer than"),
        ("quartz", {"cron": "0 0 0 L-2 * ?"}, "end of the month"),
        ("oncalendar", {"OnCalendar": "2027-01-01 00:00"}, "bound to years"),
        ("oncalendar", {"OnCalendar": "*-*-* 03:00 Europe/Nowhere"}, "no time zone"),
        ("eventbridge", {"expression": "every day"}, "neither"),
        ("fcron", {}, "not known"),
        ("django-q", {"schedule_type": "HALF"}, "no schedule type"),
    ],
)
def test_what_cannot_be_said_here(kind, fields, why):
    verdict, texts = verdict_of({"kind": kind, "fields": fields, "zone": "Europe/Berlin"})
    assert verdict == "cannot"
    assert why in texts[0]


def test_month_ends_of_django_q_creep_and_ours_stay():
    row = {"kind": "django-q", "fields": {"schedule_type": "MONTHLY"}, "zone": "UTC"}
    reading = read(row["kind"], row["fields"], zone_of(row), datetime(2027, 1, 31, 5, 0, tzinfo=UTC))
    assert reading.expression == "0 5 L * *"
    task = ScheduledTask(schedule_kind="cron", expression=reading.expression, created_at=BEGIN)
    difference = compare(reading, task.policy, now=BEGIN)
    (text,) = sentences(reading, difference, zone_of(row))
    assert "stays on that month's last day" in text
    assert "Sun 2027-03-28 05:00" in text
    assert "Wed 2027-03-31 05:00" in text
