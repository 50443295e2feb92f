"""What is accepted and what is refused, with which words."""

from __future__ import annotations

import gc
import random
import time
from importlib.metadata import version

import pytest
from cronsim import CronSim, CronSimError
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from hypothesis import example, given
from hypothesis import strategies as st

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import cron, describe, parse_schedule, schedule_kinds, texts, warnings_for
from django_scheduled_tasks.schedules.expression import grammar
from tests.schedules.help import NOW, ZONES, examples, utc


@pytest.fixture(autouse=True, scope="module")
def catalogs_are_read():
    """What is measured here is neither the first look for translations nor the garbage of the tests before."""
    translation.gettext("")
    texts.say_number(1_000)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


FIVE_PARTS = (
    "A cron expression has five parts (minute, hour, day, month, weekday), or six with seconds first. This one has "
)


@pytest.mark.parametrize(
    ("expression", "message", "field", "allowed"),
    [
        # the table of the preview
        ("61 * * * *", "Minute: 61 is not between 0 and 59.", "minute", (0, 59)),
        ("* * * *", f"{FIVE_PARTS}four.", "", None),
        ("0 25 * * *", "Hour: 25 is not between 0 and 23.", "hour", (0, 23)),
        (
            "0 0 * * 8",
            "Weekday: 8 is not between 0 and 7 (0 and 7 are Sunday) or a name like MON.",
            "weekday",
            (0, 7),
        ),
        ("0 0 31 2 *", "This never happens: February has no day 31.", "day", None),
        # its relatives
        ("", f"{FIVE_PARTS}none.", "", None),
        ("* * * * * * *", f"{FIVE_PARTS}seven.", "", None),
        ("* " * 12, f"{FIVE_PARTS}12.", "", None),
        ("60 * * * * *", "Second: 60 is not between 0 and 59.", "second", (0, 59)),
        ("0 0 32 * *", "Day: 32 is not between 1 and 31.", "day", (1, 31)),
        ("0 0 0 * *", "Day: 0 is not between 1 and 31.", "day", (1, 31)),
        ("0 0 1 13 *", "Month: 13 is not between 1 and 12 or a name like JAN.", "month", (1, 12)),
        ("0 0 1 MAI *", "Month: MAI is not between 1 and 12 or a name like JAN.", "month", (1, 12)),
        ("x * * * *", "Minute: X is not between 0 and 59.", "minute", (0, 59)),
        ("-1 * * * *", "Minute: a value is missing in -1.", "minute", None),
        ("1- * * * *", "Minute: a value is missing in 1-.", "minute", None),
        ("1,,2 * * * *", "Minute: a value is missing in 1,,2.", "minute", None),
        ("*/0 * * * *", "Minute: the step in */0 is not a number from 1 on.", "minute", None),
        ("*/x * * * *", "Minute: the step in */X is not a number from 1 on.", "minute", None),
        ("/5 * * * *", "Minute: a value is missing in /5.", "minute", None),
        ("0 22-6 * * *", "Hour: 22-6 runs backwards. Write 22-23,0-6.", "hour", None),
        ("0 0 * * FRI-SUN", "Weekday: FRI-SUN runs backwards. Write 5-7.", "weekday", None),
        ("0 0 * * SAT-TUE", "Weekday: SAT-TUE runs backwards. Write 6-7,1-2.", "weekday", None),
        ("0 0 L/2 * *", "Day: L takes no step.", "day", None),
        ("0 0 * * XL", "Weekday: X is not between 0 and 7 (0 and 7 are Sunday) or a name like MON.", "weekday", (0, 7)),
        ("0 0 * * 8L", "Weekday: 8 is not between 0 and 7 (0 and 7 are Sunday) or a name like MON.", "weekday", (0, 7)),
        ("0 0 * * 1#6", "Weekday: in 1#6, what follows # is not between 1 and 5.", "weekday", (1, 5)),
        ("0 0 30-31 2 *", "This never happens: February has no day 30 or 31.", "day", None),
        ("0 0 31 4,6,9,11 *", "This never happens: April, June, September and November have no day 31.", "day", None),
        (
            "0 0 LW * */6#1",
            "Weekday: */6 is not between 0 and 7 (0 and 7 are Sunday) or a name like MON.",
            "weekday",
            (0, 7),
        ),
        ("0 0 */31 * 1#2", "This never happens: no such day of the month falls on such a weekday.", "day", None),
        (
            "@reboot",
            "@reboot is not known. Known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually.",
            "",
            None,
        ),
        ("0 " * 300, "A cron expression has at most 500 characters; this one has 600.", "", (1, 500)),
        (f"{'9' * 80} * * * *", f"Minute: {'9' * 19}… is not between 0 and 59.", "minute", (0, 59)),
        ("² * * * *", "Minute: ² is not between 0 and 59.", "minute", (0, 59)),
        (
            "0 0 * * frı",
            "Weekday: frı is not between 0 and 7 (0 and 7 are Sunday) or a name like MON.",
            "weekday",
            (0, 7),
        ),
    ],
)
def test_refused_with_a_sentence(expression, message, field, allowed):
    started = time.process_time()
    with pytest.raises(InvalidSchedule) as caught:
        cron(expression)
    assert time.process_time() - started < 0.05
    assert (caught.value.message, caught.value.field, caught.value.allowed) == (message, field, allowed)
    assert caught.value.code == "invalid_schedule"


