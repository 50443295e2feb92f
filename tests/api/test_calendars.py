"""Calendars by REST, and tasks that name them."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import Calendar, ScheduledTask, frozen_at
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import OWNER, make_task
from tests.services.tasks.calendars.test_in_tasks import THURSDAY

pytestmark = pytest.mark.django_db
ADDRESS = f"{ROOT}/calendars/"
BODY = {
    "name": "de",
    "zone": "Europe/Berlin",
    "weekdays": ["mon", "tue", "wed", "thu", "fri"],
    "holidays": "de-be",
    "dates": [{"from": "2027-07-12", "to": "2027-07-16", "label": "stock-taking"}],
    "windows": ["Thu 22:00 - Thu 24:00"],
}


@pytest.fixture
def client():
    return client_of(*OWNER)


@pytest.fixture
def calendar(client):
    response = client.post(ADDRESS, BODY, format="json")
    assert response.status_code == 201, response.content
    return response.json()


def test_a_calendar_is_made_read_changed_and_deleted(client, calendar):
    assert (calendar["holidays"], calendar["version"], calendar["origin"]) == ("DE-BE", 1, "admin")
    assert calendar["windows"] == ["Thu 22:00 – Fri 00:00"]
    changed = client.patch(f"{ADDRESS}de/", {"windows": []}, format="json").json()
    assert (changed["windows"], changed["version"], changed["dates"]) == ([], 2, calendar["dates"])
    old = client.patch(f"{ADDRESS}de/", {"windows": [], "zone": "UTC", "version": 1}, format="json")
    assert (old.status_code, codes(old)[0][0]) == (412, "calendar_changed")
    assert client.get(ADDRESS).json()["results"][0]["name"] == "de"
    make_task(calendars=["de"])
    used = client.delete(f"{ADDRESS}de/")
    assert (used.status_code, codes(used)[0][0]) == (409, "calendar_in_use")
    ScheduledTask.objects.all().delete()
    assert client.delete(f"{ADDRESS}de/").status_code == 204
    assert client.get(f"{ADDRESS}de/").status_code == 404


def test_a_year_names_its_days(client, calendar):
    found = client.get(f"{ADDRESS}de/year/2027/").json()
    days = {one["day"]: (one["kind"], one["name"]) for one in found["days"]}
    assert days["2027-01-01"] == ("holiday", "New Year's Day")
    assert days["2027-07-14"] == ("date", "stock-taking")
    assert days["2027-01-02"] == ("weekday", "Saturday")
    assert "2027-01-04" not in days
    assert client.get(f"{ADDRESS}de/year/9999999/").status_code == 422


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "No Name"),
        ("name", "de"),
        ("zone", "Mars"),
        ("weekdays", []),
        ("weekdays", ["someday"]),
        ("holidays", "XX"),
        ("windows", ["always"]),
        ("dates", [{"from": "2027-07-12", "to": "2027-07-10"}]),
        ("dates", [{"from": "0001-07-12"}]),
    ],
)
def test_what_cannot_be_read_is_refused_by_field(client, calendar, field, value):
    response = client.post(ADDRESS, {"name": "other"} | {field: value}, format="json")
    assert (response.status_code, response.json()["errors"]["items"][0]["details"]["field"]) == (422, field)
    assert Calendar.objects.count() == 1


def ics(*events):
    body = "\r\n".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}\r\nEND:VCALENDAR\r\n"


def test_an_ics_file_adds_its_days(client, calendar):
    text = ics(
        "DTSTART;VALUE=DATE:20271220\r\nDTEND;VALUE=DATE:20280101\r\nSUMMARY:Year\\, \r\n end",
        "DTSTART;TZID=Europe/Berlin:20270501T090000\r\nDTEND;TZID=Europe/Berlin:20270502T120000\r\nSUMMARY:Move",
        "DTSTART:20270601\r\nSTATUS:CANCELLED",
    )
    found = client.post(f"{ADDRESS}de/import-ics/", {"ics": text}, format="json").json()
    assert [(one["from"], one["to"], one["label"]) for one in found["dates"]] == [
        ("2027-05-01", "2027-05-02", "Move"),
        ("2027-07-12", "2027-07-16", "stock-taking"),
        ("2027-12-20", "2027-12-31", "Year, end"),
    ]
    again = client.post(f"{ADDRESS}de/import-ics/", {"ics": text}, format="json").json()
    assert (again["version"], again["dates"]) == (found["version"], found["dates"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ics("DTSTART:tomorrow"), "Line 4: DTSTART has no date."),
        (ics("SUMMARY:x"), "Line 3: This event has no DTSTART."),
        (ics("DTSTART:20270101\r\nRRULE:FREQ=YEARLY"), "Line 5: Events that repeat"),
        ("hello", "Line 1: It does not begin"),
        (ics(), "The file has no event."),
    ],
)
def test_an_ics_file_that_cannot_be_read_imports_nothing_and_says_the_line(client, calendar, text, said):
    response = client.post(f"{ADDRESS}de/import-ics/", {"ics": text}, format="json")
    message = response.json()["errors"]["items"][0]["message"]
    assert (response.status_code, said in message, "Nothing was imported." in message) == (422, True, True), message
    assert Calendar.objects.get().version == 1


def test_a_task_names_calendars_and_previews_say_what_they_leave_out(client, calendar):
    body = {"name": "daily", "function": "testapp.noop", "scheduleKind": "cron", "expression": "0 9 * * *"}
    body |= {"timezone": "Europe/Berlin", "calendars": ["de"], "onExcluded": "next_allowed"}
    with frozen_at(THURSDAY):
        task = client.post(f"{ROOT}/tasks/", body, format="json").json()
        assert (task["calendars"], task["onExcluded"]) == (["de"], "next_allowed")
        found = client.get(f"{ROOT}/tasks/daily/upcoming/?count=2").json()
        asked = {"scheduleKind": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin", "calendars": ["de"]}
        preview = client.post(f"{ROOT}/schedules/preview/", asked | {"count": 2}, format="json").json()
    moved = {one["scheduledFor"][:10]: (one["movedTo"] or "")[:10] for one in found["excluded"]}
    assert moved == {"2026-12-25": "2026-12-28", "2026-12-26": "2026-12-28", "2026-12-27": "2026-12-28"}
    assert [one["scheduledFor"][:10] for one in preview["upcoming"]] == ["2026-12-24", "2026-12-28"]
    assert [one["name"] for one in preview["excluded"]] == ["Christmas Day", "Second Day of Christmas", "Sunday"]
    wrong = client.patch(f"{ROOT}/tasks/daily/", {"calendars": ["fr"]}, format="json")
    assert wrong.json()["errors"]["items"][0]["details"]["field"] == "calendars"
