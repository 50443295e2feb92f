"""Skip next in the admin and over REST."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from django_scheduled_tasks.models import ScheduledTask
from tests.admin.pages import TASKS
from tests.factories import EDITOR, VIEWER, make_task, make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture
def hourly():
    return make_task(name="hourly", schedule_kind="cron", expression="0 * * * *")


@pytest.fixture
def anna(client):
    client.force_login(make_user(*EDITOR, name="anna"))
    return client


def iso(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def test_the_next_run_is_skipped_with_a_reason_and_the_message_undoes_it(anna, hourly):
    first = hourly.next_run_at
    page = anna.get(f"{TASKS}{hourly.pk}/skip/").content.decode()
    assert page.count('type="checkbox"') == 10
    answer = {"at": [iso(first)], "reason": "stock-taking"}
    said = anna.post(f"{TASKS}{hourly.pk}/skip/", answer, follow=True).content.decode()
    text = text_of(said)
    assert f"Skips 1 run: {first:%a %H:%M}. The next is then {first + HOUR:%a %H:%M}. Undo skip" in text
    assert f"{first:%a %H:%M} is skipped by anna: “stock-taking”. Undo skip" in text
    assert f"· {first:%a} skipped" in text_of(anna.get(TASKS).content.decode())
    undo = f"{TASKS}{hourly.pk}/undo-skip/"
    assert f'formaction="{undo}" formnovalidate name="at" value="{iso(first)}"' in said
    said = text_of(anna.post(undo, {"at": iso(first)}, follow=True).content.decode())
    assert f"1 run is not skipped. The next is then {first:%a %H:%M}." in said
    assert ScheduledTask.objects.get().skips is None
    assert "nothing is skipped then." in text_of(anna.post(undo, {"at": iso(first)}, follow=True).content.decode())
    assert anna.post(undo, {"at": "x"}).status_code == 302


def test_a_range_is_skipped(anna, hourly):
    first, last = hourly.next_run_at, hourly.next_run_at + 30 * HOUR
    given = {"start_0": f"{first:%Y-%m-%d}", "start_1": f"{first:%H:%M}"}
    given |= {"end_0": f"{last:%Y-%m-%d}", "end_1": f"{last:%H:%M}"}
    text = text_of(anna.post(f"{TASKS}{hourly.pk}/skip/", given, follow=True).content.decode())
    assert "Skips 31 runs: " in text
    assert "is skipped by anna." in text
    assert "31 skipped" in text_of(anna.get(TASKS).content.decode())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Tick some, or give a range."),
        ({"start_0": "2020-01-01", "start_1": "00:00"}, "a range has a beginning and an end."),
        ({"at": ["2020-01-01T00:00:00.000Z"]}, "is not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field(anna, hourly, given, said):
    assert said in text_of(anna.post(f"{TASKS}{hourly.pk}/skip/", given).content.decode())
    assert ScheduledTask.objects.get().skips is None


def test_who_may_not_pause_sees_that_it_is_skipped_and_has_no_button(client, anna, hourly):
    anna.post(f"{TASKS}{hourly.pk}/skip/", {"at": [iso(hourly.next_run_at)], "reason": "<b>"}, follow=True)
    client.force_login(make_user(*VIEWER))
    page = client.get(f"{TASKS}{hourly.pk}/change/").content.decode()
    assert "is skipped</strong> by anna: “&lt;b&gt;”." in page
    assert "Undo skip" not in page
    assert "Skip next…" not in page
