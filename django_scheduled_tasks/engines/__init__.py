"""Engines carry executions to workers: django-q2 by default."""

from django_scheduled_tasks.engines.base import Cluster, Engine, Submission, get_engine, waits_for_server

__all__ = ["Cluster", "Engine", "Submission", "get_engine", "waits_for_server"]
