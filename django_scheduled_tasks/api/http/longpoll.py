"""Waiting for the end of executions: in a thread of a WSGI server, or in an event loop.

In an event loop a waiting call holds no thread and no connection to the database. In a thread it keeps that thread
from all other requests, so only a few calls of a process may wait at the same time.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import Error, close_old_connections, connections
from django.http import HttpRequest

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import OPEN
from django_scheduled_tasks.models import Execution, write_alias

FIRST_POLL, LONGEST_POLL = 0.05, 0.25
"""Seconds between two polls by a thread that waits; they double."""
ASYNC_POLL = 0.1
"""Seconds between two polls by an event loop, each of which is for all its waiting calls."""
MOST_WAITING = 2
"""How many calls of a process may wait in threads, if the project does not say."""
logger = logging.getLogger(__name__)


# --- in a thread --------------------------------------------------------------------------------------------------


class WaitingCalls:
    """Counts the calls that wait in threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @contextmanager
    def place(self, most: int) -> Iterator[bool]:
        """Hold a place among the waiting calls for a block; False if *most* wait already."""
        with self._lock:
            is_free = self._count < most
            self._count += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self._count -= is_free


waiting_calls = WaitingCalls()


def most_waiting(request: HttpRequest) -> int:
    """Return how many calls may wait in the server process that handles *request*: a quarter of its threads.

    WSGI tells whether there are several threads, but not how many. In the only thread of a process nothing waits.
    """
    most = get_settings().MAX_WAITING_CALLS
    if most is not None:
        return most
    return MOST_WAITING if request.META.get("wsgi.multithread", True) else 0


def wait_in_thread(request: HttpRequest, tracking_id: UUID, seconds: float) -> None:
    """Return when the execution has ended or is gone, at the latest after *seconds*; at once if too many calls wait."""
    with waiting_calls.place(most_waiting(request)) as may_wait:
        if not may_wait:
            return
        for pause in _pauses(seconds):
            time.sleep(pause)
            if has_ended(tracking_id):
                return


def _pauses(seconds: float) -> Iterator[float]:
    """Yield how long to sleep before each poll, until the time is up."""
    deadline = time.monotonic() + seconds
    pause = FIRST_POLL
    while (left := deadline - time.monotonic()) > 0:
        yield min(pause, left)
        pause = min(pause * 2, LONGEST_POLL)


def has_ended(tracking_id: UUID) -> bool:
    """Whether it has ended, or is gone; one small statement."""
    return not Execution.objects.using(write_alias()).filter(tracking_id=tracking_id, status__in=OPEN).exists()


# --- in an event loop ---------------------------------------------------------------------------------------------


class Poller:
    """Polls for all calls that wait in one event loop: one statement a poll, one thread, and none while none waits."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = {}
        self._polling: asyncio.Task[None] | None = None

    async def wait(self, tracking_id: UUID, seconds: float) -> None:
        """Return when the execution has ended or is gone, at the latest after *seconds*."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tracking_id, set()).add(future)
        if self._polling is None:
            # In a context of its own, not in that of the request that happened to come first.
            self._polling = asyncio.create_task(self._poll(), context=contextvars.Context())
        try:
            await asyncio.wait({future}, timeout=seconds)
        finally:
            same = self._waiting.get(tracking_id, set())
            same.discard(future)
            if not same:
                self._waiting.pop(tracking_id, None)

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1, thread_name_prefix="scheduled-tasks-longpoll")
        try:
            while self._waiting:
                await asyncio.sleep(ASYNC_POLL)
                asked = list(self._waiting)
                still_open = await loop.run_in_executor(pool, open_among, asked)
                for tracking_id in asked:
                    if tracking_id not in still_open:
                        self._release(tracking_id)
        finally:
            self._polling = None
            pool.submit(connections.close_all)  # in the thread that opened them
            pool.shutdown(wait=False)

    def _release(self, tracking_id: UUID) -> None:
        for future in self._waiting.pop(tracking_id, ()):
            if not future.done():
                future.set_result(None)


def open_among(tracking_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these executions have not ended; none if the database does not answer: all callers ask again."""
    close_old_connections()
    try:
        rows = Execution.objects.using(write_alias()).filter(tracking_id__in=tracking_ids, status__in=OPEN)
        return set(rows.values_list("tracking_id", flat=True))
    except Error:
        logger.exception("Cannot see which executions have ended", extra={"event": "database_unavailable"})
        return set()


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, Poller] = WeakKeyDictionary()


async def wait_in_event_loop(tracking_id: UUID, seconds: float) -> None:
    """Return when the execution has ended or is gone, at the latest after *seconds*."""
    await release_thread()
    await _pollers.setdefault(asyncio.get_running_loop(), Poller()).wait(tracking_id, seconds)


async def release_thread() -> None:
    """Give back the thread that Django's ASGI handler keeps for this request, and its connections.

    What the request does in a thread later gets a new one. Under a middleware that is not async the thread is kept all
    the same, since that middleware waits in it.
    """
    await sync_to_async(_close_connections)()
    context = SyncToAsync.thread_sensitive_context.get(None)
    # As the context itself does when the request ends.
    if context is not None and (pool := SyncToAsync.context_to_thread_executor.pop(context, None)):
        pool.shutdown(wait=False)


def _close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # a test's own transaction
            connection.close()
