"""One look for all who listen in an event loop: one thread and a few statements, however many they are."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

from django.db import Error, close_old_connections, connections

from django_scheduled_tasks.api.streaming.listening import Event, Listener, look

LOOK_EVERY = 0.5
"""Seconds between two looks."""
logger = logging.getLogger(__name__)


class Hub:
    """Looks for all listeners of one event loop, while there are any."""

    def __init__(self) -> None:
        self._listening: dict[int, tuple[Listener, asyncio.Queue[list[Event]]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def hear(self, listener: Listener) -> AsyncGenerator[list[Event]]:
        """Yield what *listener* hears, as long as it is not over; an empty list from time to time."""
        queue: asyncio.Queue[list[Event]] = asyncio.Queue()
        self._listening[id(listener)] = listener, queue
        if self._looking is None:
            # In a context of its own, not in that of the request that happened to come first.
            self._looking = asyncio.create_task(self._look(), context=contextvars.Context())
        try:
            while True:
                events = await queue.get()
                yield events
                if listener.is_over:
                    return
        finally:
            self._listening.pop(id(listener), None)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1, thread_name_prefix="scheduled-tasks-stream")
        try:
            while self._listening:
                # Who has not taken what was told last is not told more: that is read again later.
                asked = [(one, queue) for one, queue in self._listening.values() if queue.empty() and not one.is_over]
                told = await loop.run_in_executor(pool, _look_or_say_nothing, [one for one, _queue in asked])
                for (_one, queue), events in zip(asked, told, strict=True):
                    queue.put_nowait(events)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            self._looking = None
            pool.submit(connections.close_all)  # in the thread that opened them
            pool.shutdown(wait=False)


def _look_or_say_nothing(listeners: list[Listener]) -> list[list[Event]]:
    close_old_connections()
    try:
        return look(listeners)
    except Error:
        logger.exception("Cannot see what has become of executions", extra={"event": "database_unavailable"})
        return [[] for _listener in listeners]


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return that of the running event loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
