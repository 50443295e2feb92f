"""A Content-Security-Policy for the pages of a test."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class ContentSecurityPolicy:
    """Middleware: each answer has the policy that ``TEST_CONTENT_SECURITY_POLICY`` says, if it says one.

    It is asked at each request: a live server reads its middleware once, before the test that wants a policy.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the header."""
        response = self.get_response(request)
        if policy := settings.TEST_CONTENT_SECURITY_POLICY:
            response["Content-Security-Policy"] = policy
        return response
