"""What tasks can be moved in from; importing this package registers all of them."""

from __future__ import annotations

from django_scheduled_tasks.moving.sources import (
    apscheduler,
    celery_beat,
    celery_settings,
    crontab,
    django_q2,
    django_tasks_scheduler,
    json_file,
    listed,
)

__all__ = [
    "apscheduler",
    "celery_beat",
    "celery_settings",
    "crontab",
    "django_q2",
    "django_tasks_scheduler",
    "json_file",
    "listed",
]
