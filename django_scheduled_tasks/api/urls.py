"""URLs: ``path("api/scheduled-tasks/", include("django_scheduled_tasks.api.urls"))``."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from django_scheduled_tasks.api.viewsets import ScheduledTaskViewSet

app_name = "scheduled-tasks"
router = SimpleRouter()
router.register("tasks", ScheduledTaskViewSet, basename="task")
urlpatterns = router.urls
