"""URLs for the npm package ``altogic``: ``path("", include("django_scheduled_tasks.api.altogic_urls"))``."""

from __future__ import annotations

from django.urls import path

from django_scheduled_tasks.api.viewsets.altogic import AltogicViewSet

app_name = "scheduled-tasks-altogic"
urlpatterns = [
    path("_api/rest/v1/task", AltogicViewSet.as_view({"post": "run_once"}), name="run-once"),
    path(
        "_api/rest/v1/task/<str:trackingId>",
        AltogicViewSet.as_view({"get": "status"}),
        name="status",
    ),
]
