"""Schedules under calendars: left out, moved by days, waiting, as an independent model has it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.schedules import parse_schedule
from django_scheduled_tasks.schedules.calendars import ON_EXCLUDED, Calendar, DateSpan, WeeklyWindow, WithCalendars
from tests import selection
from tests.schedules.calendars.model import MARGIN, Excludes, due

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "America/Sao_Paulo")
KINDS = (
    ("cron", "0 9 * * *"),
    ("cron", "30 2 * * 1-5"),
    ("cron", "0 */6 * * *"),
    ("cron", "0 17 L * *"),
    ("cron", "15,45 1,2,3 * * 0"),
    ("interval", "5h"),
    ("interval", "7h30m"),
)
DAYS = 45
MOST_INSTANTS = 10_000_000 if selection.IS_NIGHTLY else 50_000
ROUNDS = 2_000 if selection.IS_NIGHTLY else 10


def drawn(chance: random.Random, start: date) -> tuple[Calendar, Excludes]:
    """Return a random calendar, and what the model makes of it."""
    zone = chance.choice(ZONES)
    weekdays = set(chance.sample(range(7), chance.choice([7, 5, 4, 6])))
    spans, dates = [], set()
    for _ in range(chance.randrange(4)):
        first = start + timedelta(days=chance.randrange(-20, DAYS + 20))
        last = first + timedelta(days=chance.randrange(5))
        spans.append(DateSpan(first, last, "closed"))
        dates |= {first + timedelta(days=number) for number in range((last - first).days + 1)}
    windows = []
    for _ in range(chance.randrange(3)):
        first, last = (chance.randrange(7 * 48) * 30 for _ in range(2))
        if first != last and (last - first) % (7 * 1440) <= 3 * 1440:
            windows.append((first, last))
    own = tuple(WeeklyWindow(timedelta(minutes=first), timedelta(minutes=last)) for first, last in windows)
    calendar = Calendar("c", ZoneInfo(zone), frozenset(weekdays), None, tuple(spans), own)
    return calendar, Excludes(zone, weekdays, dates, windows)


@pytest.mark.timeout(3_600 if selection.IS_NIGHTLY else 120)
@pytest.mark.parametrize("how", ON_EXCLUDED)
def test_every_instant_is_the_models(how):
    chance = random.Random(f"{how} 1")
    compared = 0
    for number in range(ROUNDS):
        kind, expression = chance.choice(KINDS)
        zone = ZoneInfo(chance.choice(ZONES))
        start = datetime(
            2026, chance.choice([2, 3, 9, 10, 12]), chance.randrange(1, 28), chance.randrange(24), tzinfo=UTC
        )
        end = start + timedelta(days=DAYS)
        schedule = parse_schedule(kind, expression, timezone=zone, anchor=datetime(2026, 1, 1, tzinfo=UTC))
        pairs = [drawn(chance, start.date()) for _ in range(chance.choice([1, 1, 2]))]
        under = WithCalendars(schedule, tuple(pair[0] for pair in pairs), how, zone)
        nominals, at = [], schedule.next_after(start - MARGIN)
        while at is not None and at < end + MARGIN:
            nominals.append(at)
            at = schedule.next_after(at)
        wanted = [one for one in due(nominals, [pair[1] for pair in pairs], how, zone) if start < one <= end]
        forward, at = [], under.next_after(start)
        while at is not None and at <= end:
            forward.append(at)
            at = under.next_after(at)
        story = (number, expression, zone.key, [pair[0] for pair in pairs])
        assert forward == wanted, story
        back, at = [], under.previous_before(end + timedelta(seconds=1))
        while at is not None and at > start:
            back.append(at)
            at = under.previous_before(at)
        assert back[::-1] == wanted, story
        assert under.count(start, end) == len(wanted), story
        compared += len(wanted)
    assert compared > ROUNDS * 10


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_ten_million_instants_of_each_minute_are_the_models():
    chance = random.Random("each minute")
    compared = 0
    while compared < MOST_INSTANTS:
        zone = ZoneInfo(chance.choice(ZONES))
        start = datetime(
            chance.randrange(2024, 2030), chance.choice([3, 4, 10, 11]), chance.randrange(1, 28), tzinfo=UTC
        )
        end = start + timedelta(days=15)
        schedule = parse_schedule("cron", "* * * * *", timezone=zone)
        pairs = [drawn(chance, start.date()) for _ in range(2)]
        under = WithCalendars(schedule, tuple(pair[0] for pair in pairs), "skip", zone)
        nominals = [start + timedelta(minutes=number) for number in range(1, 15 * 1440 + 1)]
        wanted = due(nominals, [pair[1] for pair in pairs], "skip", zone)
        found, at = [], under.next_after(start)
        while at is not None and at <= end:
            found.append(at)
            at = under.next_after(at)
        assert found == wanted, [pair[0] for pair in pairs]
        assert under.count(start, end) == len(wanted)
        compared += len(nominals)
