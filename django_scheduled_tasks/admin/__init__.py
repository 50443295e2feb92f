"""What staff see: thin over the services."""

from django_scheduled_tasks.admin.executions import ExecutionAdmin
from django_scheduled_tasks.admin.tasks import ScheduledTaskAdmin

__all__ = ["ExecutionAdmin", "ScheduledTaskAdmin"]
