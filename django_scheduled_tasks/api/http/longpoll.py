"""Waiting for the end of executions in an event loop: who waits holds no thread and no connection to the database."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import Error, close_old_connections, connections

from django_scheduled_tasks.lifecycle import OPEN
from django_scheduled_tasks.models import Execution

LOOK = 0.1
"""Seconds between two looks, each of which is for all who wait."""
logger = logging.getLogger(__name__)


class Watch:
    """Looks for all who wait in one event loop: one statement a look, one thread, and none while nobody waits."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, tracking_id: UUID, seconds: float) -> None:
        """Return when the execution has ended or is gone, at the latest after *seconds*."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tracking_id, set()).add(future)
        if self._looking is None:
            # Without what belongs to the request that happened to come first.
            self._looking = asyncio.create_task(self._look(), context=contextvars.Context())
        try:
            await asyncio.wait({future}, timeout=seconds)
        finally:
            others = self._waiting.get(tracking_id, set())
            others.discard(future)
            if not others:
                self._waiting.pop(tracking_id, None)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1, thread_name_prefix="scheduled-tasks-watch")
        try:
            while self._waiting:
                await asyncio.sleep(LOOK)
                asked = list(self._waiting)
                still_open = await loop.run_in_executor(pool, open_among, asked)
                for tracking_id in asked:
                    if tracking_id not in still_open:
                        self._release(tracking_id)
        finally:
            self._looking = None
            pool.submit(connections.close_all)  # by the thread whose they are
            pool.shutdown(wait=False)

    def _release(self, tracking_id: UUID) -> None:
        for future in self._waiting.pop(tracking_id, ()):
            if not future.done():
                future.set_result(None)


def open_among(tracking_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these executions have not ended; none if the database does not say: then all may ask again."""
    close_old_connections()
    try:
        rows = Execution.objects.filter(tracking_id__in=tracking_ids, status__in=OPEN)
        return set(rows.values_list("tracking_id", flat=True))
    except Error:
        logger.exception("Cannot see which executions have ended")
        return set()


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


async def wait_for_end(tracking_id: UUID, seconds: float) -> None:
    """Return when the execution has ended or is gone, at the latest after *seconds*."""
    await _let_go()
    await _watches.setdefault(asyncio.get_running_loop(), Watch()).wait(tracking_id, seconds)


async def _let_go() -> None:
    """Give back the thread that Django's ASGI handler keeps for this request, and its connections.

    What the request does in a thread later gets a new one. Under a middleware that is not async the thread goes on
    nevertheless, since that middleware waits in it.
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
