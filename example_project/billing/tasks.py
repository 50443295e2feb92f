"""The example's tasks: each does real work, and shows a feature."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
import sqlite3
import statistics
import subprocess
import urllib.request
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from pydantic import Field

from django_scheduled_tasks import context, cron, every, scheduled_task
from example_project.billing.models import Invoice
from example_project.billing.usage import read_usage, rounded

logger = logging.getLogger(__name__)
Month = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="Year and month, such as 2026-02.")]


@scheduled_task(name="billOnDemand", timeout="10m", params={"month": "2026-02"})
def bill(month: Month = "2026-02", dry_run: bool = False) -> dict[str, Any]:
    """Reads a month's usage records and writes an invoice for each customer.

    Running it again for the same month brings the invoices up to date; it never bills twice.
    """
    first = dt.date.fromisoformat(f"{month}-01")
    records = [usage for usage in read_usage(settings.USAGE_CSV) if usage.day.replace(day=1) == first]
    logger.info("Read %s usage records of %s", len(records), month)
    units: defaultdict[str, int] = defaultdict(int)
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for usage in context.track(records, message="Adding up"):
        units[usage.customer] += usage.units
        amounts[usage.customer] += usage.price
    if not dry_run:
        with transaction.atomic():
            for done, customer in enumerate(sorted(units), start=1):
                values = {"units": units[customer], "amount": rounded(amounts[customer])}
                Invoice.objects.update_or_create(customer=customer, month=first, defaults=values)
                context.progress(done, len(units), "Writing invoices")
        logger.info("Wrote %s invoices", len(units))
    total = rounded(sum(amounts.values(), Decimal(0)))
    return {"month": month, "invoices": len(units), "total": str(total), "dryRun": dry_run}


@scheduled_task(name="backup-database", schedule=cron("30 3 * * *"), timeout="30m", max_attempts=3)
def backup_database(keep: Annotated[int, Field(ge=0)] = 0) -> dict[str, Any]:
    """Makes a backup of the database, and deletes all but the newest ones."""
    folder = Path(settings.BACKUP_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S-%f")
    if connection.vendor == "sqlite":
        path = _backup_sqlite(folder / f"backup-{stamp}.sqlite3")
    elif connection.vendor == "postgresql":
        path = _backup_postgresql(folder / f"backup-{stamp}.dump")
    else:
        raise NotImplementedError(f"This example makes no backups of {connection.display_name}.")
    backups = sorted(folder.glob("backup-*"), reverse=True)
    for old in backups[keep or settings.BACKUPS_KEPT :]:
        old.unlink()
        logger.info("Deleted the old backup %s", old.name)
    return {"file": path.name, "bytes": path.stat().st_size}


def _backup_sqlite(path: Path) -> Path:
    """Copy the database page by page while it is in use, with SQLite's own backup."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as source, closing(sqlite3.connect(path)) as target:

        def report(_status: int, remaining: int, total: int) -> None:
            context.progress(total - remaining, total, "Copying pages")

        source.backup(target, pages=256, progress=report)
    return path


def _backup_postgresql(path: Path) -> Path:
    database = connection.settings_dict
    command = ["pg_dump", "--format=custom", f"--file={path}", f"--dbname={database['NAME']}"]
    for option, key in (("host", "HOST"), ("port", "PORT"), ("username", "USER")):
        if database[key]:
            command.append(f"--{option}={database[key]}")
    environment = {"PGPASSWORD": str(database["PASSWORD"])} if database["PASSWORD"] else {}
    subprocess.run(command, check=True, capture_output=True, text=True, env=environment or None)  # noqa: S603
    return path


@scheduled_task(name="clear-sessions", schedule=every("6h"))
def clear_sessions() -> None:
    """Deletes sessions that have expired."""
    call_command("clearsessions")


@scheduled_task(name="usage-pulse", schedule=cron("*/20 * * * * *"), keep_last=200)
def usage_pulse() -> dict[str, Any]:
    """Counts the usage records; due every twenty seconds, so that there is something to see at once."""
    count = sum(1 for _ in read_usage(settings.USAGE_CSV))
    return {"records": count, "invoices": Invoice.objects.count()}


@scheduled_task(name="always-fails", max_attempts=2, min_backoff="5s")
def reconcile_payments() -> None:
    """Fails on purpose: the ledger that it compares with does not balance."""
    logger.warning("Comparing payments with the ledger")
    booked, paid = Decimal("1204.50"), Decimal("1204.05")
    if booked != paid:
        raise ValueError(f"The ledger says {booked}, the payments add up to {paid}.")


@scheduled_task(name="usage-report", timeout="15m", overlap="queue_one")
def usage_report(passes: Annotated[int, Field(ge=1, le=100_000)] = 10_000) -> dict[str, Any]:
    """Takes a while: resamples all usage records to estimate how sure the mean is (a bootstrap), with progress."""
    records = [usage.units for usage in read_usage(settings.USAGE_CSV)]
    means = []
    for number in context.track(range(passes), message="Resampling"):
        # A simple generator of its own, so that the same parameters give the same result.
        state, total = number + 1, 0
        for _ in records:
            state = (1_103_515_245 * state + 12_345) % 2**31
            total += records[state % len(records)]
        means.append(total / len(records))
        if number % max(passes // 20, 1) == 0:
            logger.info("Pass %s: mean %.2f", number, means[-1])
    spread = statistics.stdev(means) if len(means) > 1 else math.nan
    return {"mean": round(statistics.fmean(means), 2), "standardError": round(spread, 3)}


@scheduled_task(name="check-site", schedule=every("1m"), timeout="30s", keep_last=200)
async def check_site(url: str = "", times: Annotated[int, Field(ge=1, le=20)] = 3) -> dict[str, Any]:
    """Asks the site several times at once whether it is alive; an async function."""
    url = url or f"{settings.SITE_URL}/alive/"
    took = await asyncio.gather(*(asyncio.to_thread(_fetch, url) for _ in range(times)))
    return {"url": url, "slowestMilliseconds": round(max(took) * 1000, 1)}


def _fetch(url: str) -> float:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} is not an HTTP address.")
    started = dt.datetime.now(dt.UTC)
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  # nosec  (checked above)
        response.read()
    return (dt.datetime.now(dt.UTC) - started).total_seconds()
