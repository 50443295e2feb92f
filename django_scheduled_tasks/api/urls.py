"""URLs: ``path("api/scheduled-tasks/", include("django_scheduled_tasks.api.urls"))``."""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction
from rest_framework.routers import SimpleRouter

from django_scheduled_tasks.api.viewsets.executions import ExecutionViewSet
from django_scheduled_tasks.api.viewsets.functions import FunctionViewSet
from django_scheduled_tasks.api.viewsets.health import HealthViewSet
from django_scheduled_tasks.api.viewsets.schedules import ScheduleViewSet
from django_scheduled_tasks.api.viewsets.tasks import ScheduledTaskViewSet

app_name = "scheduled-tasks"
router = SimpleRouter()
router.register("tasks", ScheduledTaskViewSet, basename="task")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("functions", FunctionViewSet, basename="function")
router.register("schedules", ScheduleViewSet, basename="schedule")
router.register("health", HealthViewSet, basename="health")


def _without_transaction(pattern: Any) -> Any:
    """Let a view that waits see what others write, and hold no transaction, where ATOMIC_REQUESTS is on."""
    for alias in connections:
        pattern.callback = transaction.non_atomic_requests(using=alias)(pattern.callback)
    return pattern


urlpatterns = [
    _without_transaction(pattern) if getattr(pattern, "name", "") == "task-status" else pattern
    for pattern in router.urls
]
