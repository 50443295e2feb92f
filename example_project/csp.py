"""A strict Content-Security-Policy, to show that nothing of the app needs more. Django 6 has a middleware for it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

OWN = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self';"
    " frame-ancestors 'none'"
)
SWAGGER = f"{OWN}; style-src 'self' 'unsafe-inline'"
"""Swagger UI, which is not ours, has its styles in the page."""


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Say in each response what a browser may load and run: files of this site, and no script in a page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", SWAGGER if request.path == reverse("docs") else OWN)
        return response

    return middleware
