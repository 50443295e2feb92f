"""Sentences say what expressions mean: an independent reader gets the same days and times from them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import cron, describe
from django_scheduled_tasks.schedules.expression.fields import Fields
from tests.schedules.help import days_between, examples
from tests.schedules.reader import read

DAYS = list(days_between(date(2027, 1, 1), date(2028, 12, 31)))
"""Two years, one of them a leap year."""


def check(expression: str) -> None:
    schedule = cron(expression)
    sentence = describe(schedule)
    assert sentence, expression
    times, is_due = read(sentence)
    fields = schedule.fields
    assert times == set(product(fields.hours, fields.minutes, fields.seconds)), sentence
    expected = set(fields.days_between(DAYS[0], DAYS[-1] + timedelta(days=1)))
    assert {day for day in DAYS if is_due(day)} == expected, sentence


def one_of(*shapes: str) -> st.SearchStrategy[str]:
    return st.sampled_from(shapes)


MINUTES = one_of(
    "*", "0", "7", "0,30", "11,41", "2,4,5", "*/15", "*/25", "*/7", "*/50", "0-30", "3-50/6", "5/20", "*/59"
)
HOURS = one_of(
    *("*", "*/2", "*/5", "*/12", "*/10", "3", "3,15", "0-4", "9-17", "8-16/2", "1/3", "9,12", "23,0", "0,1,2,9,20"),
    *("8-9,14", "0-22", "20-23", "13-13"),
)
MONTH_DAYS = one_of(
    *(
        "*",
        "*",
        "*",
        "1",
        "15",
        "1,15",
        "1-7",
        "2-8",
        "*/2",
        "2-31/2",
        "*/3",
        "*/10",
        "*/31",
        "1-31",
        "20/15",
        "L",
        "LW",
    ),
    *("1,8,15,22", "10-20/3", "31"),
)
MONTHS = one_of(
    "*", "*", "*", "*/3", "1,4,7,10", "2,5,8,11", "*/2", "*/5", "6-8", "JAN", "6", "1,7", "2-11", "*/13", "5/4"
)
WEEKDAYS = one_of(
    *(
        "*",
        "*",
        "*",
        "1-5",
        "0-4",
        "MON-FRI",
        "1",
        "0",
        "7",
        "1,4",
        "6,0",
        "5-7",
        "1,2,4,5,0",
        "*/2",
        "*/3",
        "7/2",
        "1/3",
    ),
    *("6/2", "5/2", "1#2", "FRI#5", "5L", "MONL", "2-4", "1,3,5"),
)
SECONDS = one_of("0", "0", "0", "5", "*", "*/10", "*/7", "0,30")


@examples(600)
@given(st.tuples(MINUTES, HOURS, MONTH_DAYS, MONTHS, WEEKDAYS).map(" ".join))
def test_a_sentence_read_back_is_the_expression(expression):
    try:
        assume(describe(cron(expression)))
    except InvalidSchedule:
        assume(False)
    check(expression)


@examples(200)
@given(SECONDS, MINUTES, HOURS, MONTH_DAYS, WEEKDAYS)
def test_with_seconds_too(second, minute, hour, day, weekday):
    expression = f"{second} {minute} {hour} {day} * {weekday}"
    try:
        assume(describe(cron(expression)))
    except InvalidSchedule:
        assume(False)
    check(expression)


numbers = st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True).map(lambda found: ",".join(map(str, found)))


@examples(300)
@given(
    st.tuples(numbers, numbers, st.just("*") | numbers, st.just("*") | numbers, st.just("*") | numbers).map(" ".join)
)
def test_whatever_is_listed_is_told_as_it_is_or_not_at_all(expression):
    if describe(cron(expression)):
        check(expression)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("0 0 1 */3 *", "At 00:00, day 1 of month, in January, April, July and October"),
        ("0 0 1 2,5,8,11 *", "At 00:00, day 1 of month, in February, May, August and November"),
        ("0 2 1-7 1,4,7,10 *", "At 02:00, days 1 to 7 of month, in January, April, July and October"),
        ("0 3 * 6-8 *", "Every day at 03:00, from June to August"),
        ("0 9 L 1 *", "At 09:00, on the last day of the month, in January"),
        ("0 9-17 * * 1-5", "Every hour from 09:00 to 17:00, Monday to Friday"),
        ("4 7-19 * * 1-5", "Every hour from 07:04 to 19:04, Monday to Friday"),
        ("0 8-16/2 * * 1-5", "Every 2 hours from 08:00 to 16:00, Monday to Friday"),
        ("11,41 8-19 * * *", "Every hour at :11 and :41 from 08:11 to 19:41"),
        ("30 1/3 * * *", "Every 3 hours from 01:30 to 22:30"),
        ("2,4,5 * * * *", "Every hour at :02, :04 and :05"),
        ("0-30 * * * *", "Every minute, from :00 to :30 of each hour"),
        ("*/7 * * * *", "Every 7 minutes, from :00 to :56 of each hour"),
        ("* 4 * * *", "Every minute from 04:00 to 04:59"),
        ("* */12 * * *", "Every minute, from 00:00 to 00:59 and from 12:00 to 12:59"),
        ("* 1 1 * *", "Every minute from 01:00 to 01:59, day 1 of month"),
        ("5 * * * * *", "Every minute at second 5"),
        ("6 22 * * 0-4", "At 22:06, Sunday to Thursday"),
        ("0 9 * * 1,2,4,5,0", "At 09:00, Monday, Tuesday, Thursday, Friday and Sunday"),
        ("0 0 * * 7/2", "At 00:00, only on Sunday"),
        ("0 0 * * 1/3", "At 00:00, Monday, Thursday and Sunday"),
        ("0 0 * * 6/2", "At 00:00, only on Saturday"),
        ("0 0 2-31/2 * *", "At 00:00, every 2 days from day 2 to day 30 of month"),
        ("0 0 */2 * 1", "At 00:00, every 2 days from day 1 to day 31 of month, if it is Monday"),
        ("0 0 1 * */2", "At 00:00, day 1 of month, if it is Tuesday, Thursday, Saturday or Sunday"),
        ("0 9 1-7 * tue", "At 09:00, days 1 to 7 of month, and also on Tuesday"),
        ("0 9 1 * 1#2", "At 09:00, day 1 of month, and also on the second Monday of the month"),
        ("0 8 LW * *", "At 08:00, on the last weekday (Monday to Friday) of the month"),
    ],
)
def test_shapes_that_real_projects_use(expression, sentence):
    assert describe(cron(expression)) == sentence
    check(expression)


def test_the_reader_tells_wrong_sentences():
    for expression, wrong in [
        ("0 9 * * 1-5", "At 09:00, Monday to Thursday"),
        ("0 9 1 * *", "At 09:00, day 2 of month"),
    ]:
        _times, is_due = read(wrong)
        fields: Fields = cron(expression).fields
        assert {day for day in DAYS if is_due(day)} != set(fields.days_between(DAYS[0], DAYS[-1]))
    reading: Callable[[str], object] = read
    with pytest.raises(AssertionError):
        reading("Now and then")
