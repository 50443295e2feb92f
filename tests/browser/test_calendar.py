"""The year of a calendar in Chromium: keys, colours, narrow and wide, and what axe-core says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar
from tests.admin.test_calendars import CALENDARS, DEFINITION
from tests.browser.harness import TASKS
from tests.factories import make_task, make_user
from tests.selection import first_in_gate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("SCHEDULED_TASKS_TEST_PICTURES", "")
FOCUSED = "() => document.activeElement.getAttribute('aria-label')"


@pytest.fixture
def address():
    row = create_calendar("de", zone="Europe/Berlin", definition=DEFINITION, user=make_user(name="ben"))
    daily = {"schedule_kind": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin", "calendars": ["de"]}
    make_task(name="invoice-run", on_excluded="next_allowed", **daily)
    return f"{CALENDARS}{row.pk}/change/?year=2027"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", first_in_gate([False, True]), ids=["light", "dark"])
def test_the_page_is_readable_fits_and_keeps_to_the_policy(address, open_screen, dark, width):
    screen = open_screen(make_user(name="anna", superuser=True), dark=dark, width=width)
    page = screen.open(address)
    if PICTURES:
        screen.picture(Path(PICTURES) / f"calendar-{width}-{'dark' if dark else 'light'}.png")
    columns = page.evaluate("() => getComputedStyle(document.querySelector('.dst-months')).gridTemplateColumns")
    assert len(columns.split()) == (1 if width == 390 else 4)
    assert (screen.sideways(), screen.axe(), screen.complaints, screen.foreign) == (0, [], [], [])


def test_arrow_keys_go_on_by_day_and_by_week_and_each_day_says_what_it_is(address, open_screen):
    page = open_screen(make_user(name="anna", superuser=True)).open(address)
    page.focus("[data-dst-day][tabindex='0']")
    assert page.evaluate(FOCUSED) == "Fri 1 Jan 2027, New Year's Day, public holiday: excluded"
    for key, said in (
        ("ArrowRight", "Sat 2 Jan 2027: excluded"),
        ("ArrowDown", "Sat 9 Jan 2027: excluded"),
        ("ArrowLeft", "Fri 8 Jan 2027: allowed"),
        ("End", "Sun 31 Jan 2027: excluded"),
        ("ArrowDown", "Sun 7 Feb 2027: excluded"),
        ("ArrowUp", "Sun 31 Jan 2027: excluded"),
    ):
        page.keyboard.press(key)
        assert page.evaluate(FOCUSED) == said
    assert page.locator("[data-dst-day][tabindex='0']").count() == 1


def test_the_preview_of_a_task_strikes_out_what_a_calendar_excludes_while_one_types(address, open_screen):
    page = open_screen(make_user(name="anna", superuser=True)).open(f"{TASKS}add/")
    page.fill("#id_cron", "0 9 * * *")
    page.fill("#id_calendars", "de")
    page.wait_for_selector(".dst-excluded s")
    assert "Saturday" in page.inner_text(".dst-excluded")
