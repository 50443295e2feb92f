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


@pytest.mark.parametrize(
    "broker",
    [
        {"redis": {"host": "cache", "port": 6379}},
        {"django_redis": "default"},
        {"mongo": "mongodb://host"},
        {"sqs": {"aws_region": "eu"}},
        {"iron_mq": {"host": "h"}},
        {"broker_class": "shop.Broker"},
    ],
    ids=lambda broker: next(iter(broker)),
)
def test_another_broker_is_kept_and_the_database_carries_nothing_then(broker):
    found = q_cluster(**broker)
    assert "orm" not in found
    for name, value in broker.items():
        assert found[name] == value if not isinstance(value, dict) else found[name].items() >= value.items()


def test_a_redis_as_a_dictionary_has_timeouts_too():
    found = q_cluster(redis={"host": "cache", "socket_timeout": 3})["redis"]
    assert found == {"host": "cache", "socket_timeout": 3, "socket_connect_timeout": 10}


def test_what_the_project_has_is_kept_whole_its_own_schedules_too():
    present = {"name": "shop", "workers": 8, "redis": "redis://cache", "timeout": 600, "retry": 700}
    found = q_cluster(present)
    assert found.items() >= (present | {"redis": found["redis"]}).items()
    assert "scheduler" not in found
    assert found["redis"].startswith("redis://cache?socket_timeout=10")
    assert q_cluster({"orm": "default"}) == {"orm": "default", "timeout": None, "retry": 3700}
    assert q_cluster(present, workers=2)["workers"] == 2


def test_without_an_admin_what_only_its_pages_need_is_left_out_and_so_may_be_the_api():
    assert "django_htmx" not in with_scheduled_tasks(["shop"])
    assert "django_htmx" in with_scheduled_tasks(["project.admin.AdminConfig"])
    assert with_scheduled_tasks(["shop"], api=False) == ["shop", "django_q", "django_scheduled_tasks"]


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
