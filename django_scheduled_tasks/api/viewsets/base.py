"""What all views of the API share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import DataError
from django.http import QueryDict
from django_filters import FilterSet
from rest_framework import viewsets
from rest_framework.metadata import SimpleMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import BasePagination
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from django_scheduled_tasks.api.http.browsable import FormRenderer
from django_scheduled_tasks.api.http.errors import TooLarge, guarded, handle
from django_scheduled_tasks.api.http.parsers import (
    FormParser,
    JSONParser,
    MultiPartParser,
    check_length_is_told,
    check_text,
    most_bytes,
)
from django_scheduled_tasks.api.http.permissions import CallPermission
from django_scheduled_tasks.api.http.query import PATH_NAMES, check_query
from django_scheduled_tasks.api.http.renderers import PlainJSON
from django_scheduled_tasks.api.http.throttles import StatusThrottle, TriggerThrottle
from django_scheduled_tasks.api.openapi.schema import Schema
from django_scheduled_tasks.api.serializers.base import Body
from django_scheduled_tasks.exceptions import NotAuthenticated
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import ScheduledTask, Way
from django_scheduled_tasks.services import door
from django_scheduled_tasks.services.envelope import Errors, envelope
from django_scheduled_tasks.services.permissions import starting
from django_scheduled_tasks.services.visibility import seen_by, visible
from django_scheduled_tasks.users import User

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class ApiViewSet(viewsets.GenericViewSet[Any]):
    """A view of ours, which behaves the same whatever defaults the project gives Django REST Framework.

    Only these of its settings count: authentication, throttles with their rates, and whether there is a browsable API.
    """

    noun: ClassVar[str] = ""
    """What its calls are about, in names of generated clients."""
    permissions: ClassVar[Mapping[str, str | None]] = {}
    """The permission that each call needs; None: to be logged in."""
    query: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The query parameters of each call, beside those of the filters and pages of lists."""
    filterset_class: ClassVar[type[FilterSet] | None] = None
    bodies: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}
    """The serializer of the body of each call that is not about the resource itself."""
    triggers: ClassVar[frozenset[str]] = frozenset()
    """Calls that start something, and so have a throttle scope of their own."""
    permission_classes = (CallPermission,)
    renderer_classes = (PlainJSON,)
    parser_classes = (JSONParser, FormParser, MultiPartParser)
    content_negotiation_class = DefaultContentNegotiation
    metadata_class = SimpleMetadata
    versioning_class = None
    pagination_class: type[BasePagination] | None = None
    filter_backends: Sequence[Any] = ()
    schema = Schema()
    request: Any
    """None while the schema is made."""
    fills_form = False
    """Set while a form of the browsable API is made."""

    @property
    def is_about_one(self) -> bool:
        """Whether the call is about one object."""
        return bool(self.detail)

    def permission_needed(self) -> str | None:
        """Return the permission that the present call needs."""
        return self.permissions.get(self.action or "metadata")

    @property
    def user(self) -> User:
        """The user, who is logged in."""
        user: User = self.request.user
        return user

    def filter_queryset(self, queryset: Any) -> Any:
        """Leave out of a list what is about tasks that the caller may not see at all."""
        return super().filter_queryset(visible(self.user, queryset))

    def authorizing(self, overlap: Overlap | None) -> Callable[[ScheduledTask], None]:
        """Return what services take as ``authorize``: may this user make this call, with this overlap rule?"""
        return starting(self.request.user, overlap)

    def body_of(self, request: Request) -> dict[str, Any]:
        """Return the values of the request's body.

        Raises:
            ValidationError: Its shape is wrong.
        """
        kind = self.get_serializer_class()
        if issubclass(kind, Body) and not isinstance(request.data, QueryDict):
            return dict(_shared(kind).run_validation(request.data))
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        found: dict[str, Any] = serializer.validated_data
        return found

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return the serializer of the call's body, or of the resource."""
        return self.bodies.get(self.action or "") or super().get_serializer_class()

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what serializers know of the request: which fields it asks for."""
        context = dict(super().get_serializer_context())
        if self.request is not None and self.request.method == "GET" and self.action not in self.bodies:
            wanted = self.request.query_params.get("fields", "")
            context["fields"] = [name for name in map(str.strip, wanted.split(",")) if name]
        return context

    def known_query(self) -> set[str]:
        """Return the query parameters of the present call."""
        known = {*self.query.get(self.action, ()), *filter(None, [api_settings.URL_FORMAT_OVERRIDE])}
        if self.action == "list":
            known |= set(getattr(self.filterset_class, "base_filters", ()))
            known |= set(getattr(self.paginator, "query_params", ()))
        return known

    def is_for_form(self) -> bool:
        """Whether a form of the browsable API is made or was sent."""
        if self.fills_form:
            return True
        return self.request is not None and isinstance(self.request.data, QueryDict) and bool(self.request.data)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """The headers of every answer: it is for this reader and in the format asked for, so no cache may share it."""
        return {**super().default_response_headers, "Cache-Control": "private, no-cache", "Vary": "Accept"}

    def get_format_suffix(self, **_kwargs: Any) -> None:
        """Return none: no part of our addresses is a format, whatever the project calls such a part."""

    def get_renderers(self) -> list[BaseRenderer]:
        """Return JSON, and the browsable API where the project has it."""
        classes: list[Any] = list(api_settings.DEFAULT_RENDERER_CLASSES)
        browsable = any(issubclass(cls, BrowsableAPIRenderer) for cls in classes)
        return [PlainJSON(), FormRenderer()] if browsable else [PlainJSON()]

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the project's throttles and those of our own scopes."""
        if self.action == "status":
            return [StatusThrottle()]
        classes: list[Any] = list(api_settings.DEFAULT_THROTTLE_CLASSES)
        found = [throttle() for throttle in classes]
        return [*found, TriggerThrottle()] if self.action in self.triggers else found

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view function; it holds no transaction of ``ATOMIC_REQUESTS`` while a call waits."""
        waits = not {"status", "test", "events"}.isdisjoint((actions or {}).values())
        return guarded(super().as_view(actions, **initkwargs), cls.error_body, is_atomic=not waits)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handle a request; what the project has in the address before ours, such as a version, is not for us."""
        ours = {name: kwargs[name] for name in kwargs.keys() & PATH_NAMES}
        with ExitStack() as self._context:
            self._context.enter_context(door.through(Way.API, address=request.META.get("REMOTE_ADDR") or ""))
            return super().dispatch(request, *args, **ours)

    @staticmethod
    def error_body(errors: Errors) -> dict[str, Any]:
        """Return the body of a response that is an error."""
        return envelope(None, errors)

    def get_exception_handler(self) -> Any:
        """Return our handler, whatever the project's is."""
        return handle

    def get_authenticate_header(self, request: Any) -> str:
        """Return how to log in: 401 says so. Basic comes last, since browsers open a dialogue for it."""
        headers = [item.authenticate_header(request) for item in self.get_authenticators()]
        known = sorted(filter(None, headers), key=lambda header: header.startswith("Basic"))
        return known[0] if known else "Session"

    def handle_exception(self, exc: Exception) -> Any:
        """Answer *exc*; a stranger is told how to log in."""
        response = super().handle_exception(exc)
        if isinstance(exc, NotAuthenticated):
            response["WWW-Authenticate"] = self.get_authenticate_header(self.request)
        return response

    def perform_authentication(self, request: Request) -> None:
        """Ask who it is. A name with a NUL in it is nobody's: HTTP Basic can carry one, and PostgreSQL fails at it."""
        try:
            super().perform_authentication(request)
        except (ValueError, DataError) as exc:
            if "NUL" not in str(exc):
                raise
            request.user = AnonymousUser()  # else a page that says who is signed in would ask again
            raise NotAuthenticated from None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Ask who it is and read the whole request, so that nothing is done for one that cannot be read."""
        super().initial(request, *args, **kwargs)
        self._context.enter_context(seen_by(request.user))
        door.call_it(_name_of(request.auth))
        limit = most_bytes() * max(getattr(parser, "times", 1) for parser in self.parser_classes)
        if (read_number(request.META.get("CONTENT_LENGTH")) or 0) > limit:
            raise TooLarge(limit)
        for value in kwargs.values():
            check_text(str(value))
        if self.action is not None:
            check_query(request, self.known_query())
        if request.method in _WITH_BODY:
            check_length_is_told(request._request)
            _ = request.data


def _name_of(token: Any) -> str:
    """Return how people call the token that a request was authenticated with; empty if it has no name."""
    name = getattr(token, "name", "")
    return name if isinstance(name, str) else ""


@cache
def _shared(kind: type[Body]) -> Body:
    """Return a serializer of *kind* for all requests: it keeps nothing of them, and copying its fields takes long."""
    return kind()
