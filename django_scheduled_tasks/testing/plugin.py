"""The fixtures; pytest loads this by its entry point, so it imports nothing that Django's settings are needed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from django_scheduled_tasks.engines.base import use_engine
from django_scheduled_tasks.engines.immediate import DeferredEngine
from django_scheduled_tasks.testing.clock import Clock
from django_scheduled_tasks.testing.running import run_pending_executions

if TYPE_CHECKING:
    from django_scheduled_tasks.models import Execution


@pytest.fixture
def scheduled_tasks_engine() -> Iterator[DeferredEngine]:
    """Let executions wait, whatever engine the settings name; ``run_all()`` runs those that were sent."""
    with use_engine(DeferredEngine()) as engine:
        yield engine


@pytest.fixture
def run_scheduled_tasks(scheduled_tasks_engine: DeferredEngine) -> Callable[[], list[Execution]]:
    """Return what runs all executions that may start now: :func:`run_pending_executions`."""
    return run_pending_executions


@pytest.fixture
def scheduled_tasks_clock(scheduled_tasks_engine: DeferredEngine) -> Iterator[Clock]:
    """Stop the clock of scheduled tasks at the present instant; the test moves it. It needs the database."""
    with Clock() as clock:
        yield clock
