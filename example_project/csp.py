"""A strict Content-Security-Policy, to show that nothing of the app needs more. Django 6 has a middleware for it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin

OWN = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self';"
    " frame-ancestors 'none'"
)
SWAGGER = f"{OWN}; style-src 'self' 'unsafe-inline'"
"""Swagger UI, which is not ours, has its styles in the page."""


class ContentSecurityPolicy(MiddlewareMixin):
    """Says in each response what a browser may load and run: files of this site, and no script in a page.

    A function would hold a thread while an async view waits, and status calls do wait.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add the header."""
        response.headers.setdefault("Content-Security-Policy", SWAGGER if request.path == reverse("docs") else OWN)
        return response
