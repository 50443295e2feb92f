"""The engine for django-q2, and the one package that imports it."""

from django_scheduled_tasks.engines.django_q.engine import DjangoQEngine

__all__ = ["DjangoQEngine"]
