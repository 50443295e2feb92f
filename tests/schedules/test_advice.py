"""Advice of a refusal: when it is followed, it means what was meant, or there is none."""

from __future__ import annotations

import re

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import cron, every
from tests.schedules.help import examples

FIELDS = {"second": (0, 0, 59), "minute": (1, 0, 59), "hour": (2, 0, 23), "month": (4, 1, 12), "weekday": (5, 0, 6)}
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


def expression(place: int, text: str) -> str:
    parts = ["0", "0", "0", "*", "*", "*"]
    parts[place] = text
    return " ".join(parts)


def refusal(text: str) -> InvalidSchedule:
    with pytest.raises(InvalidSchedule) as caught:
        cron(text)
    return caught.value


def around(low: int, high: int, step: int, first: int, last: int) -> set[int]:
    """Go from *low* to *high* one by one, beginning anew after *last*, and take every step-th."""
    found, value, number = set(), low, 0
    while True:
        if number % step == 0:
            found.add(value)
        if value == high:
            return found
        value, number = (first if value == last else value + 1), number + 1


@st.composite
def backwards(draw: st.DrawFn) -> tuple[str, str, set[int]]:
    """Return a field's name, a range in it that runs backwards, and what it means."""
    name = draw(st.sampled_from(sorted(FIELDS)))
    _place, first, last = FIELDS[name]
    ends = st.lists(st.integers(first, last + (name == "weekday")), min_size=2, max_size=2, unique=True)
    high, low = sorted(draw(ends))
    step = draw(st.integers(1, 13))
    names = {"month": ["", *MONTHS], "weekday": WEEKDAYS}.get(name)
    as_name = names is not None and low <= last and draw(st.booleans())
    shown = [names[value] if as_name and names else str(value) for value in (low, high)]
    text = "-".join(shown) + (f"/{step}" if step > 1 or draw(st.booleans()) else "")
    return name, text, around(low if low <= last else first, high, step, first, last)


@examples(500)
@given(backwards())
def test_advice_means_what_was_meant(case):
    name, text, meant = case
    place = FIELDS[name][0]
    error = refusal(expression(place, text))
    advice = re.fullmatch(r"\w+: (.+) runs backwards\. Write (.+)\.", error.message)
    assert advice, error.message
    fields = cron(expression(place, advice[2])).fields
    found = {
        "second": fields.seconds,
        "minute": fields.minutes,
        "hour": fields.hours,
        "month": fields.months,
        "weekday": fields.weekdays,
    }[name]
    assert set(found) == meant


@examples(100)
@given(st.lists(st.integers(1, 31), min_size=2, max_size=2, unique=True), st.integers(1, 9))
def test_a_step_over_the_end_of_a_month_has_no_advice(ends, step):
    high, low = sorted(ends)
    message = refusal(f"0 0 {low}-{high}/{step} * *").message
    if step > 1:
        assert message == f"Day: {low}-{high}/{step} runs backwards."
    else:
        advice = re.search(r"Write (.+)\.$", message)
        assert advice
        days = cron(f"0 0 {advice[1]} * *").fields.days
        assert days == around(low, high, 1, 1, 31)


NOT_KNOWN = "is not known. L is the last day of the month, LW the last one from Monday to Friday."
QUARTZ = "Where ? is known (Quartz, EventBridge) weekday 1 is Sunday; here it is Monday."
INTERVAL = "is no cron expression. Choose an interval as the kind of schedule"
JENKINS = "Jenkins picks a value for H. Write a number; the task's spread keeps tasks apart."
ZONE = "The time zone is a field of its own: take {} out of the expression and choose the zone there."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 22-6/2 * * *", "Hour: 22-6/2 runs backwards. Write 22,0-6/2."),
        ("0 0 * * thu-tue/2", "Weekday: THU-TUE/2 runs backwards. Write 4-6/2,1."),
        ("0 0 1 apr-mar/3 *", "Month: APR-MAR/3 runs backwards. Write 4-10/3,1."),
        ("0 0 25-5/3 * *", "Day: 25-5/3 runs backwards."),
        ("0 0 * * mon-sun/2", "Weekday: MON-SUN/2 runs backwards. Write 1-7/2."),
        ("0 0 * * 6-1", "Weekday: 6-1 runs backwards. Write 6-7,1."),
        ("0 0 * * 7-2", "Weekday: 7-2 runs backwards. Write 0-2."),
        ("0 22-6/0 * * *", "Hour: the step in 22-6/0 is not a number from 1 on."),
        ("0 12 ? * MON", f"Day: write * for ?. {QUARTZ}"),
        ("0 12 1 * ?", f"Weekday: write * for ?. {QUARTZ}"),
        ("0 12 15W * *", f"Day: 15W {NOT_KNOWN}"),
        ("0 12 L-2 * *", f"Day: L-2 {NOT_KNOWN}"),
        ("0 12 L-1W * *", f"Day: L-1W {NOT_KNOWN}"),
        ("0 12 * * L5", "Weekday: write 5L for the last Friday of the month."),
        ("0 12 * * FRI#L", "Weekday: write 5L for the last Friday of the month."),
        ("0 12 * * LSUN", "Weekday: write 0L for the last Sunday of the month."),
        ("0 12 * * L", "Weekday: L needs a weekday before it: 5L is the last Friday of the month."),
        ("@every 5m", f"@every 5m {INTERVAL} and write 5m."),
        ("@Every 1h30m", f"@Every 1h30m {INTERVAL} and write 90m."),
        ("@every 1.5h", f"@every 1.5h {INTERVAL}."),
        ("rate(5 minutes)", f"rate(5 minutes) {INTERVAL} and write 5m."),
        ("3h", f"3h {INTERVAL} and write 3h."),
        ("H * * * *", f"Minute: H: {JENKINS}"),
        ("H/15 * * * *", f"Minute: H/15: {JENKINS}"),
        ("0 H(0-7) * * *", f"Hour: H(0-7): {JENKINS}"),
        ("CRON_TZ=Asia/Tokyo 0 3 * * *", ZONE.format("CRON_TZ=Asia/Tokyo")),
        ("TZ=UTC 0 3 * * *", ZONE.format("TZ=UTC")),
    ],
)
def test_what_other_systems_know_has_a_clear_hint(text, message):
    assert refusal(text).message == message
    for advice in re.findall(r"[Ww]rite (\d\S*)[ .]", message):
        if INTERVAL in message:
            assert every(advice.rstrip("."))
        elif "Weekday" in message:
            assert cron(f"0 12 * * {advice.rstrip('.')}")


def test_the_last_of_a_weekday_may_be_told_by_its_name():
    assert cron("0 12 * * MONL").fields == cron("0 12 * * 1L").fields
    assert cron("0 12 * * sunl,FRIL").fields == cron("0 12 * * 0L,5L").fields


def test_a_hint_is_translated():
    with translation.override("de"):
        assert "Freitag" in refusal("0 12 * * L5").message
