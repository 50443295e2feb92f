"""Reading usage records, and turning them into what customers owe."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

CENT = Decimal("0.01")
PRICES = {"storage": Decimal("0.023"), "requests": Decimal("0.0004"), "traffic": Decimal("0.087")}
"""What one unit costs."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One record: who used how much of what, on which day."""

    day: dt.date
    customer: str
    service: str
    units: int

    @property
    def price(self) -> Decimal:
        """What it costs, not rounded."""
        return self.units * PRICES[self.service]


def read_usage(path: Path) -> Iterator[Usage]:
    """Yield the records of a CSV file with the columns day, customer, service, units."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            day = dt.date.fromisoformat(row["day"])
            yield Usage(day, row["customer"], row["service"], int(row["units"]))


def rounded(amount: Decimal) -> Decimal:
    """Return *amount* in whole cents."""
    return amount.quantize(CENT, ROUND_HALF_UP)
