"""Receivers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.services.alerts.receivers import OK, Server


@pytest.fixture
def limited(settings):
    """Let channels have a second."""
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ALERT_TIMEOUT": timedelta(seconds=1)}


@pytest.fixture
def serve(settings, limited):
    """Start servers that channels may reach."""
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ALERT_NETWORKS": ("127.0.0.0/8",)}
    servers = []

    def start(answer=OK, **options):
        servers.append(Server(answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
