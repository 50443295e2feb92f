"""Ask the libraries themselves when the schedules of ``data/schedules.jsonl`` are due, and write it to ``due.json``.

Run it where celery, apscheduler<4, croniter, huey, cronsim and crontab are installed:
``python -m tests.moving.record``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.moving.sample import LOCAL, digest

DATA = Path(__file__).parent / "data"
_CRONITER = {"django-q": "cron", "airflow": "schedule_interval", "procrastinate": "cron"}
ALWAYS_UTC = {"eventbridge", "github", "k8s", "procrastinate", "rq"}


def zone_of(row: dict[str, Any]) -> ZoneInfo:
    """Return the zone that the schedule is read in."""
    return ZoneInfo(row["zone"] or ("UTC" if row["kind"] in ALWAYS_UTC else LOCAL))


def celery(fields: dict[str, Any], zone: ZoneInfo) -> Callable[[datetime], Iterator[datetime]]:
    from celery import Celery
    from celery.schedules import crontab
    from celery.utils.time import remaining

    app = Celery("recorded", set_as_current=False)
    app.conf.timezone = zone.key
    schedule = crontab(**{name: value for name, value in fields.items() if name != "crontab"}, app=app)

    def after(moment: datetime) -> Iterator[datetime]:
        at = moment
        while True:
            local = at.astimezone(zone)
            start, delta, _now = schedule.remaining_delta(local)
            at += max(remaining(start, delta, local), timedelta(seconds=1))
            at = at.astimezone(UTC).replace(microsecond=0)
            yield at

    return after


def croniter(text: str, zone: ZoneInfo) -> Callable[[datetime], Iterator[datetime]]:
    from croniter import croniter as library

    def after(moment: datetime) -> Iterator[datetime]:
        at = moment
        while True:
            at = library(text, at.astimezone(zone)).get_next(datetime).astimezone(UTC)
            yield at

    return after


def apscheduler(fields: dict[str, Any], zone: ZoneInfo) -> Callable[[datetime], Iterator[datetime]]:
    from apscheduler.triggers.cron import CronTrigger

    if "from_crontab" in fields:
        trigger = CronTrigger.from_crontab(fields["from_crontab"], timezone=zone)
    else:
        trigger = CronTrigger(**{name: value for name, value in fields.items() if name != "trigger"}, timezone=zone)

    def after(moment: datetime) -> Iterator[datetime]:
        at = moment.astimezone(zone)
        while (at := trigger.get_next_fire_time(at, at)) is not None:
            yield at.astimezone(UTC)

    return after


def huey(fields: dict[str, Any], zone: ZoneInfo) -> Callable[[datetime], Iterator[datetime]]:
    from huey import crontab

    matches = crontab(**fields)

    def after(moment: datetime) -> Iterator[datetime]:
        at = moment.replace(second=0)
        while True:
            at += timedelta(minutes=1)
            if matches(at.astimezone(zone).replace(tzinfo=None)):
                yield at

    return after


def crontab(text: str, zone: ZoneInfo) -> Callable[[datetime], Iterator[datetime]]:
    from crontab import CronTab

    found = CronTab(text)

    def after(moment: datetime) -> Iterator[datetime]:
        at: Any = moment
        while (at := found.next(at.astimezone(zone), return_datetime=True)) is not None:
            yield at.astimezone(UTC)

    return after


def debian(text: str, zone: ZoneInfo) -> Callable[[datetime], Iterator[datetime]]:
    from cronsim import CronSim

    def after(moment: datetime) -> Iterator[datetime]:
        for at in CronSim(text, moment.astimezone(zone)):
            yield at.astimezone(UTC)

    return after


def of(row: dict[str, Any]) -> Callable[[datetime], Iterator[datetime]] | None:
    """Return the library's rule for a schedule; None if it is an interval, or no library for Python knows it."""
    kind, fields, zone = row["kind"], row["fields"], zone_of(row)
    if kind == "celery" and not {"timedelta", "seconds", "solar", "every"} & fields.keys():
        return celery(fields, zone)
    if kind in _CRONITER and (text := fields.get(_CRONITER[kind])) and text not in {"None", "3h", "@quarterly"}:
        return croniter(text, zone)
    if kind == "apscheduler" and fields.get("trigger") != "interval":
        return apscheduler(fields, zone)
    if kind == "huey":
        return huey(fields, zone)
    if kind == "rq":
        return crontab(fields["cron"], zone)
    if kind == "crontab" and fields["line"][0] != "H" and "W" not in fields["line"] and fields["line"] != "@reboot":
        return debian(fields["line"].replace("@daily", "0 0 * * *"), zone)
    if kind == "github":
        return debian(fields["cron"], zone)
    return None


def main() -> None:
    found = {}
    for line in (DATA / "schedules.jsonl").read_text().splitlines():
        row = json.loads(line)
        try:
            after = of(row)
            found[row["id"]] = digest(after, zone_of(row)) if after is not None else "unknown"
        except Exception as exc:
            print(f"{row['kind']} refuses {row['fields']}: {exc}")
            found[row["id"]] = "refused"
    (DATA / "due.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
    print(f"{len(found)} schedules")


if __name__ == "__main__":
    main()
