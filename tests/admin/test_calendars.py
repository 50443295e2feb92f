"""Calendars in the admin: their year, their form, the import, and the fields of a task."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from django_scheduled_tasks.admin.charts.year import day_words
from django_scheduled_tasks.models import Calendar, ScheduledTask, frozen_at
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar, update_calendar
from tests.admin.pages import FORM, TASKS, Fields
from tests.factories import make_task, make_user
from tests.services.tasks.calendars.test_in_tasks import THURSDAY, WEEKDAYS

pytestmark = pytest.mark.django_db
CALENDARS = "/admin/django_scheduled_tasks/calendar/"
DEFINITION = {
    "weekdays": WEEKDAYS,
    "holidays": "DE-BE",
    "dates": [{"from": "2027-07-12", "to": "2027-07-16", "label": "stock-taking"}],
    "windows": ["Thu 22:00 – Fri 00:00"],
}


@pytest.fixture
def client():
    found = Client()
    found.force_login(make_user(name="anna", superuser=True))
    return found


@pytest.fixture
def calendar():
    return create_calendar("de", zone="Europe/Berlin", definition=DEFINITION)


def test_the_page_shows_the_year_its_rules_and_who_uses_it(client, calendar):
    daily = {"schedule_kind": "cron", "timezone": "Europe/Berlin", "calendars": ["de"]}
    make_task(name="invoice-run", expression="0 9 * * *", on_excluded="next_allowed", **daily)
    make_task(name="often", expression="* * * * *", **daily)
    page = client.get(f"{CALENDARS}{calendar.pk}/change/?year=2027").content.decode()
    assert page.count('class="dst-month"') == 12
    assert page.count("data-dst-day=") == 365
    assert page.count('tabindex="0" data-dst-day="2027-01-01"') == 1
    assert "Fri 1 Jan 2027, New Year&#x27;s Day, public holiday: excluded" in page
    assert "Mon 12 Jul 2027, stock-taking, closed: excluded" in page
    assert "Mon 4 Jan 2027: allowed" in page
    assert "Used by 2 tasks" in page
    assert "of 365 move" in page
    assert "of 525,600: too many to count" in page
    assert "Version 1, saved on" in page
    assert "library holidays" in page


def test_a_year_that_is_none_shows_the_present_one(client, calendar):
    with frozen_at(THURSDAY):
        for year in ("x", "99999", ""):
            page = client.get(f"{CALENDARS}{calendar.pk}/change/?year={year}").content.decode()
            assert '<h2 id="dst-year-title">2026</h2>' in page


def test_a_saved_form_without_a_change_changes_nothing_and_one_with_plans_tasks_anew(client, calendar):
    with frozen_at(THURSDAY):
        task = make_task(
            schedule_kind="cron", expression="0 9 25 * *", timezone="Europe/Berlin", calendars=["de"], name="monthly"
        )
    address = f"{CALENDARS}{calendar.pk}/change/"
    sent = Fields(client.get(address).content.decode()).sent | {"weekdays": WEEKDAYS}
    assert sent["dates"].strip() == "2027-07-12 – 2027-07-16 stock-taking"
    assert client.post(address, sent).status_code == 302
    assert Calendar.objects.get().version == 1
    before = task.next_run_at
    with frozen_at(THURSDAY):
        response = client.post(address, sent | {"holidays": ""}, follow=True)
    assert "1 task was planned anew." in response.content.decode()
    calendar.refresh_from_db()
    task.refresh_from_db()
    assert (calendar.version, calendar.updated_by.get_username()) == (2, "anna")
    assert (task.next_run_at < before, task.next_run_at.day) == (True, 25)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("dates", "tomorrow", "is no date"),
        ("dates", "2027-02-30", "is no date"),
        ("windows", "always", "is no weekly window"),
        ("holidays", "XX", "No public holidays are known"),
        ("weekdays", [], "At least one day"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field(client, field, value, said):
    sent = {"name": "new", "zone": "UTC", "weekdays": ["mon"]} | {field: value}
    page = client.post(f"{CALENDARS}add/", sent).content.decode()
    assert said in page
    assert f'id="id_{field}_error"' in page or "errorlist" in page
    assert not Calendar.objects.exists()


def test_a_form_that_was_open_while_another_saved_overwrites_nothing(client, calendar):
    address = f"{CALENDARS}{calendar.pk}/change/"
    sent = Fields(client.get(address).content.decode()).sent | {"weekdays": WEEKDAYS, "holidays": ""}
    update_calendar(calendar, definition={"holidays": "FR"})
    assert "was changed while the form was open" in client.post(address, sent).content.decode()
    assert Calendar.objects.get().definition["holidays"] == "FR"


def test_an_ics_file_is_imported_or_says_its_line(client, calendar):
    address = f"{CALENDARS}{calendar.pk}/import/"
    good = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20271224\nSUMMARY:Eve\nEND:VEVENT\nEND:VCALENDAR"
    bad = good.replace(b"20271224", b"Christmas")
    page = client.post(address, {"ics": SimpleUploadedFile("a.ics", bad)}).content.decode()
    assert "Line 3: DTSTART has no date. Nothing was imported." in page
    done = client.post(address, {"ics": SimpleUploadedFile("a.ics", good)}, follow=True).content.decode()
    assert "1 date was imported." in done
    assert Calendar.objects.get().definition["dates"][-1] == {"from": "2027-12-24", "to": "2027-12-24", "label": "Eve"}


def test_a_calendar_in_use_has_no_button_to_delete_it(client, calendar):
    assert client.get(f"{CALENDARS}{calendar.pk}/delete/").status_code == 200
    make_task(calendars=["de"])
    assert client.get(f"{CALENDARS}{calendar.pk}/delete/").status_code == 403


def test_a_task_gets_calendars_by_its_form_and_the_preview_strikes_out_what_is_excluded(client, calendar):
    given = FORM | {"cron": "0 9 * * *", "calendars": "de", "on_excluded": "next_allowed"}
    with frozen_at(THURSDAY):
        preview = client.get(f"{TASKS}preview/", given).content.decode()
        assert "<s><time" in preview
        assert "Christmas Day → " in preview
        assert client.post(f"{TASKS}add/", given).status_code == 302
    task = ScheduledTask.objects.get(name="Nightly")
    assert (task.calendars, task.on_excluded) == (["de"], "next_allowed")
    page = client.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert "Known: de." in page
    wrong = client.post(f"{TASKS}add/", given | {"name": "other", "calendars": "fr"}).content.decode()
    assert "There is no calendar &quot;fr&quot;." in wrong


def test_a_day_says_what_it_is():
    assert day_words(date(2027, 1, 4), None) == "Mon 4 Jan 2027: allowed"


def test_the_changes_tell_what_became_of_a_calendar(client, calendar):
    update_calendar(calendar, definition=DEFINITION | {"holidays": "FR", "windows": []}, user=make_user(name="ben"))
    page = client.get("/admin/django_scheduled_tasks/change/").content.decode()
    assert page.count("Calendar <b>de</b>") == 2
    assert "DE-BE" in page
    assert "ben" in page
