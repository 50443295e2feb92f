"""Every error of the API in its one shape."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import wraps
from http import HTTPStatus
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError, connections, transaction
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from django_scheduled_tasks.api.http.renderers import PlainJSON
from django_scheduled_tasks.db.connections.errors import gave_way
from django_scheduled_tasks.exceptions import (
    DatabaseUnavailable,
    InvalidInput,
    InvalidParameters,
    ScheduledTasksError,
    TooManyStreams,
)
from django_scheduled_tasks.instants import camel
from django_scheduled_tasks.services.envelope import CLIENT_ERROR, MOST_ITEMS, ErrorItem, Errors, origin_of

RETRY_AFTER = 5
"""Seconds after which to try again when the database does not answer."""
logger = logging.getLogger(__name__)
CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
}
"""What programs see for errors that DRF raises, by HTTP status."""


_NAMES = {"start": "from", "end": "to", "idempotency_key": "Idempotency-Key"}
"""What a request calls otherwise than in camelCase."""


class TooLarge(drf.APIException):
    """The body is larger than allowed."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, limit: int | None = None) -> None:
        super().__init__(f"The body is larger than {limit:,} bytes." if limit else "The body is too large.")


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to *exc*; None for what is a bug, which Django reports."""
    shape = context["view"].error_body
    if isinstance(exc, (OperationalError, InterfaceError)) and is_temporary(exc):
        exc = database_unavailable(exc)
        # The pages of the browsable API would ask the database who the reader is.
        context["request"].accepted_renderer = PlainJSON()
    if isinstance(exc, ScheduledTasksError):
        errors = Errors.of(exc, name_of=json_name)
        return Response(shape(errors), status=errors.status, headers=headers_of(exc))
    if isinstance(exc, RequestDataTooBig):
        exc = TooLarge()
    elif isinstance(exc, SuspiciousOperation):
        exc = drf.ParseError(str(exc))
    response = exception_handler(exc, context)
    if response is not None:
        response.data = shape(of_drf(exc, response.status_code))
    return response


def is_temporary(error: Exception) -> bool:
    """Whether a database's operational error is about its state: it is away, busy or full, or gave way to others.

    SQLite and MySQL also call it so when tables or columns are missing, which is about the code.
    """
    text = str(error)
    return not (text.startswith("no such ") or "Unknown column" in text)


def database_unavailable(error: Exception) -> DatabaseUnavailable:
    """Log that the database does not answer, or gave way to others, and return what to answer instead."""
    extra = {"event": "database_unavailable"}
    if gave_way(error):
        logger.warning(
            "The request gave way to another transaction; its client may send it again: %s", error, extra=extra
        )
    else:
        logger.error("The database does not answer: %s", error, extra=extra)
    return DatabaseUnavailable()


def headers_of(error: ScheduledTasksError) -> dict[str, str]:
    """Return the headers of a response to *error*."""
    return {"Retry-After": str(RETRY_AFTER)} if isinstance(error, (DatabaseUnavailable, TooManyStreams)) else {}


def guarded(view: Any, error_body: Callable[[Errors], dict[str, Any]], *, is_atomic: bool) -> Any:
    """Return *view* with a JSON response where the database fails outside of it: at the beginning or the commit.

    Args:
        view: As Django calls it.
        error_body: The shape of errors.
        is_atomic: Whether it runs in a transaction where the project has ``ATOMIC_REQUESTS``.
    """

    @wraps(view)
    def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            with ExitStack() as transactions:
                aliases = _atomic_aliases() if is_atomic else []
                for alias in aliases:
                    transactions.enter_context(transaction.atomic(using=alias))
                response: HttpResponseBase = view(request, *args, **kwargs)
                if getattr(response, "exception", False):  # Django REST Framework has made a response of it
                    for alias in aliases:
                        transaction.set_rollback(True, using=alias)
                return response
        except (OperationalError, InterfaceError) as exc:
            if not is_temporary(exc):
                raise
            error = database_unavailable(exc)
            return JsonResponse(error_body(Errors.of(error)), status=error.status, headers=headers_of(error))

    for alias in connections:
        guard = transaction.non_atomic_requests(using=alias)(guard)  # begun above instead
    return guard


def _atomic_aliases() -> list[str]:
    return [alias for alias, values in connections.settings.items() if values["ATOMIC_REQUESTS"]]


def json_name(error: InvalidInput, field: str) -> str:
    """Return what a request calls the field that services call *field*; names of parameters stay as they are."""
    if isinstance(error, InvalidParameters):
        return field
    first, dot, rest = field.partition(".")
    return _NAMES.get(first, camel(first)) + dot + rest


def of_drf(exc: Exception, status: int) -> Errors:
    """Return an error of Django REST Framework in our shape."""
    if isinstance(exc, drf.ValidationError):
        return Errors(status=status, items=tuple(islice(_field_items(exc.detail), MOST_ITEMS)))
    wait = getattr(exc, "wait", None)
    details = {"retry_after": wait} if wait is not None else {}
    code = CODES.get(status, "error")
    item = ErrorItem(origin=origin_of(status), code=code, message=_message(exc), details=details)
    return Errors(status=status, items=(item,))


def _message(exc: Exception) -> str:
    if isinstance(exc, Http404):
        return "There is nothing at this address."
    if isinstance(exc, DjangoPermissionDenied):
        return "You do not have permission to do this."
    return str(getattr(exc, "detail", exc))


def _field_items(detail: Any, path: str = "") -> Iterator[ErrorItem]:
    """Yield one item for each wrong field of a validation error."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            known = "" if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            yield from _field_items(inner, ".".join(part for part in (path, known) if part))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_items(inner, path)
    else:
        message = f"{path}: {detail}" if path else str(detail)
        details = {"field": path, "rule": getattr(detail, "code", "invalid")} if path else {}
        yield ErrorItem(origin=CLIENT_ERROR, code="invalid_input", message=message, details=details)
