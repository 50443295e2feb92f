"""An engine for tests: runs the function in the caller, as soon as the row is committed."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.module_loading import import_string

from django_scheduled_tasks.engines.base import ENTRY_POINT, Submission


class ImmediateEngine:
    """Runs each execution at once, in the process and thread that triggered it."""

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Run them one after another."""
        execute = import_string(ENTRY_POINT)
        for submission in submissions:
            execute(str(submission.tracking_id))

    def is_idle(self, _queues: Sequence[str]) -> bool:
        """Nothing ever waits here."""
        return True


class DeferredEngine:
    """Keeps what was submitted until :meth:`run_all`, for tests that look at an execution while it is pending."""

    def __init__(self) -> None:
        self.submitted: list[Submission] = []

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Remember them."""
        self.submitted.extend(submissions)

    def is_idle(self, _queues: Sequence[str]) -> bool:
        """Whether nothing is remembered."""
        return not self.submitted

    def run_all(self) -> None:
        """Run what was submitted, and what that submits in turn."""
        while self.submitted:
            ImmediateEngine().submit([self.submitted.pop(0)])
