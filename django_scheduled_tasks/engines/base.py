"""What an engine is: it carries an execution's tracking id to a worker, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_scheduled_tasks.conf import get_settings

ENTRY_POINT = "django_scheduled_tasks.runner.execute.execute"
"""Dotted path of what a worker calls with tracking ids, as text. Engines must not import the runner."""

WORKER_STARTED = "django_scheduled_tasks.runner.worker.start"
"""Dotted path of what an engine calls at the start of each worker process, with the queue that it works for,
what takes further messages from it or None, and its :class:`Cluster` or None."""

CLUSTER_ENDS = "django_scheduled_tasks.runner.worker.cluster_ends"
"""Dotted path of what an engine calls with the ``pid`` of a :class:`Cluster`, and whether it ``has_ended``: when it is
asked to end, and when it has. Without it people see only that it is gone."""

COPY_KEY = "django_scheduled_tasks.services.installation.state.copy_key"
"""Dotted path of what says whether messages go by a key of their own; engines must not import services."""

KILL_AFTER = timedelta(seconds=2)
"""How long after a time limit the engine may kill a worker that did not yield to the exception."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Worker processes that one process has started and ends."""

    key: str
    """What makes it one and not another on its host; at most 16 characters."""
    pid: int
    """Of the process that people see, and end."""
    processes: int
    """How many workers it has."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What an engine is told of one execution."""

    tracking_id: UUID
    queue: str = ""
    """The queue; empty for the default one."""
    timeout: timedelta | None = None
    """The time limit after which the worker may be killed."""
    may_share: bool = False
    """Whether it may go in one message with others, which the same worker then runs one after the other."""


AnyEngine = TypeVar("AnyEngine", bound="Engine")


class Engine(Protocol):
    """Carries executions to workers. Implement this to run on something other than django-q2.

    In a copy of a database (:func:`copy_key` says so) nothing may be sent to the workers of the original, nor taken
    from their queues.

    An engine may have an attribute ``waits_for_server``: if it is true, sending asks a server that may not answer, and
    the scheduler sends in a thread of its own. Without it, it is false. If an attribute ``names_queues`` is false,
    workers do not say for which queue they work, nor that they are there before they run something; without it, it is
    true.
    """

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Send each tracking id to a worker, which calls :data:`ENTRY_POINT` with it, or with several.

        Sending one twice, late, or not at all is harmless: the row is the truth, and the scheduler sends again.

        Raises:
            EngineUnavailable: Some or all could not be sent.
        """

    def is_idle(self, queues: Sequence[str]) -> bool:
        """Return whether nothing waits in any of *queues*; False if the engine cannot tell.

        If nothing waits, executions that are still pending have lost their messages, and are sent again at once.
        """


def copy_key() -> str:
    """Return what to add to the names of queues, so that a copy of a database has its own; empty at home.

    Cheap: it asks the database about once a minute, and once more at the start.
    """
    found: str = import_string(COPY_KEY)()
    return found


def waits_for_server(engine: Engine) -> bool:
    """Whether *engine* asks a server that may not answer."""
    return bool(getattr(engine, "waits_for_server", False))


def names_queues(engine: Engine) -> bool:
    """Whether workers say at their start that they are there, and for which queue."""
    return bool(getattr(engine, "names_queues", True))


_STAND_IN = "stand-in"
"""The key of the engine of :func:`use_engine`, which is no path."""
_engines: dict[str, Engine] = {}
"""The engines of this process by their paths; each is made once."""


def get_engine() -> Engine:
    """Return the engine that the settings name; one instance a process.

    Raises:
        ImproperlyConfigured: It cannot be imported.
    """
    path = _STAND_IN if _STAND_IN in _engines else get_settings().ENGINE
    if path not in _engines:
        try:
            _engines[path] = import_string(path)()
        except ImportError as exc:
            raise ImproperlyConfigured(f'SCHEDULED_TASKS["ENGINE"]: {path} cannot be imported: {exc}') from exc
    return _engines[path]


@contextmanager
def use_engine(engine: AnyEngine) -> Iterator[AnyEngine]:
    """Let *engine* carry all executions of this process within the block, whatever the settings say; for tests."""
    before = _engines.get(_STAND_IN)
    _engines[_STAND_IN] = engine
    try:
        yield engine
    finally:
        del _engines[_STAND_IN]
        if before is not None:
            _engines[_STAND_IN] = before
