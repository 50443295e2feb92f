"""Settings: defaults, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"LEESE": timedelta(seconds=1)}, "unknown keys: LEESE. Known are: BATCH_SIZE, ENGINE"),
        ({"LEASE": 60}, r'\["LEASE"\] must be a timedelta, not int'),
        ({"BATCH_SIZE": True}, r'\["BATCH_SIZE"\] must be a int, not bool'),
        ({"BATCH_SIZE": 0}, r'\["BATCH_SIZE"\] must be greater than zero, not 0'),
        ({"LEASE": timedelta(0)}, r'\["LEASE"\] must be greater than zero'),
        ({"KEEP_FOR": timedelta.max}, r'\["KEEP_FOR"\] must not be longer than 36525 days'),
        ({"ENGINE": None}, r'\["ENGINE"\] must be a str, not NoneType'),
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
