"""The admin pages. They show what the services read, and change nothing but through the services."""

from django_scheduled_tasks.admin.alerts.alerts import AlertAdmin
from django_scheduled_tasks.admin.alerts.rules.page import AlertRuleAdmin, ChannelAdmin
from django_scheduled_tasks.admin.calendars.admin import CalendarAdmin
from django_scheduled_tasks.admin.changes.admin import ChangeAdmin
from django_scheduled_tasks.admin.executions.admin import ExecutionAdmin
from django_scheduled_tasks.admin.installation.workers import WorkersAdmin
from django_scheduled_tasks.admin.tasks.admin import ScheduledTaskAdmin

__all__ = [
    "AlertAdmin",
    "AlertRuleAdmin",
    "CalendarAdmin",
    "ChangeAdmin",
    "ChannelAdmin",
    "ExecutionAdmin",
    "ScheduledTaskAdmin",
    "WorkersAdmin",
]
