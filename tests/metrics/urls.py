"""URLs of a project that includes the metrics."""

from __future__ import annotations

from django.urls import include, path

from tests.urls import urlpatterns as base

urlpatterns = [*base, path("metrics/", include("django_scheduled_tasks.metrics.urls"))]
