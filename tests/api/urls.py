"""URLs for tests of the API: also those of the npm package, the schema, and a page with our module."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from tests.urls import urlpatterns as base

PAGE = """<!doctype html><html data-scheduled-tasks-url="/api/scheduled-tasks/"><title>Page</title>
<link rel="icon" href="data:,"></html>"""


def page(request: HttpRequest) -> HttpResponse:
    """Answer a page from which scripts may call the API."""
    get_token(request)
    return HttpResponse(PAGE)


urlpatterns = [
    *base,
    path("", include("django_scheduled_tasks.api.altogic_urls")),
    path("schema/", SpectacularAPIView.as_view()),
    path("page/", page),
]
