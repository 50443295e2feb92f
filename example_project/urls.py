"""URLs of the example project."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


def alive(_request: HttpRequest) -> HttpResponse:
    """Answer that the web process is there; asked by the task check-site."""
    return HttpResponse("alive", content_type="text/plain")


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("alive/", alive, name="alive"),
    path("admin/", admin.site.urls),
    path("api/scheduled-tasks/", include("django_scheduled_tasks.api.urls")),
    path("", include("django_scheduled_tasks.api.altogic_urls")),  # for the npm package altogic
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]
