"""The engine for Django's Tasks framework: executions run on whatever backend the project has for it.

On Django 6.0 and later that is ``django.tasks``, before it the ``django-tasks`` package. The setting ``TASKS`` says
which backend; if it has one called ``scheduled_tasks``, that one is used, else the default one. The queues of tasks
have to be among the backend's ``QUEUES``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.engines.base import ENTRY_POINT, WORKER_STARTED, Submission
from django_scheduled_tasks.engines.deadline import Callers
from django_scheduled_tasks.exceptions import EngineUnavailable

try:
    # By name, since only one of the two is installed, and a type checker would need both.
    _framework: Any = import_module("django.tasks" if django.VERSION >= (6, 0) else "django_tasks")
except ImportError as exc:
    raise ImproperlyConfigured("On this version of Django, DjangoTasksEngine needs the package django-tasks.") from exc

ALIAS = "scheduled_tasks" if "scheduled_tasks" in getattr(settings, "TASKS", {}) else "default"
"""Which of the project's backends is used."""
_IN_THE_CALLER = ("backends.immediate", "backends.dummy")
"""Modules of backends that have no workers."""


def _default_queue() -> str:
    queues = _framework.task_backends[ALIAS].queues
    default: str = _framework.DEFAULT_TASK_QUEUE_NAME
    return default if not queues or default in queues else str(min(queues))


_as_task: Callable[[Callable[[str], None]], Any] = _framework.task(backend=ALIAS, queue_name=_default_queue())


@_as_task
def run_execution(tracking_id: str) -> None:
    """Run one execution; what workers call."""
    if not type(_framework.task_backends[ALIAS]).__module__.endswith(_IN_THE_CALLER):
        # There is no signal at a worker's start, so the first execution in a process counts as that.
        import_string(WORKER_STARTED)()
    import_string(ENTRY_POINT)(tracking_id)


class DjangoTasksEngine:
    """Sends tracking ids to a backend of Django's Tasks framework."""

    names_queues = False
    """There is no signal at a worker's start."""

    def __init__(self) -> None:
        self._callers = Callers()

    @property
    def waits_for_server(self) -> bool:
        """Whether the backend asks a server other than a database of the project, as far as its name tells."""
        backend = type(_framework.task_backends[ALIAS])
        return "Database" not in backend.__name__ and not backend.__module__.endswith(_IN_THE_CALLER)

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Enqueue one task each."""
        for sent, submission in enumerate(submissions):
            try:
                job = run_execution.using(queue_name=submission.queue) if submission.queue else run_execution
                self._call(partial(job.enqueue, str(submission.tracking_id)))
            except Exception as exc:  # backends raise errors of their own clients, which we do not import
                raise EngineUnavailable(
                    f"The backend for Django's tasks did not take the message: {exc}", sent=sent, of=len(submissions)
                ) from exc

    def is_idle(self, _queues: Sequence[str]) -> bool:
        """Return False: no backend tells how many tasks wait."""
        return False

    def _call(self, act: Callable[[], Any]) -> None:
        if self.waits_for_server:
            self._callers.call(act, within=get_settings().ENGINE_TIMEOUT.total_seconds())
        else:
            act()
