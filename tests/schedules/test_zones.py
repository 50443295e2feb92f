"""Which names of time zones are accepted: those of the IANA database, links included, and nothing else."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import cron, every, parse_schedule, parse_timezone, timezone_names
from django_scheduled_tasks.schedules.base import _zone
from tests.schedules.help import ZONES, examples

NOT_NAMES = ["localtime", "posixrules", "Factory", "right/Europe/Berlin", "posix/Europe/Berlin", "right/UTC", "Europe"]
ODD = [
    "",
    "../../etc/passwd",
    "/usr/share/zoneinfo/UTC",
    "Europe/Berlin\x00",
    "europe/berlin",
    "utc",
    "x" * 5_000,
    "\ud800",
]


@pytest.mark.parametrize("name", [*NOT_NAMES, *ODD])
def test_what_is_no_name_of_the_database_is_refused(name):
    for make in (parse_timezone, lambda zone: cron("@daily", timezone=zone), lambda zone: every("1d", timezone=zone)):
        with pytest.raises(InvalidSchedule, match="There is no time zone") as caught:
            make(name)
        assert caught.value.field == "timezone"


@pytest.mark.parametrize("name", [None, 1, b"UTC"])
def test_so_is_what_is_no_text(name):
    with pytest.raises(InvalidSchedule, match="There is no time zone"):
        parse_timezone(name)


def openable(name: str) -> bool:
    return any((Path(folder) / name).is_file() for folder in TZPATH)


@pytest.mark.parametrize("name", [name for name in NOT_NAMES if openable(name)])
def test_a_zone_that_was_opened_elsewhere_is_held_to_the_same_rule(name):
    with pytest.raises(InvalidSchedule, match="There is no time zone"):
        cron("@daily", timezone=ZoneInfo(name))


def test_a_zone_read_from_a_file_without_a_name_is_refused():
    path = next(Path(folder) / "Europe/Berlin" for folder in TZPATH if (Path(folder) / "Europe/Berlin").is_file())
    with path.open("rb") as file, pytest.raises(InvalidSchedule, match="There is no time zone"):
        parse_timezone(ZoneInfo.from_file(file))


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Asia/Calcutta", "US/Eastern", "Etc/GMT+5", "EST5EDT", "GMT"])
def test_names_and_links_are_accepted(name):
    assert parse_timezone(name).key == name
    assert parse_timezone(ZoneInfo(name)).key == name


@examples(100)
@given(st.sampled_from(ZONES))
def test_each_name_that_python_lists_is_accepted(name):
    assert parse_schedule("cron", "@daily", timezone=name).timezone == ZoneInfo(name)


def test_the_list_and_the_zones_are_read_once():
    names, zones = sorted(timezone_names())[:50], _zone.cache_info
    found = [parse_timezone(name) for name in names]
    listed, opened = timezone_names.cache_info(), zones()
    # More than the eight that zoneinfo remembers by itself.
    assert all(parse_timezone(name) is zone for name, zone in zip(names, found, strict=True))
    assert timezone_names.cache_info().misses == listed.misses
    assert zones().misses == opened.misses
