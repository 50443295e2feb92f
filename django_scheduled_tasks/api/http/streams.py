"""Server-Sent Events: in an event loop many streams share one look at the database, in a thread each looks by itself.

Source: HTML Living Standard, "Server-sent events", https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
import weakref
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import randint, uniform
from weakref import WeakKeyDictionary

from django.core.handlers.asgi import ASGIRequest
from django.db import Error, close_old_connections, connections
from django.http import HttpRequest, StreamingHttpResponse

from django_scheduled_tasks.api.http.longpoll import WaitingCalls, release_thread
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import StreamRefused, TooManyStreams
from django_scheduled_tasks.services.following.follow import LOOK_EVERY, Event, Follower, look
from django_scheduled_tasks.services.following.follow_all import FollowerOfAll, look_at_all

SAY_EVERY = 15.0
"""Seconds after which something is sent though nothing has happened, so that no proxy takes the stream for dead."""
ALIVE = ": still here\n\n"
COME_AGAIN = 1_000, 5_000
"""After how many milliseconds a client whose stream has ended connects again: not all of them at once, after a restart
of the server, since each needs a connection to the database at first."""
SHORTEST = 0.8
"""The least share of ``STREAM_FOR`` that a stream lasts; those that begin together do not end together."""
MOST_BEHIND = 50
"""After so many looks whose events a client has not taken its stream ends; it connects again when it can."""
logger = logging.getLogger(__name__)
streams = WaitingCalls()
Write = Callable[[Event], str]
"""Returns an event as it is sent."""


Listener = Follower | FollowerOfAll


def streamed(request: HttpRequest, follower: Listener, write: Write) -> StreamingHttpResponse:
    """Return the response that tells *follower* what happens, until the execution ends or ``STREAM_FOR`` is over.

    Raises:
        StreamRefused: It would hold a thread, and no stream may.
        TooManyStreams: As many as may are served already.
    """
    settings, is_async = get_settings(), isinstance(request, ASGIRequest)
    most = settings.MAX_STREAMS if is_async else settings.MAX_STREAMS_IN_THREADS
    if not most:
        raise StreamRefused
    place = ExitStack()
    if not place.enter_context(streams.place(most)):
        place.close()
        raise TooManyStreams(most)
    until = time.monotonic() + settings.STREAM_FOR.total_seconds() * uniform(SHORTEST, 1)  # noqa: S311  # nosec B311  (no secret)
    body = _in_event_loop(follower, write, until, place) if is_async else _in_thread(follower, write, until, place)
    response = StreamingHttpResponse(body, content_type="text/event-stream; charset=utf-8")
    weakref.finalize(response, place.close)  # of a client that is gone before the first event, nobody closes anything
    response["Cache-Control"] = "no-store, no-transform"
    response["X-Accel-Buffering"] = "no"  # nginx would wait until there is more of it
    return response


def _first() -> str:
    return f"retry: {randint(*COME_AGAIN)}\n\n"  # noqa: S311  # nosec B311  (no secret)


def look_for(followers: Collection[Listener]) -> dict[Listener, list[Event]]:
    """Return what is new for each of *followers*, of one execution or of all."""
    of_all = [one for one in followers if isinstance(one, FollowerOfAll)]
    of_one = [one for one in followers if isinstance(one, Follower)]
    found: dict[Listener, list[Event]] = dict(look(of_one).items())
    found.update(look_at_all(of_all).items())
    return found


# --- in a thread --------------------------------------------------------------------------------------------------


def _in_thread(follower: Listener, write: Write, until: float, place: ExitStack) -> Iterator[str]:
    with place:
        yield _first()
        yield from _looks(follower, write, until)


def _looks(follower: Listener, write: Write, until: float) -> Iterator[str]:
    said_at = time.monotonic()
    while True:
        for event in look_for([follower]).get(follower, ()):
            yield write(event)
            said_at = time.monotonic()
        now = time.monotonic()
        if follower.is_over or now >= until:
            return
        if now - said_at >= SAY_EVERY:
            yield ALIVE
            said_at = now
        time.sleep(min(LOOK_EVERY, until - now))


# --- in an event loop ---------------------------------------------------------------------------------------------


async def _in_event_loop(follower: Listener, write: Write, until: float, place: ExitStack) -> AsyncIterator[str]:
    yield _first()
    await release_thread()
    watch = _watches.setdefault(asyncio.get_running_loop(), Watch())
    events = watch.enter(follower)
    try:
        while (left := until - time.monotonic()) > 0:
            try:
                news = await asyncio.wait_for(events.get(), min(left, SAY_EVERY))
            except TimeoutError:
                if left > SAY_EVERY:
                    yield ALIVE
                continue
            if news is None:
                return
            yield "".join(map(write, news))
    finally:
        watch.leave(follower)
        place.close()


News = list[Event] | None
"""What is new; None: nothing more comes."""


class Watch:
    """Looks for all streams of one event loop at once, in one thread; nothing looks while there is no stream."""

    def __init__(self) -> None:
        self._streams: dict[Listener, asyncio.Queue[News]] = {}
        self._looking: asyncio.Task[None] | None = None

    def enter(self, follower: Listener) -> asyncio.Queue[News]:
        """Return the queue in which *follower* gets what is new."""
        queue = self._streams[follower] = asyncio.Queue()
        if self._looking is None:
            # In a context of its own, not in that of the request that happened to come first.
            self._looking = asyncio.create_task(self._look(), context=contextvars.Context())
        return queue

    def leave(self, follower: Listener) -> None:
        """Look no longer for *follower*."""
        self._streams.pop(follower, None)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1, thread_name_prefix="scheduled-tasks-streams")
        try:
            while self._streams:
                asked = [one for one in self._streams if not one.is_over]
                found = await loop.run_in_executor(pool, _looked, asked)
                for follower, events in found.items():
                    self._tell(follower, events)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            self._looking = None
            pool.submit(connections.close_all)  # in the thread that opened them
            pool.shutdown(wait=False)

    def _tell(self, follower: Listener, events: list[Event]) -> None:
        queue = self._streams.get(follower)
        if queue is None:
            return
        if events:
            queue.put_nowait(events)
        if queue.qsize() > MOST_BEHIND:
            follower.is_over = True
        if follower.is_over:
            queue.put_nowait(None)


def _looked(followers: Collection[Listener]) -> dict[Listener, list[Event]]:
    """Look; if the database does not answer, nothing is new."""
    close_old_connections()
    try:
        return look_for(followers)
    except Error:
        logger.exception("Cannot see what is new for listeners", extra={"event": "database_unavailable"})
        return {}


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()
