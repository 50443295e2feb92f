"""Fixtures for all tests."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.engines import base
from django_scheduled_tasks.engines.immediate import DeferredEngine
from tests import profiles


@pytest.fixture
def engine(settings) -> DeferredEngine:
    """Let executions wait until the test says ``engine.run_all()``."""
    path = "django_scheduled_tasks.engines.immediate.DeferredEngine"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ENGINE": path}
    base._engines[path] = DeferredEngine()
    return base._engines[path]


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
