"""Tasks of other libraries."""

from __future__ import annotations

from typing import Any

from celery import Celery, shared_task

try:
    from django.tasks import task
except ImportError:  # before Django 6.0
    from django_tasks import task

CELERY = Celery("foreign", broker="memory://", set_as_current=False)


@shared_task
def shared(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


@CELERY.task
def of_an_app(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


@shared_task(bind=True)
def bound(self: Any, a: int) -> tuple[str, int]:
    """Says who it is."""
    return self.name, a


@task
def of_django(a: int) -> int:
    """Adds one."""
    return a + 1


@task(takes_context=True)
def with_context(context: Any, a: int) -> int:
    """Needs more than a function gets."""
    return a
