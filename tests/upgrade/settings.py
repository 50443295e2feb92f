"""Settings of a project that runs an older release; nothing here imports the package."""

from __future__ import annotations

import json
import os
from datetime import timedelta

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, Q_CLUSTER, SCHEDULED_TASKS

INSTALLED_APPS = [*(name for name in INSTALLED_APPS if name != "tests.testapp"), "tests.upgrade.shop"]
Q_CLUSTER |= json.loads(os.environ.get("SCHEDULED_TASKS_TEST_OVERRIDES", "{}")).get("Q_CLUSTER", {})
SCHEDULED_TASKS |= {"RESEND_AFTER": timedelta(seconds=2), "PRESENCE_INTERVAL": timedelta(seconds=1)}
