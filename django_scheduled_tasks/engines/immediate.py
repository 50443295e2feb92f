"""Engines for tests, which run executions in the calling process."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.module_loading import import_string

from django_scheduled_tasks.engines.base import ENTRY_POINT, Submission


class ImmediateEngine:
    """Runs each execution as soon as its row is committed, in the process and thread that triggered it."""

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Run them one after another."""
        execute = import_string(ENTRY_POINT)
        for submission in submissions:
            execute(str(submission.tracking_id))

    def is_idle(self, _queues: Sequence[str]) -> bool:
        """Return True: nothing ever waits."""
        return True


class DeferredEngine:
    """Keeps submissions until :meth:`run_all`, for tests that inspect an execution while it is pending."""

    def __init__(self) -> None:
        self.submitted: list[Submission] = []

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Keep them."""
        self.submitted.extend(submissions)

    def is_idle(self, _queues: Sequence[str]) -> bool:
        """Return whether none is kept."""
        return not self.submitted

    def run_all(self) -> None:
        """Run the executions that were submitted, and those that they submit in turn."""
        while self.submitted:
            ImmediateEngine().submit([self.submitted.pop(0)])
