"""Make jobs of APScheduler 3 as its stores keep them, and write them to ``jobs.json``.

Run it where apscheduler<4 is installed: ``python -m tests.moving.record_jobs``.
"""

from __future__ import annotations

import base64
import json
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo


def main() -> None:
    from apscheduler.schedulers.background import BackgroundScheduler

    zone = ZoneInfo("Europe/Berlin")
    scheduler = BackgroundScheduler(timezone=zone)
    add = scheduler.add_job
    add(
        "builtins:dict",
        "cron",
        day_of_week="0-4",
        hour="9-17",
        minute="*/15",
        args=[{"a": [1, None, True]}],
        id="office",
    )
    add("builtins:dict", "cron", day="last fri", hour=10, id="last friday", coalesce=True, misfire_grace_time=60)
    add("builtins:dict", "cron", month="jan-mar,12", day="last", second="5-50/10", hour=1, minute=2, id="months")
    add(
        "builtins:dict",
        "cron",
        hour=3,
        id="bounded",
        start_date="2027-01-01",
        end_date="2027-06-01 12:00:00",
    )
    add("builtins:dict", "cron", hour=3, id="utc", timezone=UTC, jitter=30, max_instances=3)
    add("builtins:dict", "interval", minutes=90, start_date=datetime(2027, 1, 1, 5, tzinfo=zone), id="interval")
    offset = timezone(timedelta(hours=2))
    add(
        "builtins:dict",
        "date",
        run_date=datetime(2027, 3, 1, 8, 30, tzinfo=offset),
        id="date",
        kwargs={"day": date(2027, 1, 2)},
    )
    add("builtins:dict", "cron", hour=3, args=[Path("/tmp")], id="object")
    add("builtins:dict", "cron", hour=3, year=2030, id="year")
    scheduler.start(paused=True)
    scheduler.pause_job("utc")
    found = {}
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        for job in scheduler.get_jobs():
            state = pickle.dumps(job.__getstate__(), protocol)
            found[f"{job.id} {protocol}"] = base64.b64encode(state).decode()
    scheduler.shutdown()
    path = Path(__file__).parent / "data" / "jobs.json"
    path.write_text(json.dumps(found, indent=0) + "\n")


if __name__ == "__main__":
    main()
