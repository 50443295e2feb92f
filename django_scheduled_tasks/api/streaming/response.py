"""The response that goes on: in an event loop under ASGI, in a thread of a WSGI server only if the project says so."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from django_scheduled_tasks.api.http.longpoll import release_thread
from django_scheduled_tasks.api.streaming.hub import LOOK_EVERY, hub
from django_scheduled_tasks.api.streaming.listening import OVER, EveryExecution, Listener, OneExecution, look, newest_id
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import StreamsTaken, StreamUnavailable
from django_scheduled_tasks.models import Execution

LONGEST = 600.0
"""Seconds after which a stream ends; who still listens connects again, and goes on with the next event."""
SIGN_OF_LIFE = 15.0
"""Seconds of silence after which a comment is sent, so that no proxy takes the connection for dead."""
CONNECT_AGAIN = "retry: 2000\n\n"
"""After how many milliseconds a browser connects again."""


class Places:
    """Counts the streams of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def take(self) -> None:
        """Take a place.

        Raises:
            StreamsTaken: As many streams as the settings allow are open.
        """
        with self._lock:
            if self._count >= get_settings().MAX_STREAMS:
                raise StreamsTaken
            self._count += 1

    def give_back(self) -> None:
        """Give it back."""
        with self._lock:
            self._count -= 1


places = Places()


def answer(request: Request, execution: Execution | None = None) -> HttpResponseBase:
    """Return the stream of one execution, or of all that the user may see.

    Raises:
        StreamUnavailable: The server is a WSGI server, and the settings do not let streams have its threads.
        StreamsTaken: Too many streams are open.
    """
    last = request.headers.get("Last-Event-ID", "").strip()
    if last == OVER:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)  # with it a browser stops connecting again
    is_async = isinstance(request._request, ASGIRequest)
    if not is_async and not get_settings().STREAM_IN_THREADS:
        raise StreamUnavailable
    places.take()
    known = int(last) if last.isascii() and last.isdecimal() and len(last) <= _LONGEST_ID else None
    listener = _listener(request.user.pk, execution, known)
    content: Any = _Stream(_in_event_loop(listener)) if is_async else _Pieces(_in_thread(listener))
    response = StreamingHttpResponse(content, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"  # nginx would keep it back
    response["Content-Encoding"] = "identity"  # so that Django's GZipMiddleware lets it pass as it comes
    return response


_LONGEST_ID = 19


def _listener(user_id: Any, execution: Execution | None, last: int | None) -> Listener:
    if execution is not None:
        return OneExecution(user_id, execution.pk, line=last or 0)
    return EveryExecution(user_id, after=newest_id() if last is None else last)


async def _in_event_loop(listener: Listener) -> AsyncIterator[str]:
    await release_thread()
    yield CONNECT_AGAIN
    began = spoke = time.monotonic()
    async with aclosing(hub().hear(listener)) as heard:
        async for events in heard:
            moment = time.monotonic()
            if events:
                spoke = moment
                yield "".join(event.text() for event in events)
            elif moment - spoke >= SIGN_OF_LIFE:
                spoke = moment
                yield ": still here\n\n"
            if moment - began >= LONGEST:
                return


def _in_thread(listener: Listener) -> Iterator[str]:
    yield CONNECT_AGAIN
    began = spoke = time.monotonic()
    while not listener.is_over and time.monotonic() - began < LONGEST:
        (events,) = look([listener])
        if events:
            spoke = time.monotonic()
            yield "".join(event.text() for event in events)
        elif time.monotonic() - spoke >= SIGN_OF_LIFE:
            spoke = time.monotonic()
            yield ": still here\n\n"
        if not listener.is_over:
            time.sleep(LOOK_EVERY)


class _Stream:
    """An asynchronous stream that gives its place back, also if it never begins."""

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._pieces = pieces
        self._place = _Place()

    async def __aiter__(self) -> AsyncIterator[str]:
        try:
            async for piece in self._pieces:
                yield piece
        finally:
            self._place.close()

    def close(self) -> None:
        """Called when the response is closed."""
        self._place.close()


class _Pieces:
    """The same for a thread."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._place = _Place()

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def close(self) -> None:
        """Called when the response is closed."""
        self._place.close()


class _Place:
    """A place that was taken; it is given back once."""

    def __init__(self) -> None:
        self._is_taken = True

    def close(self) -> None:
        if self._is_taken:
            self._is_taken = False
            places.give_back()
