"""For the tests of projects: executions run in the process of the test, time passes when the test says so.

pytest finds the fixtures by itself: ``scheduled_tasks_engine``, ``run_scheduled_tasks`` and ``scheduled_tasks_clock``.
Without pytest use what they are made of: ``use_engine``, ``run_pending_executions`` and ``Clock``.
``assert_all_tasks_valid`` is for a test of the project's own.
"""

from __future__ import annotations

from importlib.util import find_spec

from django_scheduled_tasks.engines.base import use_engine
from django_scheduled_tasks.engines.immediate import DeferredEngine, ImmediateEngine
from django_scheduled_tasks.testing.clock import Clock, Happened
from django_scheduled_tasks.testing.running import run_pending_executions
from django_scheduled_tasks.testing.valid import assert_all_tasks_valid, problems

__all__ = [
    "Clock",
    "DeferredEngine",
    "Happened",
    "ImmediateEngine",
    "assert_all_tasks_valid",
    "problems",
    "run_pending_executions",
    "use_engine",
]

if find_spec("pytest") is not None:
    from django_scheduled_tasks.testing.plugin import (
        run_scheduled_tasks,
        scheduled_tasks_clock,
        scheduled_tasks_engine,
    )

    __all__ += ["run_scheduled_tasks", "scheduled_tasks_clock", "scheduled_tasks_engine"]
