"""A Content-Security-Policy for the pages of a test."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin


class ContentSecurityPolicy(MiddlewareMixin):
    """Middleware: each answer has the policy that ``TEST_CONTENT_SECURITY_POLICY`` says, if it says one.

    It is asked at each request: a live server reads its middleware once, before the test that wants a policy.
    """

    def process_response(self, _request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add the header; as a step of its own, so that no thread is held while an async view waits."""
        if policy := settings.TEST_CONTENT_SECURITY_POLICY:
            response["Content-Security-Policy"] = policy
        return response
