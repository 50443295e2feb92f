"""Lines to monitors that are of this test alone."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.services.alerts import monitors
from django_scheduled_tasks.services.alerts.monitors import lines, sentry


@pytest.fixture
def listening(settings, monkeypatch):
    """Let settings name monitors, and listen to executions."""
    monkeypatch.setattr(lines, "WAITS", ())
    monkeypatch.setattr(lines, "AT_THE_END", 30.0)  # the machine may be busy
    monkeypatch.setattr(sentry, "configs", sentry.Configs())

    def start(**values):
        settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | values
        monitors.connect()

    lines.forget()
    yield start
    monitors.disconnect()
    lines.end()
    lines.forget()
