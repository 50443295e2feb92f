"""The preview of a schedule, and that Save refuses what the preview marks as wrong."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest

from django_scheduled_tasks.models import ScheduledTask, frozen_at
from tests.admin.pages import FORM, TASKS
from tests.factories import EDITOR, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 20, 12, tzinfo=UTC)
WRONG = {
    "61 * * * *": "Minute: 61 is not between 0 and 59.",
    "* * * *": "A cron expression has five parts (minute, hour, day, month, weekday), or six with seconds first."
    " This one has four.",
    "0 25 * * *": "Hour: 25 is not between 0 and 23.",
    "0 0 * * 8": "Weekday: 8 is not between 0 and 7 (0 and 7 are Sunday) or a name like MON.",
    "0 0 31 2 *": "This never happens: February has no day 31.",
}
RIGHT = {
    "@daily": "Every day at 00:00.",
    "0 9 1 * 1": 'Runs on day 1 or on Monday: cron joins the two with "or". If both have to fit, write &',
    "*/7 * * * *": "Not even: after :56 the next is at :00, 4 minutes later.",
    "30 2 * * *": "On Sun 28 Mar 2027 the clock skips 02:30, so it runs at 03:00. On 31 Oct 2027 02:30 comes twice; it"
    " runs once.",
    "* * * * *": "1,440 a day.",
}


@pytest.fixture
def editor(client):
    client.force_login(make_user(*EDITOR))
    return client


def text_of(response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def preview(client, **given) -> str:
    with frozen_at(NOW):
        return text_of(client.get(f"{TASKS}preview/", {"timezone": "Europe/Berlin", **given}))


@pytest.mark.parametrize("expression", WRONG)
def test_what_is_wrong_is_said_and_refused(editor, expression):
    assert f"✗ {WRONG[expression]}" in preview(editor, schedule_kind="cron", cron=expression)
    response = editor.post(f"{TASKS}add/", FORM | {"schedule_kind": "cron", "cron": expression})
    assert response.context["adminform"].form.errors["cron"] == [WRONG[expression]]
    assert not ScheduledTask.objects.exists()


@pytest.mark.parametrize("expression", RIGHT)
def test_what_is_right_is_said_and_accepted_as_typed(editor, expression):
    assert RIGHT[expression] in preview(editor, schedule_kind="cron", cron=expression)
    assert "✗" not in preview(editor, schedule_kind="cron", cron=expression)
    response = editor.post(f"{TASKS}add/", FORM | {"schedule_kind": "cron", "cron": expression})
    assert response.status_code == 302
    assert ScheduledTask.objects.get().expression == expression


def test_the_next_five_are_named(editor):
    shown = preview(editor, schedule_kind="cron", cron="0 3 * * 1-5")
    assert "At 03:00, Monday to Friday. Next five: Europe/Berlin" in shown
    assert "Tue 24 Nov 03:00 (in 5 h) · Wed 25 03:00 · Thu 26 03:00 · Fri 27 03:00 · Mon 30 03:00" in shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"schedule_kind": "interval", "every_0": "15", "every_1": "60"}, "Every 15 minutes. Next five:"),
        ({"schedule_kind": "interval", "every_0": "1.5", "every_1": "3600"}, "Next five:"),
        ({"schedule_kind": "interval", "every_0": "x", "every_1": "60"}, "✗"),
        ({"schedule_kind": "dates", "dates": "2026-12-24 18:00"}, "Next: Europe/Berlin Thu 24 Dec 18:00"),
        ({"schedule_kind": "dates", "dates": "2020-12-24 18:00"}, "All its dates have passed."),
        ({"schedule_kind": "dates", "dates": "soon"}, "✗"),
        ({"schedule_kind": "manual"}, "Only when someone runs it"),
        ({"schedule_kind": "cron", "cron": ""}, "appear here while you type"),
        ({"schedule_kind": "moon", "other": "full"}, "✗"),
        ({"schedule_kind": "cron", "cron": "0 3 * * *", "timezone": "Mars/Base"}, "✗"),
    ],
)
def test_other_kinds(editor, given, shown):
    assert shown in preview(editor, **given)


def test_the_page_has_the_first_preview_without_a_script(editor):
    editor.post(f"{TASKS}add/", FORM | {"schedule_kind": "interval", "every_0": "2", "every_1": "3600"})
    task = ScheduledTask.objects.get()
    assert task.expression == "2h"
    page = text_of(editor.get(f"{TASKS}{task.pk}/change/"))
    assert "Every 2 hours. Next five:" in page
