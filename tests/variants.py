"""Projects that differ from the plain one in one thing; SCHEDULED_TASKS_TEST_VARIANT names the one to run the tests in.

Each takes the names of :mod:`tests.settings` and changes them, for the tests and for the processes that they start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Settings = dict[str, Any]
ELSEWHERE = "tasks"
"""The alias of the database that holds our tables in the variant ``alias``."""


class Router:
    """All that refers to users is in one database, since relations cannot cross; ``default`` has the rest."""

    at_default = ("sessions",)

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        """Return where *model* is."""
        return None if model._meta.app_label in self.at_default else ELSEWHERE

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        """Whether the tables of *app_label* are in *db*."""
        return (db == ELSEWHERE) != (app_label in self.at_default)


def alias(settings: Settings) -> None:
    """Our tables are not in the database called ``default``, which is another one."""
    ours = settings["DATABASES"]["default"]
    other = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings["DATABASES"] = {"default": other, ELSEWHERE: ours}
    settings["DATABASE_ROUTERS"] = ["tests.variants.Router"]
    settings["ALIAS"] = ELSEWHERE
    if "orm" in settings["Q_CLUSTER"]:
        settings["Q_CLUSTER"]["orm"] = ELSEWHERE


def asgi(_settings: Settings) -> None:
    """Live servers are uvicorn, which runs the project's ASGI application; see ``live_server`` in the conftest."""


def atomic(settings: Settings) -> None:
    """Each request is a transaction."""
    settings["DATABASES"]["default"]["ATOMIC_REQUESTS"] = True


def naive(settings: Settings) -> None:
    """Django's times have no zone, and are those of a place whose clocks change."""
    settings.update(USE_TZ=False, TIME_ZONE="America/New_York")
    settings["SCHEDULED_TASKS"]["TIME_ZONE"] = "UTC"  # what the tests take schedules for that name no zone


def user(settings: Settings) -> None:
    """Users are a model of the project, with a UUID and an e-mail address in place of a number and a name."""
    settings["INSTALLED_APPS"] = [*settings["INSTALLED_APPS"], "tests.people"]
    settings["AUTH_USER_MODEL"] = "people.Person"


VARIANTS: dict[str, Callable[[Settings], None]] = {
    function.__name__: function for function in (alias, asgi, atomic, naive, user)
}
