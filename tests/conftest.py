"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.utils import timezone, translation

from django_scheduled_tasks.engines import base
from django_scheduled_tasks.engines.immediate import DeferredEngine
from tests import profiles

hypothesis.settings.register_profile("tests", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("tests")


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """Let no test go on in the language that the last request of another one asked for, nor in its zone."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture
def engine(settings) -> DeferredEngine:
    """Let executions wait until the test says ``engine.run_all()``."""
    path = "django_scheduled_tasks.engines.immediate.DeferredEngine"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ENGINE": path}
    base._engines[path] = DeferredEngine()
    return base._engines[path]


@pytest.fixture
def django_assert_num_queries(django_assert_num_queries) -> Any:
    """Count the statements to our database."""
    from tests.database import connection

    return partial(django_assert_num_queries, connection=connection)


@pytest.fixture
def django_assert_max_num_queries(django_assert_max_num_queries) -> Any:
    """Count the statements to our database."""
    from tests.database import connection

    return partial(django_assert_max_num_queries, connection=connection)


@pytest.fixture
def django_capture_on_commit_callbacks(django_capture_on_commit_callbacks) -> Any:
    """Capture what waits for a commit in our database."""
    from tests.database import ALIAS

    return partial(django_capture_on_commit_callbacks, using=ALIAS)


if django_settings.VARIANT == "asgi":

    @pytest.fixture
    def live_server(transactional_db) -> Iterator[Any]:
        """Serve the project with uvicorn in place of Django's own server."""
        from tests.uvicorn_server import UvicornServer

        server = UvicornServer()
        yield server
        server.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a service that is not here; fail instead if the service is required."""
    there = {name: answers() for name, answers in profiles.SERVICES.items()}
    for name in profiles.required():
        if not there.get(name):
            pytest.exit(f"{name} is required by SCHEDULED_TASKS_TEST_REQUIRE, and does not answer.", returncode=1)
    for item in items:
        for name, answers in there.items():
            if item.get_closest_marker(name) and not answers:
                item.add_marker(pytest.mark.skip(reason=f"no {name} on this machine"))
        if len(django_settings.DATABASES) > 1:
            _let_use_all_databases(item)


def _let_use_all_databases(item: pytest.Item) -> None:
    fixtures = getattr(item, "fixturenames", ())
    marker = item.get_closest_marker("django_db")
    if marker is not None or {"db", "transactional_db"} & set(fixtures):
        asked = {"transaction": "transactional_db" in fixtures, **(marker.kwargs if marker else {})}
        item.add_marker(pytest.mark.django_db(**{**asked, "databases": "__all__"}), append=False)
