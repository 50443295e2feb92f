"""What settings modules import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from django_scheduled_tasks import q_cluster, with_scheduled_tasks
from django_scheduled_tasks.checks import code
from django_scheduled_tasks.install import NEEDED_APPS


def test_missing_apps_are_added_at_the_end_in_their_order():
    assert with_scheduled_tasks(("django.contrib.admin", "shop")) == ["django.contrib.admin", "shop", *NEEDED_APPS]


@pytest.mark.parametrize("there", ["rest_framework", "rest_framework.apps.RestFrameworkConfig"])
def test_what_is_there_stays_where_it_is(there):
    found = with_scheduled_tasks([there, "rest_framework.authtoken", "shop"])
    assert found[:4] == [there, "rest_framework.authtoken", "shop", "django_filters"]
    assert "rest_framework" not in found[1:]


def test_an_app_inside_another_is_not_that_one():
    assert "rest_framework" in with_scheduled_tasks(["rest_framework.authtoken", "rest_framework_gis"])


def test_twice_is_once():
    once = with_scheduled_tasks(["shop"])
    assert with_scheduled_tasks(once) == once


def test_settings_may_import_it_before_anything_is_configured():
    text = (
        "from django_scheduled_tasks import q_cluster, with_scheduled_tasks; import sys; print('django' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_database_is_the_broker_unless_redis_is_given():
    assert q_cluster() == {"orm": "default", "poll": 0.2, "timeout": 3600, "retry": 3700, "scheduler": False}
    assert q_cluster(redis="", orm="queues")["orm"] == "queues"
    assert "orm" not in q_cluster(redis="redis://host")


def test_options_overrule_and_retry_follows_the_timeout(settings):
    assert q_cluster(timeout=60, workers=2, scheduler=True).items() >= {
        ("timeout", 60),
        ("retry", 160),
        ("workers", 2),
        ("scheduler", True),
    }
    for made in (q_cluster(), q_cluster(timeout=7200), q_cluster(timeout=None)):
        settings.Q_CLUSTER = made
        assert code.check_django_q() == []


@pytest.mark.parametrize(
    ("url", "timeouts"),
    [
        ("redis://:p%2Fw@host:6379/1", {"socket_timeout": 10.0, "socket_connect_timeout": 10.0}),
        (
            "rediss://host/1?socket_timeout=3&ssl_cert_reqs=none",
            {"socket_timeout": 3.0, "socket_connect_timeout": 10.0},
        ),
        ("unix:///run/redis.sock?db=1", {}),
    ],
)
def test_a_connection_to_redis_has_a_timeout(url, timeouts):
    redis = pytest.importorskip("redis")
    given = redis.ConnectionPool.from_url(url).connection_kwargs
    made = redis.ConnectionPool.from_url(q_cluster(redis=url)["redis"]).connection_kwargs
    assert {key: made.get(key) for key in timeouts} == timeouts
    for key in ("host", "port", "db", "password", "path", "ssl_cert_reqs"):
        assert made.get(key) == given.get(key)
