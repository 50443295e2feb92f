"""What all views of the API share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.http import QueryDict
from rest_framework import viewsets
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from django_scheduled_tasks.api.http.browsable import FormRenderer
from django_scheduled_tasks.api.http.errors import TooLarge, handle
from django_scheduled_tasks.api.http.parsers import FormParser, JSONParser, MultiPartParser, check_text, most_bytes
from django_scheduled_tasks.api.http.permissions import CallPermission
from django_scheduled_tasks.api.http.query import check_query
from django_scheduled_tasks.api.http.throttles import StatusThrottle, TriggerThrottle
from django_scheduled_tasks.api.openapi.schema import Schema
from django_scheduled_tasks.exceptions import NotAuthenticated
from django_scheduled_tasks.identifiers import read_number

if TYPE_CHECKING:
    from django.http import HttpRequest


class ApiViewSet(viewsets.GenericViewSet[Any]):
    """A view of ours: errors in the one shape, our own permissions, JSON, whatever the project's defaults are.

    Authentication is the project's.
    """

    noun: ClassVar[str] = ""
    """What its calls are about, in names of generated clients."""
    permissions: ClassVar[Mapping[str, str | None]] = {}
    """The permission that each call needs; None: to be logged in."""
    bodies: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}
    """The serializer of the body of each call that is not about the resource itself."""
    triggers: ClassVar[frozenset[str]] = frozenset()
    """Calls that start something, and so have a throttle scope of their own."""
    permission_classes = (CallPermission,)
    renderer_classes = (JSONRenderer,)
    parser_classes = (JSONParser, FormParser, MultiPartParser)
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
    def person(self) -> Any:
        """The user, who is logged in."""
        return self.request.user

    def address_of(self, name: str, *args: object) -> str:
        """Return the address of one of our calls."""
        return reverse(f"scheduled-tasks:{name}", args=args, request=self.request)

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

    def is_for_form(self) -> bool:
        """Whether a form of the browsable API is made or was sent."""
        if self.fills_form:
            return True
        return self.request is not None and isinstance(self.request.data, QueryDict) and bool(self.request.data)

    def get_renderers(self) -> list[BaseRenderer]:
        """Return JSON, and the browsable API where the project has it."""
        classes: list[Any] = list(api_settings.DEFAULT_RENDERER_CLASSES)
        browsable = any(issubclass(cls, BrowsableAPIRenderer) for cls in classes)
        return [JSONRenderer(), FormRenderer()] if browsable else [JSONRenderer()]

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the project's throttles and those of our own scopes."""
        if self.action == "status":
            return [StatusThrottle()]
        classes: list[Any] = list(api_settings.DEFAULT_THROTTLE_CLASSES)
        found = [throttle() for throttle in classes]
        return [*found, TriggerThrottle()] if self.action in self.triggers else found

    def get_exception_handler(self) -> Any:
        """Return our handler, whatever the project's is."""
        return handle

    def get_authenticate_header(self, request: HttpRequest) -> str:
        """Return how to log in: 401 says so. Basic comes last, since browsers open a dialogue for it."""
        headers = [item.authenticate_header(request) for item in self.get_authenticators()]  # type: ignore[arg-type]
        known = sorted(filter(None, headers), key=lambda header: header.startswith("Basic"))
        return known[0] if known else "Session"

    def handle_exception(self, exc: Exception) -> Any:
        """Answer *exc*; a stranger is told how to log in."""
        response = super().handle_exception(exc)
        if isinstance(exc, NotAuthenticated):
            response["WWW-Authenticate"] = self.get_authenticate_header(self.request)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse bodies that are too large, and addresses that no database takes or that say two things.

        First it is asked who it is.
        """
        super().initial(request, *args, **kwargs)
        if (read_number(request.META.get("CONTENT_LENGTH")) or 0) > most_bytes():
            raise TooLarge(most_bytes())
        for value in kwargs.values():
            check_text(str(value))
        check_query(request)
