"""What is raised in a function that is to stop."""

from __future__ import annotations


class TaskCancelled(BaseException):
    """Raised inside a function whose execution is being cancelled.

    A ``BaseException``, so that a function's own ``except Exception`` does not swallow it by accident.
    """


class TaskTimedOut(BaseException):
    """Raised inside a function that has reached its time limit; a ``BaseException`` for the same reason."""
