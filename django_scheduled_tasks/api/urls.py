"""URLs: ``path("api/scheduled-tasks/", include("django_scheduled_tasks.api.urls"))``."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from django_scheduled_tasks.api.viewsets.alerting.alerts import AlertViewSet
from django_scheduled_tasks.api.viewsets.alerting.channels import ChannelViewSet
from django_scheduled_tasks.api.viewsets.alerting.rules import AlertRuleViewSet
from django_scheduled_tasks.api.viewsets.audit import ChangeViewSet
from django_scheduled_tasks.api.viewsets.executions import ExecutionViewSet
from django_scheduled_tasks.api.viewsets.functions import FunctionViewSet
from django_scheduled_tasks.api.viewsets.health import HealthViewSet, open_health
from django_scheduled_tasks.api.viewsets.planning.calendars import CalendarViewSet
from django_scheduled_tasks.api.viewsets.planning.holds import HoldViewSet
from django_scheduled_tasks.api.viewsets.planning.load import LoadViewSet
from django_scheduled_tasks.api.viewsets.planning.schedules import ScheduleViewSet
from django_scheduled_tasks.api.viewsets.streaming import EventViewSet
from django_scheduled_tasks.api.viewsets.tasks import ScheduledTaskViewSet

app_name = "scheduled-tasks"
router = SimpleRouter()
router.register("tasks", ScheduledTaskViewSet, basename="task")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("events", EventViewSet, basename="event")
router.register("functions", FunctionViewSet, basename="function")
router.register("schedules", ScheduleViewSet, basename="schedule")
router.register("holds", HoldViewSet, basename="hold")
router.register("alerts", AlertViewSet, basename="alert")
router.register("alert-rules", AlertRuleViewSet, basename="alert-rule")
router.register("channels", ChannelViewSet, basename="channel")
router.register("calendars", CalendarViewSet, basename="calendar")
router.register("audit", ChangeViewSet, basename="audit")
router.register("load", LoadViewSet, basename="load")
router.register("health", HealthViewSet, basename="health")

urlpatterns = [path("health/ok/", open_health, name="health-ok"), *router.urls]
