"""Fixtures for tests of the runner."""

from __future__ import annotations

import threading

import pytest

from django_scheduled_tasks.runner.process import process


@pytest.fixture
def heartbeat_is_here(monkeypatch):
    """Let this process count as a worker; its heartbeat does nothing."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
    monkeypatch.setattr(process, "heartbeat", thread)
    # What would end this process must not.
    monkeypatch.setattr(process.watchdog, "set", lambda _due_at, **_options: None)
    yield
    over.set()
    thread.join()
    # A worker leaves its hooks in place for the execution that follows; the next test is no worker.
    process.hooks.remove()
