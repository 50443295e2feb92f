"""A live stream of what becomes of executions, as Server-Sent Events."""

from django_scheduled_tasks.api.streaming.response import answer

__all__ = ["answer"]
