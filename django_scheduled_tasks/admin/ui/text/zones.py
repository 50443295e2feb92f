"""The time zone of a page: on pages about one task all instants are typed and printed in the zone of the task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.http.response import HttpResponseBase
from django.template import loader
from django.template.response import SimpleTemplateResponse
from django.utils import timezone

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import parse_timezone

_Response = TypeVar("_Response", bound=HttpResponseBase)


@contextmanager
def in_zone(name: str) -> Iterator[None]:
    """Make the zone called *name* the current one; one that this process does not know changes nothing."""
    try:
        zone = parse_timezone(name)
    except InvalidSchedule:
        yield
        return
    with timezone.override(zone):
        yield


def drawn_in(name: str, response: _Response) -> _Response:
    """Return *response*, whose template is drawn later, so that the zone called *name* is the current one then."""
    if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
        response.template_name = _ZonedTemplate(response.template_name, name)
    return response


class _ZonedTemplate:
    """A template that is drawn in a time zone."""

    def __init__(self, names: Any, zone: str) -> None:
        self._names, self._zone = names, zone

    def render(self, context: dict[str, Any] | None = None, request: Any = None) -> str:
        """Draw it."""
        names = [self._names] if isinstance(self._names, str) else self._names
        template = loader.select_template(names) if isinstance(names, (list, tuple)) else names
        with in_zone(self._zone):
            drawn: str = template.render(context, request)
        return drawn
