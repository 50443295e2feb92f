"""For the tests of projects: executions wait until the test runs them, in its own process, and nothing is sent.

With pytest, say ``pytest_plugins = ["django_scheduled_tasks.testing"]`` in ``conftest.py``; there are two fixtures,
:func:`scheduled_tasks_engine` and :func:`run_scheduled_tasks`. Without pytest use what they are made of,
:func:`use_engine` and :func:`run_pending_executions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from django_scheduled_tasks.engines.base import ENTRY_POINT, use_engine
from django_scheduled_tasks.engines.immediate import DeferredEngine, ImmediateEngine

if TYPE_CHECKING:
    from django_scheduled_tasks.models import Execution

__all__ = ["DeferredEngine", "ImmediateEngine", "run_pending_executions", "use_engine"]


def run_pending_executions() -> list[Execution]:
    """Run the executions that may start now, and those that they start in turn; return them as they are afterwards.

    They run here, one after the other. No transaction has to commit before, so a test may be rolled back as a whole.
    What waits for an instant, as a retry does, is left alone.
    """
    from django_scheduled_tasks.models import Execution  # noqa: PLC0415  (pytest loads plugins before models are ready)

    execute = import_string(ENTRY_POINT)
    tried: list[int] = []
    while (execution := Execution.objects.ready().exclude(pk__in=tried).order_by("pk").first()) is not None:
        tried.append(execution.pk)
        execute(str(execution.tracking_id))
    return list(Execution.objects.filter(pk__in=tried).order_by("pk"))


if find_spec("pytest") is not None:
    import pytest

    __all__ += ["run_scheduled_tasks", "scheduled_tasks_engine"]

    @pytest.fixture
    def scheduled_tasks_engine() -> Iterator[DeferredEngine]:
        """Let executions wait, whatever engine the settings name; ``run_all()`` runs those that were sent."""
        with use_engine(DeferredEngine()) as engine:
            yield engine

    @pytest.fixture
    def run_scheduled_tasks(scheduled_tasks_engine: DeferredEngine) -> Callable[[], list[Execution]]:
        """Return what runs all executions that may start now: :func:`run_pending_executions`."""
        return run_pending_executions
