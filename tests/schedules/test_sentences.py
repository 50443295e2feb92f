"""What schedules say about themselves, and what they warn of."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from django_scheduled_tasks.schedules import Interval, Manual, at, cron, describe, every, parse_schedule, warnings_for
from tests.schedules.help import DAY, NOW, utc

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        # as the screens show them
        ("0 3 * * 1-5", "At 03:00, Monday to Friday"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("0 8 * * 1", "At 08:00, only on Monday"),
        ("30 2 1 * *", "At 02:30, day 1 of month"),
        ("@daily", "Every day at 00:00"),
        # other common ones
        ("* * * * *", "Every minute"),
        ("* * * * * *", "Every second"),
        ("*/10 * * * * *", "Every 10 seconds"),
        ("0 */5 * * * *", "Every 5 minutes"),
        ("0,15,30,45 * * * *", "Every 15 minutes"),
        ("@hourly", "Every hour"),
        ("5 * * * *", "Every hour at :05"),
        ("0 */2 * * *", "Every 2 hours"),
        ("30 */6 * * *", "Every 6 hours at :30"),
        ("15 3,15 * * *", "Every day at 03:15 and 15:15"),
        ("0 0,6,12,18 * * *", "Every 6 hours"),
        ("0 1,2,9,20 * * *", "Every day at 01:00, 02:00, 09:00 and 20:00"),
        ("*/15 9-17 * * MON-FRI", "Every 15 minutes from 09:00 to 17:45, Monday to Friday"),
        ("* 9-10 * * *", "Every minute from 09:00 to 10:59"),
        ("0 8 * * MON,THU", "At 08:00, on Monday and Thursday"),
        ("0 8 * * 1,3,5", "At 08:00, Monday, Wednesday and Friday"),
        ("0 8 * * 6,7", "At 08:00, on Saturday and Sunday"),
        ("0 8 * * 5-7", "At 08:00, Friday to Sunday"),
        ("@weekly", "At 00:00, only on Sunday"),
        ("@monthly", "At 00:00, day 1 of month"),
        ("0 8 1,15 * *", "At 08:00, days 1 and 15 of month"),
        ("0 8 1-7 * *", "At 08:00, days 1 to 7 of month"),
        ("0 8 L * *", "At 08:00, on the last day of the month"),
        ("0 8 LW * *", "At 08:00, on the last weekday (Monday to Friday) of the month"),
        ("0 8 * * 5L", "At 08:00, on the last Friday of the month"),
        ("0 8 * * 1#2", "At 08:00, on the second Monday of the month"),
        ("@yearly", "At 00:00, on 1 January"),
        ("30 15 3 * * *", "Every day at 03:15:30"),
        ("*/20 * * * 1", "Every 20 minutes, only on Monday"),
        ("0 9 L 1 *", "At 09:00, on the last day of the month, in January"),
        ("0 9 * 1-6 *", "Every day at 09:00, from January to June"),
        ("0 9 * * 1,2,4,5,0", "At 09:00, Monday, Tuesday, Thursday, Friday and Sunday"),
        ("7 9-17 * * *", "Every hour from 09:07 to 17:07"),
        ("0 9 1,3,5,7,9 * *", "At 09:00, every 2 days from day 1 to day 9 of month"),
        ("0 */5 * * *", "Every 5 hours from 00:00 to 20:00"),
        ("*/7 * * * *", "Every 7 minutes, from :00 to :56 of each hour"),
        ("0 9 1 * 1", "At 09:00, day 1 of month, and also on Monday"),
        ("0 9 1 1,7 *", "At 09:00, day 1 of month, in January and July"),
        ("0 9 */2 * 1", "At 09:00, every 2 days from day 1 to day 31 of month, if it is Monday"),
        ("*/15 9,12 * * *", "Every 15 minutes, from 09:00 to 09:45 and from 12:00 to 12:45"),
        # none rather than a wrong one
        ("0 */3,8-17 * * *", ""),
        ("5 1-2,4,9,20 * * *", ""),
        ("*/7 9-17 * * *", ""),
        ("0 9 1,2,3,5,8 * *", ""),
        ("0 9 * 1,2,3,5,6,8,9 *", ""),
        ("0 9 1-31 * 1", ""),
        ("0 9 1 * 0-6", ""),
        ("* 8-9,*/6,1,4 * * *", ""),
        ("0 9 1,L * *", ""),
        ("0 9 * * 1,5L", ""),
        ("0 9 * * 1#1,3#1", ""),
        ("0 9 * * 5L,1L", ""),
        ("0 9 1,L 1 *", ""),
        ("5,10,20,40,41 3 * * *", ""),
        ("7 */15 * * * *", ""),
        ("0-30 * * * * *", ""),
    ],
)
def test_a_cron_expression_as_a_sentence(expression, sentence):
    assert describe(cron(expression)) == sentence


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        (every("1s"), "Every second"),
        (every("90s"), "Every 90 seconds"),
        (every("1m"), "Every minute"),
        (every("15m"), "Every 15 minutes"),
        (every("1h"), "Every hour"),
        (every("36h"), "Every 36 hours"),
        (every("1d"), "Every day"),
        (every("3d"), "Every 3 days"),
        (every("1w"), "Every week"),
        (every("2w"), "Every 2 weeks"),
        (every("2h30m"), "Every 2 hours and 30 minutes"),
        (every("1d1h1m1s"), "Every 1 day, 1 hour, 1 minute and 1 second"),
        (at("2026-11-24T03:00Z"), "Once, on Tue 24 Nov 2026 at 03:00 UTC"),
        (at("2026-11-24T03:00Z", "2026-11-25T03:00Z"), "At 2 dates"),
        (Manual(), "Only when someone runs it"),
    ],
)
def test_other_kinds_as_a_sentence(schedule, sentence):
    assert describe(schedule) == sentence


@pytest.mark.parametrize(
    ("text", "zone", "sentence"),
    [
        ("2026-11-24T23:30Z", "Europe/Berlin", "Once, on Wed 25 Nov 2026 at 00:30 (Europe/Berlin)"),
        ("2026-11-25T00:30", "Europe/Berlin", "Once, on Wed 25 Nov 2026 at 00:30 (Europe/Berlin)"),
        ("2026-01-01T03:00Z", "America/New_York", "Once, on Wed 31 Dec 2025 at 22:00 (America/New_York)"),
        ("2026-11-24T03:00+01:00", "UTC", "Once, on Tue 24 Nov 2026 at 02:00 UTC"),
    ],
)
def test_a_single_date_is_told_in_its_zone(text, zone, sentence):
    schedule = parse_schedule("dates", text, timezone=zone)
    assert describe(schedule) == sentence
    assert schedule == at(schedule.instants[0])  # the zone is only for showing it


GAP = "On Sun 28 Mar 2027 the clock skips 02:30, so it runs at 03:00. On 31 Oct 2027 02:30 comes twice; it runs once."


BOTH = " If both have to fit, write & before the weekday."


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # the table of the preview
        ("0 9 1 * 1", ['Runs on day 1 or on Monday: cron joins the two with "or".' + BOTH]),
        ("*/7 * * * *", ["Not even: after :56 the next is at :00, 4 minutes later."]),
        ("30 2 * * *", [GAP]),
        ("* * * * *", ["1,440 a day."]),
        # its relatives
        ("0 9 13 * &FRI", ["Runs only where both fit: day 13; Friday."]),
        ("0 9 1,15 * MON-FRI", ['Runs on days 1 and 15 or on Monday to Friday: cron joins the two with "or".' + BOTH]),
        ("0 9 L * 5L", ['Runs on the last day or on the last Friday: cron joins the two with "or".' + BOTH]),
        ("0 9 1,L * 1,5L", ['Runs on day 1,L or on 1,5L: cron joins the two with "or".' + BOTH]),
        ("0 9 */2 * *", ["Not even: the step counts anew each month, so after day 31 comes day 1."]),
        ("0 9 */31 * *", ["Not every 31 days: the step counts anew each month, so it runs on day 1 only."]),
        ("0 9 20/15 * *", ["Not every 15 days: the step counts anew each month, so it runs on day 20 only."]),
        ("0 9 */31 2 *", []),
        (
            "0 9 */2 * 1",
            [
                "Runs only where both fit (every 2 days from day 1 to day 31 of month; Monday): cron joins day and"
                ' weekday with "and" where one of them starts with *.'
            ],
        ),
        (
            "0 9 1,15 * */2",
            [
                "Runs only where both fit (days 1 and 15; Tuesday, Thursday, Saturday and Sunday): cron joins day and"
                ' weekday with "and" where one of them starts with *.'
            ],
        ),
        ("0 9 * * */2", ["Not even: the step counts anew each week, so after Saturday comes Sunday."]),
        ("0 9 * * 1/3", ["Not even: the step counts anew each week, so after Sunday comes Monday."]),
        ("0 9 * * MON/3", ["Not even: the step counts anew each week, so after Sunday comes Monday."]),
        ("0 9 * * 5/2", ["Not even: the step counts anew each week, so after Sunday comes Friday."]),
        ("0 9 * * 7/2", ["Not every 2 days: the step counts anew each week, so it runs on Sunday only."]),
        ("0 9 * * 6/2", ["Not every 2 days: the step counts anew each week, so it runs on Saturday only."]),
        ("0 9 * * */7", []),
        ("0 9 * * 1-5/2", []),
        ("0 9 1 */5 *", ["Not even: the step counts anew each year, so after November comes January."]),
        ("0 9 1 7/6 *", ["Not every 6 months: the step counts anew each year, so it runs in July only."]),
        ("0 9 1 */3 *", []),
        ("0 9 1 2/3 *", []),
        ("0 9 1 */12 *", []),
        ("* 4 * * *", ["Runs in every minute of that hour, 60 times. Write a number for the minute to run once."]),
        ("* 4,16 * * *", ["Runs in every minute of that hour, 60 times. Write a number for the minute to run once."]),
        ("* 9-17 * * *", []),
        ("*/15 4 * * *", []),
        ("* 5 4 * * *", ["Runs in every second of that minute, 60 times. Write a number for the second to run once."]),
        ("0 9 */2 2 *", []),
        ("*/59 * * * *", ["Not even: after :59 the next is at :00, 1 minute later."]),
        ("3/7 * * * *", ["Not even: after :59 the next is at :03, 4 minutes later."]),
        ("*/90 * * * *", ["Not every 90 minutes: the step counts anew each hour, so it runs at :00 only."]),
        ("*/7 5 * * *", []),
        ("*/7 5,9 * * *", []),
        ("*/7 23,0 * * *", ["Not even: after :56 the next is at :00, 4 minutes later."]),
        ("0-56/7 * * * *", []),
        ("0 */5 * * *", ["Not even: after 20:00 the next is at 00:00, 4 hours later."]),
        ("30 */23 * * *", ["Not even: after 23:30 the next is at 00:30, 1 hour later."]),
        ("0 */48 * * *", ["Not every 48 hours: the step counts anew each day, so it runs at 00:00 only."]),
        ("0,30 */5 * * *", []),
        ("*/45 * * * * *", ["Not even: after second 45 the next is second 0, 15 seconds later.", "2,880 a day."]),
        ("*/59 0 * * * *", []),
        ("*/59 0,30 4 * * *", ["Not even: after second 59 the next is second 0, 1 second later."]),
        ("*/90 0,30 4 * * *", ["Not every 90 seconds: the step counts anew each minute, so it runs at second 0 only."]),
        ("*/15 * * * *", []),
        ("0 */6 * * *", []),
        ("*/30 0,30 4 * * *", []),
        ("30 2 * * 1", []),
        ("30 2 1 1 *", []),
        ("30 * * * *", []),
        (
            "*/30 2 * * *",
            [
                "On Sun 28 Mar 2027 the clock skips 02:00 and 02:30, so it runs once, at 03:00."
                " On 31 Oct 2027 02:00 and 02:30 come twice; it runs once for each."
            ],
        ),
        (
            "* 2 * 3 *",
            [
                "Runs in every minute of that hour, 60 times. Write a number for the minute to run once.",
                "On Sun 28 Mar 2027 the clock skips the times from 02:00 to 03:00, so it runs once, at 03:00.",
            ],
        ),
        ("30 2 * 10 *", ["On Sun 31 Oct 2027 02:30 comes twice; it runs once."]),
    ],
)
def test_warnings_about_a_cron_expression(expression, expected):
    assert warnings_for(cron(expression, timezone=BERLIN), now=NOW) == expected


def test_clock_changes_are_named_in_their_order():
    (text,) = warnings_for(cron("30 2 * * *", timezone=BERLIN), now=utc(2027, 7, 1))
    assert text == (
        "On Sun 31 Oct 2027 02:30 comes twice; it runs once. On 26 Mar 2028 the clock skips 02:30, so it runs at 03:00."
    )
    assert warnings_for(cron("30 2 * * *", timezone="Asia/Tokyo"), now=NOW) == []
    assert warnings_for(cron("30 2 * * *"), now=NOW) == []


def test_warnings_about_an_interval():
    zone = ZoneInfo(BERLIN)
    assert warnings_for(Interval(DAY, utc(2026, 11, 1, 1, 30), zone), now=NOW) == [GAP]
    assert warnings_for(Interval(DAY, utc(2027, 4, 1, 0, 30), zone), now=NOW) == [
        "On Sun 31 Oct 2027 02:30 comes twice; it runs once."
    ]
    assert warnings_for(Interval(7 * DAY, utc(2026, 11, 2, 1, 30), zone), now=NOW) == []
    assert warnings_for(every("90s", timezone=zone), now=NOW) == []
    assert warnings_for(every("1m"), now=NOW) == ["1,440 a day."]
    assert warnings_for(every(timedelta(days=1)), now=NOW) == []
    assert warnings_for(Manual(), now=NOW) == []
    assert warnings_for(at(NOW), now=NOW) == []


def test_names_of_days_and_months_are_translated():
    with translation.override("de"):
        assert "Montag" in describe(cron("0 8 * * 1"))
        assert "Januar" in describe(cron("@yearly"))
        assert "28. Mär 2027" in warnings_for(cron("30 2 * * *", timezone=BERLIN), now=NOW)[0]
