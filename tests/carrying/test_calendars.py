"""Tasks that name calendars, from one environment to another."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.carrying import apply_plan, export_document, make_plan
from django_scheduled_tasks.models import Calendar, ScheduledTask
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar
from tests.factories import make_task, make_user

pytestmark = pytest.mark.django_db


def test_a_task_takes_the_names_of_its_calendars_along_and_needs_them_where_it_comes_to():
    create_calendar("de", definition={"weekdays": ["mon"]})
    task = make_task(name="daily", schedule_kind="cron", expression="0 9 * * *", calendars=["de"], on_excluded="delay")
    document = export_document([task])
    assert (document["tasks"][0]["calendars"], document["tasks"][0]["onExcluded"]) == (["de"], "delay")
    ScheduledTask.objects.all().delete()
    Calendar.objects.all().delete()
    (item,) = make_plan(document).items
    assert [error.field for error in item.errors] == ["calendars"]
    row = create_calendar("de", definition={"weekdays": ["tue"]})
    apply_plan(make_plan(document), user=make_user(superuser=True))
    found = ScheduledTask.objects.get()
    assert (found.calendars, found.on_excluded, found.calendar_stamps) == (["de"], "delay", {"de": row.stamp})