def test_an_error_is_a_sentence_also_before_django_is_ready(monkeypatch):
    from django.core.exceptions import AppRegistryNotReady

    def not_ready(*_arguments):
        raise AppRegistryNotReady("Apps aren't loaded yet.")

    monkeypatch.setattr("django.utils.translation.gettext", not_ready)
    monkeypatch.setattr("django.utils.translation.ngettext", not_ready)
    with pytest.raises(InvalidSchedule, match=r"^Minute: 61 is not between 0 and 59\.$"):
        cron("61 1 1 1 1")
    with pytest.raises(InvalidSchedule, match=r"February has no day 31\.$"):
        cron("1 0 31 2 *")
    with pytest.raises(InvalidSchedule, match=r"June have no day 31\.$"):
        cron("1 0 31 4,6 *")


def test_names_of_days_do_without_django_too():
    class NotReady:
        def __str__(self):
            raise ImproperlyConfigured

    assert texts._text(NotReady(), "Monday") == "Monday"


@pytest.mark.parametrize("alias", grammar.ALIASES)
def test_aliases_are_stored_as_typed_and_mean_what_crontab_says(alias):
    typed = cron(f" {alias.title()} ")
    assert typed.expression == alias.title()
    assert typed.next_after(NOW) == cron(grammar.ALIASES[alias]).next_after(NOW)
    assert describe(typed) == describe(cron(grammar.ALIASES[alias])) != ""


def test_an_expression_is_kept_as_typed_but_for_blanks():
    assert cron("  0\t3 * *  mon-Fri ").expression == "0 3 * * mon-Fri"


CHARACTERS = st.text(alphabet="0123456789*/,-#LWlw @?MONFEBhourly\t\n\x00²ı", max_size=40)


@examples(1_500)
@given(st.sampled_from(["cron", "interval", "dates", "manual", "no kind"]), CHARACTERS | st.text(max_size=60))
@example("cron", "0 0 29 2 *")
@example("cron", "0 0 * 2 0#5")
@example("cron", f"{','.join(['*'] * 40)} * * * *")
@example("interval", "9" * 5_000 + "s")
@example("dates", "0001-01-01T00:00+14:00")
@example("dates", "9999-12-31T23:59-14:00")
def test_whatever_is_typed_gives_a_schedule_or_a_named_error_quickly(kind, text):
    started = time.process_time()
    try:
        schedule = parse_schedule(kind, text)
    except InvalidSchedule as error:
        schedule, message = None, error.message
    assert time.process_time() - started < 0.05
    if schedule is None:
        assert message
    else:
        assert parse_schedule(kind, schedule.expression) == schedule
        following = schedule.next_after(NOW)
        if kind == "cron":
            assert following is not None  # what never happens was refused
        describe(schedule)
        warnings_for(schedule, now=NOW)
        assert time.process_time() - started < 0.5


@examples(60)
@given(st.text(max_size=30))
def test_an_unknown_zone_is_named(name):
    if name not in ZONES:
        with pytest.raises(InvalidSchedule) as caught:
            parse_schedule("cron", "* * * * *", timezone=name)
        assert caught.value.field == "timezone"


