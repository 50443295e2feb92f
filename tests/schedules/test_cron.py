"""Cron as a sequence of instants, and where it differs from cronsim on purpose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import Cron, cron
from tests.schedules.help import DAY, HOUR, both_ways, examples, forwards, meaning, moments, shown, utc, zones

BERLIN = ZoneInfo("Europe/Berlin")
fields = st.sampled_from(["*", "*/2", "*/7", "0", "1", "1-5", "2,4", "1-7/3"])
hours = st.sampled_from(["*", "*/2", "*/5", "0", "2", "1-5", "2,14", "0-23", "23"])
expressions = st.tuples(
    st.sampled_from(["*", "*/5", "*/30", "0", "17", "0,30", "10-20"]),
    hours,
    st.sampled_from(["*", "*", "1", "*/2", "L", "LW", "1,15"]),
    st.sampled_from(["*", "*", "*/3", "2", "JAN,DEC"]),
    st.sampled_from(["*", "*", "1", "MON-FRI", "5L", "1#2", "0,6"]),
).map(" ".join)
with_seconds = st.tuples(st.sampled_from(["0", "*/20", "7,11"]), expressions).map(" ".join)
schedules = st.builds(Cron, expressions | with_seconds, zones)


@examples(400)
@given(schedules, moments())
def test_strictly_increasing_and_the_same_both_ways(schedule, moment):
    first = schedule.next_after(moment)
    assert first is not None
    assert first > moment
    second = schedule.next_after(first)
    assert second > first
    assert schedule.previous_before(second) == first
    assert schedule.previous_before(first + timedelta(microseconds=1)) == first
    before = schedule.previous_before(first)
    assert before <= moment
    assert schedule.next_after(before) == first


@examples(200)
@given(schedules, moments())
def test_what_is_between_two_instants_is_counted_right(schedule, moment):
    until = schedule.next_after(moment) + 40 * DAY
    found = []
    for _ in range(300):
        found.append(schedule.next_after(found[-1] if found else moment))
        if found[-1] >= until:
            break
    assert schedule.count(moment, found[-1]) == len(found)
    assert schedule.count(moment, found[-1] - timedelta(microseconds=1)) == len(found) - 1
    assert schedule.count(found[-1], moment) == 0


@examples(300)
@given(zones, moments(2020, 2060), st.integers(0, 23), st.integers(0, 59))
def test_a_fixed_hour_never_loses_a_day_and_never_doubles_one(zone, moment, hour, minute):
    start = shown(zone, moment).date()
    found = forwards(Cron(f"{minute} {hour} * * *", zone), moment - 3 * DAY, moment + 3 * DAY)
    for day in (start - DAY, start, start + DAY):
        wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001
        assert found.count(meaning(zone, wall)) == 1
    assert len(found) in {5, 6, 7}


@examples(200)
@given(zones, moments(2020, 2060), expressions)
def test_what_follows_the_real_clock_is_due_exactly_when_the_clock_shows_it(zone, moment, expression):
    minute, _hour, *days = expression.split()
    schedule = Cron(" ".join([minute, "*/3", *days]), zone)
    plain = Cron(schedule.expression, ZoneInfo("UTC"))
    low = moment.replace(second=0, microsecond=0)
    for found in islice(forwards(schedule, low, low + 3 * DAY), 50):
        wall = shown(zone, found).replace(tzinfo=UTC)
        assert plain.next_after(wall - timedelta(seconds=1)) == wall


@pytest.mark.parametrize("year", [1, 2, 3, 9988, 9990, 9999])
def test_where_the_calendar_ends_so_does_the_schedule(year):
    for zone in ("UTC", "Europe/Berlin", "Pacific/Kiritimati"):
        for expression in ("0 3 * * *", "0 * * * *"):
            schedule = cron(expression, timezone=zone)
            following = schedule.next_after(datetime(year, 1, 1, tzinfo=UTC))
            before = schedule.previous_before(datetime(year, 12, 31, tzinfo=UTC))
            assert (following is None) == (year >= 9990)
            assert (before is None) == (year < 3)
    assert cron("0 0 29 2 *").next_after(utc(9988, 3, 1)) is None
    assert cron("0 0 29 2 *", timezone="Europe/Berlin").next_after(utc(9988, 3, 1)) is None
    assert cron("0 */2 29 2 *", timezone="Europe/Berlin").next_after(utc(9988, 3, 1)) is None
    assert cron("0 */2 29 2 *", timezone="Europe/Berlin").previous_before(utc(4, 1, 1)) is None
    # Havana skips the first hour of 12 March 9989, and there is no next year.
    assert cron("30 */24 12 3 *", timezone="America/Havana").next_after(utc(9989, 3, 1)) is None
    assert cron("30 */24 12 3 *", timezone="America/Havana").next_after(utc(9988, 3, 1)) is not None


def test_a_naive_moment_is_refused():
    naive = datetime(2026, 11, 24)  # noqa: DTZ001
    for ask in (cron("* * * * *").next_after, cron("* * * * *").previous_before):
        with pytest.raises(ValueError, match="no time zone"):
            ask(naive)


def test_any_zone_of_the_moment_will_do():
    moment = utc(2026, 11, 24, 12)
    schedule = cron("0 3 * * *", timezone="Europe/Berlin")
    assert schedule.next_after(moment.astimezone(ZoneInfo("Asia/Tokyo"))) == schedule.next_after(moment)


def test_a_zone_may_be_left_to_the_project():
    assert cron("0 3 * * *").timezone is None
    assert cron("0 3 * * *").next_after(utc(2026, 11, 24)) == utc(2026, 11, 24, 3)
    assert Cron("0 3 * * *", "Europe/Berlin").timezone == BERLIN
    assert cron("0 3 * * *", timezone=BERLIN) == cron("0 3 * * *", timezone="Europe/Berlin")
    assert hash(cron("0 3 * * *")) == hash(cron("0  3 * * *"))


# --- where we differ from cronsim on purpose; each point of the module's text, in its order -----------------------


def theirs(expression: str, low: datetime, high: datetime, zone: ZoneInfo = BERLIN) -> list[datetime]:
    found = []
    for moment in CronSim(expression, (low - timedelta(seconds=1)).astimezone(zone)):
        if moment >= high:
            return found
        found.append(moment.astimezone(UTC))
    raise AssertionError


SPRING, AUTUMN = (utc(2027, 3, 28), utc(2027, 3, 28, 12)), (utc(2027, 10, 31), utc(2027, 10, 31, 12))


def test_the_hour_field_alone_decides():
    assert theirs("*/30 2 * * *", *SPRING) == []
    assert both_ways(cron("*/30 2 * * *", timezone=BERLIN), *SPRING) == [utc(2027, 3, 28, 1)]
    assert len(theirs("*/30 2 * * *", *AUTUMN)) == 4
    assert len(both_ways(cron("*/30 2 * * *", timezone=BERLIN), *AUTUMN)) == 2


def test_with_seconds_too():
    assert theirs("0 30 2 * * *", *SPRING) == []
    assert both_ways(cron("0 30 2 * * *", timezone=BERLIN), *SPRING) == [utc(2027, 3, 28, 1)]


def test_several_in_one_gap_are_one():
    assert theirs("0,30 2 * * *", *SPRING) == [utc(2027, 3, 28, 1)]  # no difference here
    assert both_ways(cron("0,30 2 * * *", timezone=BERLIN), *SPRING) == [utc(2027, 3, 28, 1)]


def test_the_first_instant_after_a_gap_need_not_be_a_whole_minute():
    # Liberia's clock was 44 minutes and 30 seconds slow until 7 January 1972.
    zone = ZoneInfo("Africa/Monrovia")
    assert cron("20 0 7 1 *", timezone=zone).next_after(utc(1972, 1, 1)) == utc(1972, 1, 7, 0, 44, 30)
    assert shown(zone, utc(1972, 1, 7, 0, 44, 30)).time().isoformat() == "00:44:30"


def test_backwards_is_forwards_reversed():
    schedule = cron("0,30 2,3 * * *", timezone=BERLIN)
    assert both_ways(schedule, *SPRING) == [utc(2027, 3, 28, 1), utc(2027, 3, 28, 1, 30)]


def test_half_an_hour_is_not_jumped_over():
    zone = ZoneInfo("Australia/Lord_Howe")
    found = both_ways(cron("0 */2 * * *", timezone=zone), utc(2027, 10, 2, 12), utc(2027, 10, 2, 20))
    assert [shown(zone, when).hour for when in found] == [0, 4, 6]
    low, high = utc(2027, 4, 3, 6), utc(2027, 4, 4)  # the clock is set back by half an hour at 15:00 UTC
    ours = both_ways(cron("*/20 */3 * * *", timezone=zone), low, high)
    assert theirs("*/20 */3 * * *", low, high, zone) != ours


@pytest.mark.parametrize(("expression", "same"), [("5-5/10 * * * *", "5 * * * *"), ("0 0 3-3/2 * *", "0 0 3 * *")])
def test_a_range_of_one_value_has_one_value(expression, same):
    assert cron(expression).fields == cron(same).fields
    moment = utc(2026, 11, 24, 0, 6)
    assert cron(expression).next_after(moment) == cron(same).next_after(moment)
    assert next(CronSim(expression, moment)) < cron(same).next_after(moment)


@pytest.mark.parametrize("expression", ["0 0 L/2 * *", "0 0 LW/2 * *", "0 0 * * frı"])
def test_stricter(expression):
    next(CronSim(expression, utc(2026, 11, 24)))
    with pytest.raises(InvalidSchedule):
        cron(expression)


def test_a_weekday_that_never_meets_its_day_is_refused_and_not_searched_for():
    with pytest.raises(StopIteration):
        next(CronSim("0 0 */31 * 1#2", utc(2026, 11, 24)))
    with pytest.raises(InvalidSchedule, match="never happens"):
        cron("0 0 */31 * 1#2")


@examples(100)
@given(expressions, moments(2020, 2060))
def test_days_match_as_in_cronsim(expression, moment):
    schedule = cron(expression)
    assume(schedule.fields.times_a_day <= 48)
    low = moment.replace(microsecond=0)
    assert schedule.count(low, low + 90 * DAY + HOUR) == sum(
        1 for _ in forwards(schedule, low + timedelta(seconds=1), low + 90 * DAY + HOUR + timedelta(seconds=1))
    )


@examples(60)
@given(moments(2020, 2060))
def test_with_an_ampersand_day_and_weekday_both_have_to_fit(moment):
    """As Celery, huey, APScheduler and systemd mean a day and a weekday."""
    either, both = cron("15 4 13,20-22 * FRI,SAT"), cron("15 4 13,20-22 * &FRI,SAT")
    low, high = moment.replace(microsecond=0), moment.replace(microsecond=0) + 200 * DAY
    wanted = [at for at in forwards(either, low, high) if at.day in {13, 20, 21, 22} and at.weekday() in {4, 5}]
    assert both_ways(both, low, high) == wanted
    assert both.count(low - timedelta(seconds=1), high - timedelta(seconds=1)) == len(wanted)
    assert both_ways(cron("15 4 &13,20-22 * FRI,SAT"), low, high) == wanted


def test_an_ampersand_stands_before_the_day_or_the_weekday_only():
    assert cron("0 0 13 * &5").expression == "0 0 13 * &5"
    for expression in ("&0 0 13 * 5", "0 0 13 & 5", "0 0 13 * 5&", "0 0 13 * 1,&5", "0 0 31 2 &5", "0 0 & * 5"):
        with pytest.raises(InvalidSchedule):
            cron(expression)
