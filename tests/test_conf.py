"""Settings: defaults, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks import conf
from django_scheduled_tasks.conf import ScheduledTasksSettings, get_settings


def test_without_the_setting_all_have_their_defaults(settings):
    del settings.SCHEDULED_TASKS
    assert get_settings() == ScheduledTasksSettings()
    assert timedelta(seconds=60) == get_settings().LEASE


def test_a_change_of_the_setting_needs_no_reset(settings):
    settings.SCHEDULED_TASKS = {"LEASE": timedelta(minutes=2)}
    assert timedelta(minutes=2) == get_settings().LEASE
    settings.SCHEDULED_TASKS = {}
    assert timedelta(seconds=60) == get_settings().LEASE


def test_a_change_within_the_dictionary_counts_too(settings):
    settings.SCHEDULED_TASKS = {"BATCH_SIZE": 1}
    assert get_settings().BATCH_SIZE == 1
    settings.SCHEDULED_TASKS["BATCH_SIZE"] = 7
    assert get_settings().BATCH_SIZE == 7
    settings.SCHEDULED_TASKS["BATCH_SIZE"] = True  # equal to 1, and of another type
    with pytest.raises(ImproperlyConfigured, match="not bool"):
        get_settings()


@pytest.mark.parametrize("given", [None, {}, {"LEASE": timedelta(minutes=2)}, {"PINGS": {"a": "B"}}])
def test_the_settings_are_built_once(settings, given):
    if given is None:
        del settings.SCHEDULED_TASKS
    else:
        settings.SCHEDULED_TASKS = given
    first, before = get_settings(), conf._build.cache_info()
    assert all(get_settings() is first for _ in range(100))
    after = conf._build.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (100, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"LEESE": timedelta(seconds=1)}, "unknown keys: LEESE. Known are: ALERT_NETWORKS, ALERT_TIMEOUT, BATCH_SIZE"),
        ({"LEASE": 60}, r'\["LEASE"\] must be a timedelta, not int'),
        ({"BATCH_SIZE": True}, r'\["BATCH_SIZE"\] must be a int, not bool'),
        ({"BATCH_SIZE": 0}, r'\["BATCH_SIZE"\] must be greater than zero, not 0'),
        ({"LEASE": timedelta(0)}, r'\["LEASE"\] must be at least 1 second, not 0:00:00'),
        ({"POLL_INTERVAL": timedelta(milliseconds=999)}, r'\["POLL_INTERVAL"\] must be at least 1 second'),
        ({"KEEP_FOR": timedelta.max}, r'\["KEEP_FOR"\] must not be longer than 36525 days'),
        ({"ALERT_NETWORKS": ("10.0.0.1/8",)}, r'\["ALERT_NETWORKS"\]: 10.0.0.1/8 has host bits set'),
        ({"PINGS": ["x"]}, r'\["PINGS"\] must be a Mapping\[str, str\], not list'),
        ({"PINGS": {"x": 1}}, r'\["PINGS"\] must have nothing but texts in it'),
        ({"PINGS": {"x": ["y"]}}, r'\["PINGS"\] must have nothing but texts in it'),
        ({"SENTRY_MONITORS": "x"}, r'\["SENTRY_MONITORS"\] must be a tuple\[str, ...\], not str'),
        ({"ENGINE": None}, r'\["ENGINE"\] must be a str, not NoneType'),
        ({"ENGINE": ["a.b"]}, r'\["ENGINE"\] must be a str, not list'),
    ],
)
def test_wrong_settings_are_named(settings, given, message):
    settings.SCHEDULED_TASKS = given
    with pytest.raises(ImproperlyConfigured, match=message):
        get_settings()


def test_the_zone_of_schedules_that_name_none(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    assert get_settings().time_zone == "Europe/Berlin"
    settings.SCHEDULED_TASKS = {"TIME_ZONE": "Asia/Tokyo"}
    assert get_settings().time_zone == "Asia/Tokyo"
