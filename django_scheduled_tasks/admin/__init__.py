"""The admin pages. They show what the services read, and change nothing but through the services."""

from django_scheduled_tasks.admin.executions.admin import ExecutionAdmin
from django_scheduled_tasks.admin.installation.workers import WorkersAdmin
from django_scheduled_tasks.admin.tasks.admin import ScheduledTaskAdmin

__all__ = ["ExecutionAdmin", "ScheduledTaskAdmin", "WorkersAdmin"]