@pytest.mark.parametrize("name", ["", "Europe", "../../etc/passwd", "Europe/Berlin\x00", "x" * 5_000, "europe/nowhere"])
def test_odd_names_of_zones_are_refused(name):
    with pytest.raises(InvalidSchedule, match="There is no time zone"):
        cron("* * * * *", timezone=name)


def test_an_unknown_kind_is_named():
    with pytest.raises(InvalidSchedule) as caught:
        parse_schedule("moon", "full")
    assert caught.value.field == "kind"
    assert set(schedule_kinds()) >= {"cron", "interval", "dates", "manual"}


# --- cronsim ------------------------------------------------------------------------------------------------------


def random_field(source: random.Random, low: int, high: int, names: str = "") -> str:
    def value() -> str:
        return source.choice(names.split()) if names and source.random() < 0.2 else str(source.randint(low, high))

    def term() -> str:
        shape = source.random()
        if shape < 0.35:
            return value()
        if shape < 0.55:
            return f"*/{source.randint(1, high)}"
        first, last = sorted((source.randint(low, high), source.randint(low, high)))
        if shape < 0.8 or first == last:  # first-first/n is one of the shapes that differ
            return f"{first}-{last}"
        return f"{first}-{last}/{source.randint(1, 7)}"

    if source.random() < 0.3:
        return "*"
    return ",".join(term() for _ in range(source.choice([1, 1, 1, 2, 3])))


def random_expression(source: random.Random) -> str:
    day = random_field(source, 1, 31)
    weekday = random_field(source, 0, 7, "SUN MON TUE WED THU FRI SAT")
    if source.random() < 0.15:
        day = source.choice(["L", "LW", "1,L", "15,LW"])
    if source.random() < 0.15:
        weekday = source.choice(["5L", "0L", "1#1", "MON#2", "0#5", "7#3", "1#2,3#4", "5L,1"])
    fields = [random_field(source, 0, 59), random_field(source, 0, 23), day]
    fields += [random_field(source, 1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"), weekday]
    return " ".join([random_field(source, 0, 59), *fields] if source.random() < 0.3 else fields)


def theirs(expression, moment, **options):
    """Return what cronsim says; before 2.8 it refuses a day that no month has, even if a weekday would do."""
    try:
        return next(CronSim(expression, moment, **options))
    except CronSimError:
        if [int(part) for part in version("cronsim").split(".")[:2]] >= [2, 8]:
            raise
        return next(CronSim(grammar.for_cronsim(grammar.parse(expression)), moment, **options))


def test_a_day_that_no_month_has_leaves_the_weekday_to_decide():
    assert cron("0 0 31 2 WED").next_after(utc(2026, 11, 24)) == utc(2027, 2, 3)
    assert cron("0 0 31 4,6 MON").previous_before(utc(2026, 11, 24)) == utc(2026, 6, 29)
    assert "31" not in cron("0 0 31 2 WED").searched  # which cronsim refuses before 2.8


@pytest.mark.parametrize("seed", range(20))
def test_ten_thousand_expressions_agree_with_cronsim(seed):
    source = random.Random(seed)
    compared = 0
    while compared < 500:
        expression = random_expression(source)
        moment = utc(source.randint(2000, 2060), source.randint(1, 12), source.randint(1, 28), source.randint(0, 23))
        try:
            schedule = cron(expression)
        except InvalidSchedule:
            with pytest.raises((CronSimError, StopIteration)):
                next(CronSim(expression, moment))
            continue
        assert schedule.next_after(moment) == theirs(expression, moment), expression
        assert schedule.previous_before(moment) == theirs(expression, moment, reverse=True), expression
        compared += 1


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_it_agrees_with_cronsim_in_a_zone_away_from_changes(zone):
    from zoneinfo import ZoneInfo

    source = random.Random(zone)
    compared = 0
    while compared < 300:
        expression = random_expression(source)
        moment = utc(2027, source.choice([1, 6, 7, 12]), source.randint(1, 20), source.randint(0, 23))
        try:
            ours = cron(expression, timezone=zone).next_after(moment)
        except InvalidSchedule:
            continue
        if (ours - moment).days < 8:  # no change is so near
            assert ours == theirs(expression, moment.astimezone(ZoneInfo(zone))), expression
            compared += 1


def test_translated():
    with translation.override("de"), pytest.raises(InvalidSchedule, match=r"Februar\b"):
        cron("2 0 31 2 *")
