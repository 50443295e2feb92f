"""The databases and brokers that the tests run on, and whether this machine has them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POSTGRES_HOST = os.environ.get("PGHOST", "127.0.0.1")
POSTGRES_PORT = int(os.environ.get("PGPORT", "5432"))
MARIADB_HOST = os.environ.get("MYSQL_HOST", "127.0.0.1")
MARIADB_PORT = int(os.environ.get("MYSQL_TCP_PORT", "3306"))
_WORKSPACE = os.environ.get("SCHEDULED_TASKS_TEST_WORKSPACE", "")
"""Appended to names of databases, so that two runs on one machine do not meet."""
_TEST_NAME = f"test_scheduled_tasks{_WORKSPACE}"
_SQLITE = str(Path(tempfile.gettempdir()) / f"{_TEST_NAME}.sqlite3")
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/9")


BROKERS: dict[str, dict[str, Any]] = {"orm": {"orm": "default"}, "redis": {"redis": REDIS_URL}}
"""What each adds to Q_CLUSTER."""


@dataclass(frozen=True)
class Profile:
    """One database, with the broker that it is used with unless SCHEDULED_TASKS_TEST_BROKER says another."""

    database: dict[str, Any]
    broker: str
    needs: tuple[str, ...] = field(default=())


PROFILES = {
    "sqlite": Profile(
        database={
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _SQLITE,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
            # A file and not memory: the processes that tests start have to see it.
            "TEST": {"NAME": _SQLITE},
        },
        broker="orm",
    ),
    "postgres": Profile(
        database={
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "test",
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
            "HOST": POSTGRES_HOST,
            "PORT": POSTGRES_PORT,
            "TEST": {"NAME": _TEST_NAME},
        },
        broker="redis",
        needs=("postgres",),
    ),
    "mariadb": Profile(
        database={
            "ENGINE": "django.db.backends.mysql",
            "NAME": "test",
            "USER": os.environ.get("MYSQL_USER", "root"),
            "PASSWORD": os.environ.get("MYSQL_PWD", ""),
            "HOST": MARIADB_HOST,
            "PORT": MARIADB_PORT,
            "OPTIONS": {"charset": "utf8mb4"},
            "TEST": {"NAME": _TEST_NAME},
        },
        broker="orm",
        needs=("mariadb",),
    ),
}


def broker_name(profile: str) -> str:
    """Return the name of the broker to use with *profile*."""
    return os.environ.get("SCHEDULED_TASKS_TEST_BROKER") or PROFILES[profile].broker


def broker_of(profile: str) -> dict[str, Any]:
    """Return what Q_CLUSTER needs for that broker."""
    return dict(BROKERS[broker_name(profile)])


def needs_of(profile: str) -> set[str]:
    """Return the services that *profile* needs, with the broker to use."""
    return {*PROFILES[profile].needs, *({"redis"} & {broker_name(profile)})}


if os.environ.get("SCHEDULED_TASKS_TEST_PROFILE") == "mariadb" and not importlib.util.find_spec("MySQLdb"):
    import pymysql

    pymysql.install_as_MySQLdb()


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def chromium() -> str | None:
    """Return the path of a Chromium, if there is one: the shell without windows needs half of the processor's time."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def _redis_answers() -> bool:
    host, _, port = REDIS_URL.partition("://")[2].partition("/")[0].partition(":")
    return _answers(host, int(port or 6379))


SERVICES: dict[str, Callable[[], bool]] = {
    "postgres": lambda: _answers(POSTGRES_HOST, POSTGRES_PORT),
    "mariadb": lambda: _answers(MARIADB_HOST, MARIADB_PORT),
    "redis": _redis_answers,
    "browser": lambda: chromium() is not None,
}
"""What some tests need, and how to find out whether it is there."""


def required() -> set[str]:
    """Return the services whose absence is a failure: SCHEDULED_TASKS_TEST_REQUIRE=postgres,redis."""
    return {name for name in os.environ.get("SCHEDULED_TASKS_TEST_REQUIRE", "").split(",") if name}
