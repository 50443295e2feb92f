"""Parameters, headers, responses and examples of the calls, which drf-spectacular cannot know by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from django_scheduled_tasks.api.serializers.base import MOST_PREVIEWED
from django_scheduled_tasks.api.serializers.responses import AltogicErrors, ExecutionEnvelope, TaskErrorEnvelope
from django_scheduled_tasks.services.envelope import STATUS_TEXTS, origin_of

TASK = OpenApiParameter(
    "task", str, OpenApiParameter.PATH, description="The task's name, whatever its case, or its id; an id wins."
)
TASK_KEY = OpenApiParameter(
    "key", str, OpenApiParameter.PATH, description="A program's own name for the task, compared letter by letter."
)
TRACKING_ID = OpenApiParameter(
    "trackingId", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The execution's tracking id."
)
HOLD = OpenApiParameter("hold", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The number of the hold.")
ALERT = OpenApiParameter("alert", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The number of the alert.")
CHANGE = OpenApiParameter("change", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The number of the change.")
RULE = OpenApiParameter("rule", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The number of the rule.")
CHANNEL = OpenApiParameter(
    "channel", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The number of the channel."
)
CALENDAR = OpenApiParameter("calendar", str, OpenApiParameter.PATH, description="The name of the calendar.")
AT = OpenApiParameter(
    "at",
    str,
    required=True,
    description="`02:00` (the last one, in the task's zone), `2026-03-29 02:30`, or ISO 8601 with an offset.",
)
SKIPPED_AT = OpenApiParameter(
    "at", datetime, description="Only what leaves out this instant, all of its range; without it all that is ahead."
)
WAIT = OpenApiParameter(
    "wait",
    {"type": "integer", "minimum": 0},
    description="Wait so many seconds for the end, and answer as soon as it comes; more than 30 counts as 30.",
)
FIELDS = OpenApiParameter("fields", str, description="Only these keys, with commas between them: `trackingId,status`.")
KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255},
    OpenApiParameter.HEADER,
    description="The same key of the same user for the same task within 24 hours gives the same answer, and starts"
    " nothing again.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The `ETag` of an earlier answer; 304 if it still holds."
)


IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of the task as it was read; 412 if somebody has changed it since.",
)


def header(name: str, description: str, codes: Sequence[int], kind: Any = str) -> OpenApiParameter:
    """Return a header of responses."""
    return OpenApiParameter(name, kind, OpenApiParameter.HEADER, description=description, response=list(codes))


RETRY_AFTER = "Seconds after which to ask again; only while it is open."
STARTED_HEADERS = (
    header("Location", "The address of its status.", [200, 202]),
    header("Retry-After", RETRY_AFTER, [200, 202], int),
    header("Idempotent-Replayed", "`true` if the key had been used before.", [200]),
)
TASK_ETAG = header("ETag", "Of this version of the task, for `If-Match`.", [200])
TOO_MANY = header("Retry-After", "Seconds after which to ask again.", [429, 503], int)
LOG_IN = header("WWW-Authenticate", "How to log in.", [401])

PENDING = {
    "trackingId": "0199d0f6-3c5e-7b1a-9d4e-2f6a8c1b3d5e",
    "scheduledTaskId": "0197c0a1-1111-7222-8333-944455566677",
    "scheduledTaskName": "billOnDemand",
    "triggeredAt": "2026-03-20T23:00:53.966Z",
    "status": "pending",
}
COMPLETED = PENDING | {
    "status": "completed",
    "startedAt": "2026-03-20T23:00:54.009Z",
    "completedAt": "2026-03-20T23:00:54.036Z",
}
_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("bad_request", "The request cannot be understood.", "JSON parse error - Expecting value: line 1 column 1"),
    401: ("not_authenticated", "Nobody is logged in.", "Authentication credentials were not provided."),
    403: ("permission_denied", "The permission is missing.", "You do not have permission to do this."),
    404: ("task_not_found", "There is no such thing.", 'There is no scheduled task "nope".'),
    409: ("already_running", "It is not in a state for that.", "Execution 0199d0f6-… is still open."),
    412: ("task_changed", "Somebody has changed it since it was read.", 'Somebody has changed the scheduled task "x".'),
    413: ("too_large", "The body is too large.", "The body is larger than 81,920 bytes."),
    415: ("unsupported_media_type", "The body is no JSON.", 'Unsupported media type "text/csv" in request.'),
    422: ("invalid_parameters", "Values do not fit; one item for each.", "month: this function needs it."),
    429: ("throttled", "Too many requests.", "Request was throttled. Expected available in 5 seconds."),
    501: ("stream_refused", "The server streams nothing.", "This server streams nothing: it runs under WSGI."),
    503: ("database_unavailable", "The database does not answer.", "The database does not answer. Try again later."),
}
_DETAILS: Mapping[int, dict[str, Any]] = {
    409: {"trackingId": PENDING["trackingId"]},
    422: {"field": "month", "rule": "missing"},
    429: {"retryAfter": 5},
}


_ALWAYS = frozenset({400, 401, 403, 429, 503})
"""Errors that each call may give."""


def refusals(*codes: int) -> dict[int, OpenApiResponse]:
    """Return the responses for these errors and those that each call may give."""
    return {code: _refusal(code) for code in sorted({*_ALWAYS, *codes})}


def body_refusals(*codes: int) -> dict[int, OpenApiResponse]:
    """Return the responses for these errors and those that each call with a body may give."""
    return refusals(413, 415, *codes)


def not_healthy() -> dict[int, OpenApiResponse]:
    """Return the response of an installation that does not do what it should."""
    description = "Something is wrong, with one item for each; or the database does not answer."
    return {503: _refusal(503, ("no_scheduler", description, "No scheduler has been seen lately."))}


def _refusal(code: int, texts: tuple[str, str, str] | None = None) -> OpenApiResponse:
    name, description, message = texts or _ERRORS[code]
    item = {"origin": origin_of(code), "code": name, "message": message, "details": _DETAILS.get(code, {})}
    value = {"info": None, "errors": {"status": code, "statusText": STATUS_TEXTS[code], "items": [item]}}
    return OpenApiResponse(TaskErrorEnvelope, description, [OpenApiExample(name, value)])


def envelope_example(name: str, info: Mapping[str, Any]) -> OpenApiExample:
    """Return an example of an envelope."""
    return OpenApiExample(name, {"info": dict(info), "errors": None})


COUNT = OpenApiParameter(
    "count", {"type": "integer", "minimum": 1, "maximum": MOST_PREVIEWED, "default": 10}, description="How many."
)
REPLAYED = header("Idempotent-Replayed", "`true` if the key had been used before.", [200])
STATUS_HEADERS = (
    header("Retry-After", RETRY_AFTER, [200, 304], int),
    header("ETag", "Of this answer, for `If-None-Match`.", [200, 304]),
)


def described(serializer: Any, description: str) -> OpenApiResponse:
    """Return a response with its own description."""
    return OpenApiResponse(serializer, description)


def started_responses() -> dict[int, OpenApiResponse]:
    """Return the responses of a call that starts an execution."""
    pending = [envelope_example("pending", PENDING)]
    return {
        202: OpenApiResponse(ExecutionEnvelope, "It is recorded and will start.", pending),
        200: OpenApiResponse(ExecutionEnvelope, "The key had been used before; nothing new was started.", pending),
    }


def status_responses() -> dict[int, OpenApiResponse]:
    """Return the responses of a call that reads a status."""
    examples = [envelope_example("pending", PENDING), envelope_example("completed", COMPLETED)]
    return {
        200: OpenApiResponse(ExecutionEnvelope, "Where it is.", examples),
        304: OpenApiResponse(None, "The reader has it already."),
    }


QUEUE = OpenApiParameter("queue", str, description="Of this queue alone; empty: the default one. Without it: of all.")
AFTER = OpenApiParameter(
    "after", {"type": "integer", "minimum": 0, "default": 0}, description="Lines after the one with this number."
)
LIMIT = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}, description="How many lines."
)
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    str,
    OpenApiParameter.HEADER,
    description="The `id` of the last event that the client has; the stream goes on after it.",
)
LOG_RETRY_AFTER = header("Retry-After", RETRY_AFTER, [200], int)


def altogic_refusals(*codes: int) -> dict[int, OpenApiResponse]:
    """Return the responses for these errors in the shape that the npm package reads."""
    return {code: OpenApiResponse(AltogicErrors, _ERRORS[code][1]) for code in sorted({*_ALWAYS, 404, *codes})}
