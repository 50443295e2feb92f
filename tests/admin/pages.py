"""Addresses of the admin, and what its form for a task sends."""

from __future__ import annotations

TASKS = "/admin/django_scheduled_tasks/scheduledtask/"
EXECUTIONS = "/admin/django_scheduled_tasks/execution/"
FORM = {
    "name": "Nightly",
    "function": "testapp.noop",
    "enabled": "on",
    "schedule_kind": "cron",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "param-as_json": "{}",
    "overlap": "skip",
    "catch_up": "latest",
    "max_attempts": "1",
    "min_backoff_0": "10",
    "min_backoff_1": "1",
    "max_backoff_0": "300",
    "max_backoff_1": "1",
    "max_doublings": "3",
    "on_worker_lost": "fail",
    "log_level": "INFO",
}
