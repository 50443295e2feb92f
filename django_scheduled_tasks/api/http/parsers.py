"""Reading bodies: JSON that every database can store, and not too much of it."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, RawPostDataException
from django.utils.http import parse_header_parameters
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from django_scheduled_tasks import json_checks
from django_scheduled_tasks.api.http.errors import TooLarge
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.identifiers import read_number

ENVELOPE_BYTES = 16_384
"""What a body may have beside the parameters."""


def most_bytes() -> int:
    """Return how large a body may be."""
    return get_settings().PARAMS_MAX_BYTES + ENVELOPE_BYTES


MANY = 16
"""So many times as large may the body of a call about many tasks be."""


def check_length_is_told(request: HttpRequest) -> None:
    """Refuse a body whose length is not told: Django REST Framework takes it for an empty one.

    Programs that send a body bit by bit (``Transfer-Encoding: chunked``) would start a task with other parameters than
    theirs.

    Raises:
        ParseError: There is such a body.
    """
    if read_number(request.META.get("CONTENT_LENGTH")):
        return
    if "HTTP_TRANSFER_ENCODING" in request.META or _has_body(request):
        raise ParseError("The length of the body is not told; send it with a Content-Length.")


def _has_body(request: HttpRequest) -> bool:
    """Whether there is a body all the same, as HTTP/2 allows; WSGI cannot tell."""
    try:
        return isinstance(request, ASGIRequest) and bool(request.body)
    except RawPostDataException:  # a middleware has read it, so there was one
        return True


class JSONParser(parsers.JSONParser):
    """Reads JSON, and refuses what a database column cannot hold."""

    times = 1
    """So many times as large as other bodies may it be."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what *stream* says.

        Raises:
            TooLarge: It is larger than allowed; also where its length was not told beforehand.
            ParseError: It is not JSON, has a key twice, is nested too deeply, or has a NUL, half a surrogate pair, or
                infinity in it.
        """
        content = _read(stream, most_bytes() * self.times)
        try:
            found = json.loads(content.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        except ValueError as exc:
            raise ParseError(f"JSON parse error - {exc}") from None
        except RecursionError:
            raise ParseError(str(json_checks.too_deep())) from None
        with _refusing():
            json_checks.check_storable(found)
        return found


class LargeJSONParser(JSONParser):
    """Reads JSON about many tasks."""

    times = MANY


class FormParser(parsers.FormParser):
    """Forms of the browsable API."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what *stream* says, read as UTF-8."""
        return super().parse(stream, media_type, _as_utf8(parser_context))


class MultiPartParser(parsers.MultiPartParser):
    """Forms of the browsable API, as DRF's own templates send them."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the fields that *stream* says, read as UTF-8.

        Raises:
            TooLarge: It is larger than allowed.
            ParseError: It is broken or cut off, which Django would read as a form with fewer fields; or it has files.
        """
        content = _read(stream, most_bytes())
        boundary = parse_header_parameters(media_type or "")[1].get("boundary", "")
        if not boundary or f"--{boundary}--".encode() not in content:
            raise ParseError("The form is broken: its end is missing.")
        found = super().parse(io.BytesIO(content), media_type, _as_utf8(parser_context))
        if found.files:
            raise ParseError("No call takes files.")
        return found.data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs; of a key that is there twice nobody knows which value was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _value in pairs)
        twice = counts.most_common(1)[0][0]
        raise ValueError(f"the key {twice[:100]!r} is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _read(stream: IO[Any], limit: int) -> bytes:
    """Return all of *stream*, which may be longer than it was said to be.

    Raises:
        TooLarge: It is larger than allowed.
    """
    content: bytes = stream.read(limit + 1)
    if len(content) > limit:
        raise TooLarge(limit)
    return content


def _as_utf8(context: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return *context* with UTF-8 in it, which JSON is (RFC 8259, section 8.1) and browsers send.

    What a request calls its charset may be a codec of Python that is none: ``bz2`` makes much of little, once the size
    has been measured.
    """
    return {**(context or {}), "encoding": "utf-8"}


def check_text(text: str) -> None:
    """Raise ParseError for a text that the databases do not take."""
    with _refusing():
        json_checks.check_text(text)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except json_checks.NotStorable as exc:
        raise ParseError(str(exc)) from None
