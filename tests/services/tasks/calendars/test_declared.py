"""Calendars that the code declares, and holidays that are not known for long."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks import calendar, cron, scheduled_task
from django_scheduled_tasks import registry as registered
from django_scheduled_tasks.client import upsert_task
from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.lifecycle import OnExcluded, Origin
from django_scheduled_tasks.models import Calendar, ScheduledTask
from django_scheduled_tasks.registry import Registry
from django_scheduled_tasks.schedules.calendars import HolidayRegion
from django_scheduled_tasks.services.tasks import sync
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar, delete_calendar, update_calendar
from django_scheduled_tasks.services.tasks.declared import calendars as declared_calendars
from django_scheduled_tasks.services.tasks.declared import rules as declared_rules
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture
def fresh(monkeypatch):
    """Return what begins anew with nothing declared."""

    def begin():
        found = Registry()
        for module in (registered, sync, declared_rules, declared_calendars):
            monkeypatch.setattr(module, "registry", found)
        monkeypatch.setattr("django_scheduled_tasks.services.tasks.validation.registry", found)
        monkeypatch.setattr("django_scheduled_tasks.services.tasks.fields.registry", found)

    begin()
    return begin


def declare_task(**options):
    def report() -> None: ...

    report.__module__ = "tests.testapp.tasks"
    scheduled_task(schedule=cron("0 9 * * *"), **options)(report)


def test_a_declared_calendar_and_a_task_that_names_it_become_rows_and_follow_the_code(fresh):
    calendar("de", zone="Europe/Berlin", holidays="DE-BE", dates=[(date(2027, 12, 20), "2027-12-31", "year end")])
    declare_task(calendars=("de",), on_excluded=OnExcluded.NEXT_ALLOWED)
    assert sync_declared_tasks().failed == {}
    row, task = Calendar.objects.get(), ScheduledTask.objects.get(name="report")
    assert (row.origin, row.version, row.definition["dates"][0]["label"]) == (Origin.CODE, 1, "year end")
    assert (task.calendars, task.on_excluded, task.calendar_stamps) == (["de"], "next_allowed", {"de": row.stamp})
    assert sync_declared_tasks().updated == []
    fresh()
    calendar("de", zone="Europe/Berlin", holidays="DE")
    declare_task(calendars=["de"])
    sync_declared_tasks()
    row.refresh_from_db()
    task.refresh_from_db()
    assert (row.version, row.definition["holidays"], task.calendar_stamps) == (2, "DE", {"de": row.stamp})


def test_a_declared_calendar_is_changed_in_code_only_and_is_the_staffs_when_the_code_lets_it_go(fresh):
    calendar("de", weekdays=["mon"])
    sync_declared_tasks()
    row = Calendar.objects.get()
    for change in (lambda: update_calendar(row, definition={}), lambda: delete_calendar(row)):
        with pytest.raises(InvalidInput, match="declared in code"):
            change()
    fresh()
    sync_declared_tasks()
    row.refresh_from_db()
    assert (row.origin, row.version) == (Origin.ADMIN, 1)
    assert update_calendar(row, definition={}).version == 2


def test_what_is_declared_wrongly_is_said_and_stops_nothing_else(fresh):
    calendar("xx", holidays="XX")
    calendar("ok", windows=["Fri 18:00 – Mon 06:00"])
    assert list(sync_declared_tasks().failed) == ["calendar:xx"]
    assert Calendar.objects.get().name == "ok"
    with pytest.raises(ImproperlyConfigured, match="Two calendars"):
        calendar("ok", holidays="DE")
    with pytest.raises(TypeError, match="windows is a list"):
        calendar("other", windows="Fri 18:00 – Mon 06:00")


def test_upsert_names_calendars(engine):
    create_calendar("de", definition={"holidays": "DE"})
    given = {"schedule": cron("0 9 * * *"), "calendars": ["de"], "on_excluded": "delay"}
    upsert_task(function="testapp.noop", key="a", **given)
    row = ScheduledTask.objects.get(key="a")
    assert (row.calendars, row.on_excluded, set(row.calendar_stamps)) == (["de"], "delay", {"de"})


@pytest.mark.parametrize(("years", "warned"), [(1, True), (3, False)])
def test_holidays_that_end_soon_are_a_warning_of_the_system_check_and_in_the_log(monkeypatch, caplog, years, warned):
    last = datetime.now(UTC).year + years
    create_calendar("de", definition={"holidays": "DE"})
    monkeypatch.setattr(HolidayRegion, "last_year", property(lambda _self: last))
    found = [one for one in run_checks(include_deployment_checks=True) if one.id == "scheduled_tasks.W019"]
    assert [str(last) in one.msg for one in found] == ([True] if warned else [])
    sync_declared_tasks()
    assert any(str(last) in one.getMessage() for one in caplog.records) == warned
