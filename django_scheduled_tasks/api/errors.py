"""Every error of the API in its one shape."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import exception_handler

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.services.envelope import CLIENT_ERROR, SERVER_ERROR, ErrorItem, Errors

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


class DomainErrorsMixin:
    """Answers whatever a view raises in the one shape, whatever handler the project has for its own views."""

    def get_exception_handler(self) -> Any:
        """Return the handler of this view."""
        return handle


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to *exc*; None for what is a bug, which Django reports."""
    if isinstance(exc, ScheduledTasksError):
        if exc.status == HTTPStatus.UNAUTHORIZED:
            return handle(drf.NotAuthenticated(exc.message), context)
        errors = Errors.of(exc)
        return Response({"info": None, "errors": errors.as_dict()}, status=errors.status)
    response = exception_handler(exc, context)
    if response is not None:
        response.data = {"info": None, "errors": _errors_of(exc, response.status_code).as_dict()}
    return response


def _errors_of(exc: Exception, status: int) -> Errors:
    origin = CLIENT_ERROR if status < HTTPStatus.INTERNAL_SERVER_ERROR else SERVER_ERROR
    if isinstance(exc, drf.ValidationError):
        items = tuple(_field_items(exc.detail))
    else:
        message = _message(exc)
        wait = getattr(exc, "wait", None)
        details = {"retryAfter": wait} if wait is not None else {}
        code = CODES.get(status, "error")
        items = (ErrorItem(origin=origin, code=code, message=message, details=details),)
    return Errors(status=status, status_text=HTTPStatus(status).phrase, items=items)


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
            yield from _field_items(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_items(inner, path)
    else:
        message = f"{path}: {detail}" if path else str(detail)
        details = {"field": path, "rule": getattr(detail, "code", "invalid")} if path else {}
        yield ErrorItem(origin=CLIENT_ERROR, code="invalid_input", message=message, details=details)
