"""Responses that say where an execution is: after its start, at once, or as soon as it has ended."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from django_scheduled_tasks.api.http.conditions import etag_of_body, is_known
from django_scheduled_tasks.api.http.longpoll import wait_in_event_loop, wait_in_thread
from django_scheduled_tasks.api.http.query import PATH_NAMES, asked_number
from django_scheduled_tasks.models import Execution, with_now
from django_scheduled_tasks.services.envelope import ExecutionInfo, envelope
from django_scheduled_tasks.services.permissions import VIEW_LOGS, may
from django_scheduled_tasks.services.queries.lookup import get_execution
from django_scheduled_tasks.services.starting.run_once import RunOnce

LONGEST_WAIT = 30.0
"""Seconds."""
RETRY_AFTER = ((5.0, 1), (30.0, 2))
"""Seconds since the trigger, and after how many seconds to ask again until then."""
RETRY_AFTER_MOST = 5
SOON = "1"
"""Seconds after which to ask for the status the first time."""


def address_of(request: Request, name: str, **values: object) -> str:
    """Return the address of one of our calls, under the namespace and the path that this one was called by."""
    match = request.resolver_match
    namespace = (match.namespace if match else "") or "scheduled-tasks"
    outside = {key: value for key, value in match.kwargs.items() if key not in PATH_NAMES} if match else {}
    return reverse(f"{namespace}:{name}", kwargs=outside | values, request=request)


def info_of(request: Request, execution: Execution) -> ExecutionInfo:
    """Return what this user may see of *execution*."""
    logs = may(request.user, VIEW_LOGS, execution)
    return ExecutionInfo.of(execution, with_message=logs, with_traceback=logs, with_result=logs)


def started(request: Request, done: RunOnce) -> Response:
    """Return the response to a call that started an execution, or had started it before."""
    execution = done.execution
    address = address_of(request, "task-status", task=execution.task_name, trackingId=execution.tracking_id)
    headers = {"Location": address}
    if execution.is_open:
        headers["Retry-After"] = SOON
    if done.replayed:
        headers["Idempotent-Replayed"] = "true"
    code = HTTPStatus.OK if done.replayed else HTTPStatus.ACCEPTED
    return Response(envelope(info_of(request, execution)), status=code, headers=headers)


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


def status_response(request: Request, execution: Execution, *, wait: float) -> Response:
    """Return the status; if there is time to wait and *execution* is open, when it has ended.

    In an async deployment the response is rendered by the event loop, which holds no thread while it waits.

    Args:
        request: Whose.
        execution: With ``database_now``.
        wait: Seconds.
    """
    if wait <= 0 or not execution.is_open:
        return _filled(Response(), request, execution)
    if isinstance(request._request, ASGIRequest):
        return AwaitedResponse(request, execution, wait)
    wait_in_thread(request._request, execution.tracking_id, wait)
    return _filled(Response(), request, _read(execution.tracking_id))


class AwaitedResponse(Response):
    """A response that is not known yet: Django awaits an async ``render``, after the view and its thread are done."""

    def __init__(self, request: Request, execution: Execution, wait: float) -> None:
        super().__init__()
        self._asked, self._tracking_id, self._wait = request, execution.tracking_id, wait

    async def render(self) -> Any:  # type: ignore[override]  # Django awaits it, if it is a coroutine function
        """Wait, then render."""
        await wait_in_event_loop(self._tracking_id, self._wait)
        return await sync_to_async(self._finish)()

    def _finish(self) -> Any:
        try:
            _filled(self, self._asked, _read(self._tracking_id))
        except Exception as exc:  # noqa: BLE001  (the view is done, so its own handling of errors comes too late)
            self._become(self._asked.parser_context["view"].handle_exception(exc))
        return super().render()

    def _become(self, other: Response) -> None:
        self.data, self.status_code, self.exception = other.data, other.status_code, True
        for name, value in other.items():
            self[name] = value


def _read(tracking_id: UUID) -> Execution:
    return get_execution(tracking_id, with_now(Execution.objects.all()))


def _filled(response: Response, request: Request, execution: Execution) -> Response:
    """Fill in body and headers: ``ETag``, and ``Retry-After`` while it is open; 304 if the reader has it already."""
    body = envelope(info_of(request, execution))
    etag = etag_of_body(body)
    response["ETag"] = etag
    if execution.is_open:
        response["Retry-After"] = str(retry_after(execution, execution.database_now))
    if is_known(request, etag):
        response.status_code = HTTPStatus.NOT_MODIFIED
        response.data = None
    else:
        response.data = body
    return response
