"""Fixtures for tests of the runner."""

from __future__ import annotations

import threading

import pytest

from django_scheduled_tasks.runner.attempt import WorkerProcess
from django_scheduled_tasks.runner.capture import hooks


@pytest.fixture
def heartbeat_is_here(monkeypatch):
    """Let this process count as a worker; its heartbeat does nothing."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
    monkeypatch.setattr(WorkerProcess, "heartbeat", thread)
    # What would end this process must not.
    monkeypatch.setattr("django_scheduled_tasks.runner.watchdog.arm", lambda _seconds: None)
    yield
    over.set()
    thread.join()
    # A worker leaves in place, for the execution that follows, what picks up its logs; the next test is no worker.
    if hooks._saved is not None:
        hooks._saved.restore()
        hooks._saved = None
