"""URLs: ``path("metrics/", include("django_scheduled_tasks.metrics.urls"))``."""

from __future__ import annotations

from http import HTTPStatus
from importlib.util import find_spec

from django.http import HttpRequest, HttpResponse
from django.urls import path

from django_scheduled_tasks.metrics import MISSING

app_name = "scheduled-tasks-metrics"

if find_spec("prometheus_client") is not None:
    from django_scheduled_tasks.metrics.views import metrics
else:

    def metrics(request: HttpRequest) -> HttpResponse:
        """Say what is missing, as a system check does too."""
        return HttpResponse(f"{MISSING}\n", status=HTTPStatus.NOT_IMPLEMENTED, content_type="text/plain; charset=utf-8")


urlpatterns = [path("", metrics, name="metrics")]
