"""An installation, and ways to look at it as another one."""

from __future__ import annotations

from typing import Any

import pytest

from django_scheduled_tasks.models import Installation
from django_scheduled_tasks.services.installation import state


@pytest.fixture
def installation(db, at_home) -> Any:
    """The row, written here, and nothing known of it in this process."""
    del at_home
    Installation.objects.all().delete()
    state.forget()
    state.settle_in()
    return Installation.objects.get()


@pytest.fixture
def staging(installation, settings) -> Any:
    """The same, adopted as production, in a process that is called staging."""
    Installation.objects.update(environment="production")
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "ENVIRONMENT": "staging"}
    installation.refresh_from_db()
    return installation
