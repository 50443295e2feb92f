"""Public holidays of twenty countries for five years, against a table kept here, and what is not known any more."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.calendars import HolidayRegion, holiday, read_calendar

YEARS = range(2023, 2028)
EASTER = {2023: (4, 9), 2024: (3, 31), 2025: (4, 20), 2026: (4, 5), 2027: (3, 28)}
"""Easter Sundays of the Gregorian calendar."""
# Days of each year, as month and day, and days counted from Easter Sunday; both by the law of each country.
KNOWN: dict[str, tuple[str, str]] = {
    "DE": ("01-01 05-01 10-03 12-25 12-26", "-2 1 39 50"),
    "DE-BE": ("01-01 03-08 05-01 10-03 12-25 12-26", "-2 1 39 50"),
    "AT": ("01-01 01-06 05-01 08-15 10-26 11-01 12-08 12-25 12-26", "1 39 50 60"),
    "CH": ("01-01 08-01 12-25", "39"),
    "FR": ("01-01 05-01 05-08 07-14 08-15 11-01 11-11 12-25", "1 39 50"),
    "IT": ("01-01 01-06 04-25 05-01 06-02 08-15 11-01 12-08 12-25 12-26", "1"),
    "HU": ("01-01 03-15 05-01 08-20 10-23 11-01 12-25 12-26", "-2 1 50"),
    "PT": ("01-01 04-25 05-01 06-10 08-15 10-05 11-01 12-01 12-08 12-25", "-2 60"),
    "NL": ("01-01 12-25 12-26", "1 39 50"),
    "BE": ("01-01 05-01 07-21 08-15 11-01 11-11 12-25", "1 39 50"),
    "PL": ("01-01 01-06 05-01 05-03 08-15 11-01 11-11 12-25 12-26", "1 60"),
    "CZ": ("01-01 05-01 05-08 07-05 07-06 09-28 10-28 11-17 12-24 12-25 12-26", "-2 1"),
    "NO": ("01-01 05-01 05-17 12-25 12-26", "-3 -2 1 39 50"),
    "FI": ("01-01 01-06 05-01 12-06 12-25 12-26", "-2 1 39"),
    "SE": ("01-01 01-06 05-01 06-06 12-25 12-26", "-2 1 39"),
    "DK": ("01-01 12-25 12-26", "-3 -2 1 39 50"),
    "US": ("01-01 06-19 07-04 11-11 12-25", ""),
    "GB": ("01-01 12-25 12-26", "-2"),
    "BR": ("01-01 04-21 05-01 09-07 10-12 11-02 11-15 12-25", "-2"),
    "NZ": ("01-01 01-02 02-06 04-25 12-25 12-26", "-2 1"),
    "AU": ("01-01 01-26 04-25 12-25 12-26", "-2 1"),
}


@pytest.mark.parametrize("code", KNOWN)
def test_the_days_that_the_law_names_are_excluded_and_those_around_them_are_not(code):
    fixed, moving = KNOWN[code]
    calendar = read_calendar("c", "UTC", {"holidays": code})
    for year in YEARS:
        easter = date(year, *EASTER[year])
        days = {date.fromisoformat(f"{year}-{day}") for day in fixed.split()}
        days |= {easter + timedelta(days=int(offset)) for offset in moving.split()}
        assert [day for day in sorted(days) if not calendar.label_of(day)] == []
        found = HolidayRegion.parse(code).in_year(year)
        # So few are not in the table: observed days, and those that a region or a single year has.
        assert 0 <= len(set(found) - days) <= 12
        assert not calendar.label_of(date(year, 2, 10)) or code in {"BR"}


def test_an_unknown_region_names_the_parts_that_are_known():
    with pytest.raises(InvalidSchedule, match="DE-BE") as caught:
        HolidayRegion.parse("DE-XX")
    assert caught.value.field == "holidays"


def test_without_the_library_a_calendar_with_holidays_cannot_be_read_and_its_days_are_no_working_days(monkeypatch):
    monkeypatch.setattr(holiday, "library", None)
    with pytest.raises(InvalidSchedule, match="needs|need the extra"):
        read_calendar("c", "UTC", {"holidays": "DE"})
    assert read_calendar("c", "UTC", {"weekdays": ["mon"]}).holidays is None
