"""Reads English sentences about cron expressions back, without any code of those who write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
ORDINALS = ["first", "second", "third", "fourth", "fifth"]
NAME, MONTH, CLOCK = "|".join(WEEKDAYS), "|".join(MONTHS), r"\d\d:\d\d(?::\d\d)?"
LIST = r"(?:, | and | or )"

Times = set[tuple[int, int, int]]
Day = Callable[[date], bool]


def read(sentence: str) -> tuple[Times, Day]:
    """Return the times of day, and which days; raise AssertionError if *sentence* is none of ours."""
    rest, months = _cut(rf", (in (?:{MONTH})(?:{LIST}(?:{MONTH}))*|from (?:{MONTH}) to (?:{MONTH}))$", sentence)
    days: Day = lambda _day: True  # noqa: E731
    times, after = _times(rest)
    if after:
        days = _days(after)
    if not months:
        return times, days
    allowed = _months(months)
    return times, lambda day: day.month in allowed and days(day)


def _cut(pattern: str, text: str) -> tuple[str, str]:
    match = re.search(pattern, text)
    return (text[: match.start()], match[1]) if match else (text, "")


def _months(text: str) -> set[int]:
    names = re.findall(MONTH, text)
    numbers = [MONTHS.index(name) + 1 for name in names]
    return set(range(numbers[0], numbers[1] + 1)) if text.startswith("from") else set(numbers)


# --- times --------------------------------------------------------------------------------------------------------


def _times(text: str) -> tuple[Times, str]:
    """Return the times of day, and what is said of days."""
    clocks = rf"{CLOCK}(?:{LIST}{CLOCK})*"
    if match := re.fullmatch(rf"(?:Every day at|At) ({clocks})(?:, (.+))?", text):
        return {_clock(item) for item in re.findall(CLOCK, match[1])}, match[2] or ""
    span = rf"from {CLOCK} to {CLOCK}"
    minutes = r":\d\d(?:(?:, | and ):\d\d)*"
    match = re.fullmatch(
        r"Every (?:(?P<n>\d+) )?(?P<unit>second|minute|hour)s?"
        rf"(?: at (?P<minutes>{minutes}))?(?: at second (?P<second>\d+))?"
        r"(?:, from (?P<low>:\d\d) to (?P<high>:\d\d) of each hour)?"
        rf"(?:,? (?P<spans>{span}(?:{LIST}{span})*))?"
        r"(?:, (?P<days>.+))?",
        text,
    )
    assert match, text
    unit, number, spans = match["unit"], int(match["n"] or 1), re.findall(rf"from ({CLOCK}) to ({CLOCK})", text)
    days = match["days"] or ""
    if unit == "second":
        return _all(range(24), range(60), range(0, 60, number)), days
    if match["second"]:
        return _all(range(24), range(60), [int(match["second"])]), days
    if unit == "minute":
        if match["low"]:
            inner = range(int(match["low"][1:]), int(match["high"][1:]) + 1, number)
            return _all(range(24), inner, [0]), days
        found = _all(range(24), range(0, 60, number), [0])
        if spans:
            ends = [(_clock(low), _clock(high)) for low, high in spans]
            found = {item for item in found if any(low <= item <= high for low, high in ends)}
        return found, days
    at = [int(item) for item in re.findall(r"\d\d", match["minutes"] or ":00")]
    if not spans:
        return _all(range(0, 24, number), at, [0]), days
    ((low, high),) = [(_clock(low), _clock(high)) for low, high in spans]
    if not match["minutes"]:
        assert low[1] == high[1]
        at = [low[1]]
    assert (low[1], high[1]) == (at[0], at[-1])
    return _all(range(low[0], high[0] + 1, number), at, [0]), days


def _all(hours: Iterable[int], minutes: Iterable[int], seconds: Iterable[int]) -> Times:
    return {(hour, minute, second) for hour in hours for minute in minutes for second in seconds}


def _clock(text: str) -> tuple[int, int, int]:
    hour, minute, second = (int(part) for part in f"{text}:00".split(":")[:3])
    return hour, minute, second


# --- days ---------------------------------------------------------------------------------------------------------


def _days(text: str) -> Day:
    first, also, second = text.partition(", and also ")
    if also:
        one, other = _days(first), _days(second)
        return lambda day: one(day) or other(day)
    first, only, second = text.partition(", if it is ")
    if only:
        one, other = _days(first), _days(second)
        return lambda day: one(day) and other(day)
    if match := re.fullmatch(rf"on (\d+) ({MONTH})", text):
        wanted = (MONTHS.index(match[2]) + 1, int(match[1]))
        return lambda day: (day.month, day.day) == wanted
    if match := re.fullmatch(r"every (\d+) days from day (\d+) to day (\d+) of month", text):
        numbers = set(range(int(match[2]), int(match[3]) + 1, int(match[1])))
        return lambda day: day.day in numbers
    if match := re.fullmatch(r"days? (\d+(?:(?:, | and | to )\d+)*) of month", text):
        return _numbered(match[1])
    if match := re.fullmatch(rf"on (the .+) of the month|(the (?:last|\w+) (?:{NAME}))", text):
        return _of_the_month(match[1] or match[2])
    return _weekdays(text)


def _numbered(text: str) -> Day:
    numbers = [int(item) for item in re.findall(r"\d+", text)]
    wanted = set(range(numbers[0], numbers[1] + 1)) if " to " in text else set(numbers)
    return lambda day: day.day in wanted


def _of_the_month(text: str) -> Day:
    if text == "the last day":
        return _is_last
    if text == "the last weekday (Monday to Friday)":
        return lambda day: (
            day.weekday() < 5
            and all(
                (day + timedelta(days=number)).weekday() > 4 or (day + timedelta(days=number)).month != day.month
                for number in (1, 2, 3)
            )
        )
    match = re.fullmatch(rf"the (last|{'|'.join(ORDINALS)}) ({NAME})", text)
    assert match, text
    weekday = WEEKDAYS.index(match[2])
    if match[1] == "last":
        return lambda day: day.weekday() == weekday and (day + timedelta(days=7)).month != day.month
    nth = ORDINALS.index(match[1])
    return lambda day: day.weekday() == weekday and nth * 7 < day.day <= nth * 7 + 7


def _is_last(day: date) -> bool:
    return (day + timedelta(days=1)).month != day.month


def _weekdays(text: str) -> Day:
    match = re.fullmatch(rf"(?:only on |on )?((?:{NAME})(?:(?:{LIST}| to )(?:{NAME}))*)", text)
    assert match, text
    numbers = [WEEKDAYS.index(name) for name in re.findall(NAME, match[1])]
    if " to " in match[1]:
        first, last = numbers
        wanted = {number % 7 for number in range(first, last + 1 if last >= first else last + 8)}
    else:
        wanted = set(numbers)
    return lambda day: day.weekday() in wanted
