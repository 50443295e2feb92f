"""The functions of the app itself that may run as tasks."""

from __future__ import annotations

from django_scheduled_tasks.registry import scheduled_task
from django_scheduled_tasks.services.alerts.telling.report import send_due_reports


@scheduled_task
def send_reports() -> list[str]:
    """Send the reports of the day and of the week to the channels that subscribe to them."""
    return send_due_reports()
