"""Settings of the processes that a test starts, with other options for their connections to the database.

``SCHEDULED_TASKS_TEST_CONNECTION`` is JSON: changes to the database's settings.
"""

from __future__ import annotations

import json
import os

from tests.cluster_settings import *  # noqa: F403
from tests.cluster_settings import DATABASES

_changes = json.loads(os.environ.get("SCHEDULED_TASKS_TEST_CONNECTION", "{}"))
for _database in DATABASES.values():
    if "postgresql" in _database["ENGINE"]:
        _database |= _changes
