"""Settings of the processes that a test starts: those of the tests, and what the test changes for them."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from datetime import timedelta

from django_scheduled_tasks.conf import ScheduledTasksSettings
from tests.settings import *  # noqa: F403
from tests.settings import Q_CLUSTER, SCHEDULED_TASKS, SECRET_KEY

_overrides = json.loads(os.environ.get("SCHEDULED_TASKS_TEST_OVERRIDES", "{}"))
SECRET_KEY = _overrides.get("SECRET_KEY", SECRET_KEY)
_durations = {field.name for field in fields(ScheduledTasksSettings) if isinstance(field.default, timedelta)}

Q_CLUSTER |= _overrides.get("Q_CLUSTER", {})
SCHEDULED_TASKS |= {
    name: timedelta(seconds=value) if name in _durations else value
    for name, value in _overrides.get("SCHEDULED_TASKS", {}).items()
}
