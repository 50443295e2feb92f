"""Answering where an execution is: at once, or as soon as it has ended."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.longpoll import wait_for_end
from django_scheduled_tasks.api.http.query import asked_number
from django_scheduled_tasks.lifecycle import OPEN
from django_scheduled_tasks.models import Execution, with_now
from django_scheduled_tasks.services.envelope import ExecutionInfo, envelope
from django_scheduled_tasks.services.permissions import VIEW_LOGS, may
from django_scheduled_tasks.services.queries.lookup import get_execution

LONGEST_WAIT = 30.0
"""Seconds."""
FIRST_LOOK, LONGEST_LOOK = 0.05, 0.25
"""Seconds between two looks while waiting; they double."""
RETRY_AFTER = ((5.0, 1), (30.0, 2))
"""Seconds since the trigger, and after how many seconds to ask again until then."""
RETRY_AFTER_MOST = 5


def asked_wait(request: Request) -> float:
    """Return for how many seconds to wait, as ``?wait=`` says.

    Raises:
        ValidationError: It is no whole number, or less than nothing.
    """
    return min(asked_number(request, "wait", default=0, least=0), LONGEST_WAIT)


def retry_after(execution: Execution, now: datetime) -> int:
    """Return after how many seconds to ask again: the longer it is open, the less often."""
    age = (now - execution.triggered_at).total_seconds()
    return next((seconds for limit, seconds in RETRY_AFTER if age < limit), RETRY_AFTER_MOST)


def info_of(request: Request, execution: Execution) -> ExecutionInfo:
    """Return what this user may see of *execution*."""
    logs = may(request.user, VIEW_LOGS, execution)
    return ExecutionInfo.of(execution, with_traceback=logs, with_result=logs)


def status_response(request: Request, execution: Execution, *, wait: float) -> Response:
    """Return the answer; if there is time to wait and *execution* is open, when it has ended.

    In an async deployment the answer is rendered by the event loop, which holds no thread while it waits.

    Args:
        request: Whose.
        execution: With ``database_now``.
        wait: Seconds.
    """
    if wait <= 0 or not execution.is_open:
        return _filled(Response(), request, execution)
    if isinstance(request._request, ASGIRequest):
        return AwaitedResponse(request, execution, wait)
    for look in _looks(wait):
        time.sleep(look)
        if _has_ended(execution.tracking_id):
            break
    return _filled(Response(), request, _read(execution.tracking_id))


class AwaitedResponse(Response):
    """An answer that is not known yet: Django awaits an async ``render``, after the view and its thread are done."""

    def __init__(self, request: Request, execution: Execution, wait: float) -> None:
        super().__init__()
        self._asked, self._tracking_id, self._wait = request, execution.tracking_id, wait

    async def render(self) -> Any:  # type: ignore[override]  # Django awaits it, if it is a coroutine function
        """Wait, then render."""
        await wait_for_end(self._tracking_id, self._wait)
        return await sync_to_async(self._finish)()

    def _finish(self) -> Any:
        _filled(self, self._asked, _read(self._tracking_id))
        return super().render()


def _looks(wait: float) -> Iterator[float]:
    """Yield how long to sleep before each look, until the time is up."""
    deadline = time.monotonic() + wait
    look = FIRST_LOOK
    while (left := deadline - time.monotonic()) > 0:
        yield min(look, left)
        look = min(look * 2, LONGEST_LOOK)


def _has_ended(tracking_id: UUID) -> bool:
    """Whether it has ended, or is gone; one small statement."""
    return not Execution.objects.filter(tracking_id=tracking_id, status__in=OPEN).exists()


def _read(tracking_id: UUID) -> Execution:
    return get_execution(tracking_id, with_now(Execution.objects.all()))


def _filled(response: Response, request: Request, execution: Execution) -> Response:
    """Fill in body and headers: ``ETag``, and ``Retry-After`` while it is open; 304 if the reader has it already."""
    body = envelope(info_of(request, execution))
    etag = f'W/"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]}"'
    response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
    if execution.is_open:
        response["Retry-After"] = str(retry_after(execution, execution.database_now))
    known = [item.strip() for item in request.headers.get("If-None-Match", "").split(",")]
    if etag in known or etag.removeprefix("W/") in known or "*" in known:
        response.status_code = HTTPStatus.NOT_MODIFIED
        response.data = None
    else:
        response.data = body
    return response
