"""Settings of the processes that the chaos runner starts; a process may be given a clock that is wrong."""

from __future__ import annotations

import datetime as dt
import os

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.app"]  # noqa: F405
SCHEDULED_TASKS = {
    "ENGINE": "django_scheduled_tasks.engines.django_q.DjangoQEngine",
    "LEASE": dt.timedelta(seconds=6),
    "RESEND_AFTER": dt.timedelta(seconds=4),
    "RESEND_AFTER_MAX": dt.timedelta(seconds=30),
    "PRESENCE_INTERVAL": dt.timedelta(seconds=2),
}
Q_CLUSTER = Q_CLUSTER | {"workers": 2, "recycle": 200}  # noqa: F405
CONN_MAX_AGE = 60

if minutes := float(os.environ.get("CHAOS_CLOCK_MINUTES", "0")):
    import time_machine

    time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes), tick=True).start()
