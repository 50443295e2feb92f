"""Every error of the API in its one shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import exception_handler

from django_scheduled_tasks.api.serializers.naming import camel_path
from django_scheduled_tasks.exceptions import InvalidSchedule, InvalidTask, ScheduledTasksError
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


class TooLarge(drf.APIException):
    """The body is larger than allowed."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, limit: int | None = None) -> None:
        super().__init__(f"The body is larger than {limit:,} bytes." if limit else "The body is too large.")


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to *exc*; None for what is a bug, which Django reports."""
    if isinstance(exc, ScheduledTasksError):
        errors = errors_of(exc)
        return Response({"info": None, "errors": errors.as_dict()}, status=errors.status)
    if isinstance(exc, RequestDataTooBig):
        exc = TooLarge()
    elif isinstance(exc, SuspiciousOperation):
        exc = drf.ParseError(str(exc))
    response = exception_handler(exc, context)
    if response is not None:
        response.data = {"info": None, "errors": _of_drf(exc, response.status_code).as_dict()}
    return response


def errors_of(error: ScheduledTasksError) -> Errors:
    """Return the shape of one of our own errors, fields named as in JSON."""
    errors = Errors.of(error)
    if isinstance(error, InvalidTask):
        items = zip(errors.items, error.errors, strict=True)
        return replace(errors, items=tuple(_renamed(item, wrong.field, wrong.message) for item, wrong in items))
    if isinstance(error, InvalidSchedule):
        details = {
            "field": error.field or "expression",
            "value": error.value,
            "allowed": list(error.allowed) if error.allowed else None,
        }
        return replace(errors, items=(replace(errors.items[0], details=details),))
    return errors


def _renamed(item: ErrorItem, field: str, message: str) -> ErrorItem:
    name = camel_path(field)
    return replace(item, message=f"{name}: {message}", details={**item.details, "field": name})


def _of_drf(exc: Exception, status: int) -> Errors:
    origin = CLIENT_ERROR if status < HTTPStatus.INTERNAL_SERVER_ERROR else SERVER_ERROR
    if isinstance(exc, drf.ValidationError):
        items = tuple(_field_items(exc.detail))
    else:
        wait = getattr(exc, "wait", None)
        details = {"retryAfter": wait} if wait is not None else {}
        code = CODES.get(status, "error")
        items = (ErrorItem(origin=origin, code=code, message=_message(exc), details=details),)
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
            known = "" if name == "non_field_errors" else str(name)
            yield from _field_items(inner, ".".join(part for part in (path, known) if part))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_items(inner, path)
    else:
        message = f"{path}: {detail}" if path else str(detail)
        details = {"field": path, "rule": getattr(detail, "code", "invalid")} if path else {}
        yield ErrorItem(origin=CLIENT_ERROR, code="invalid_input", message=message, details=details)
