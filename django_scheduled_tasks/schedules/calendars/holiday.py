"""Public holidays of countries and their parts, as the library ``holidays`` knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import import_module
from typing import Any

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.texts import gettext as _

library: Any
try:
    library = import_module("holidays")
except ImportError:  # the extra "holidays" is not installed
    library = None

_SHOWN = 16


@dataclass(frozen=True, slots=True)
class HolidayRegion:
    """A country by its code of ISO 3166-1, or a part of it: ``DE``, ``DE-BE``."""

    code: str

    @classmethod
    def parse(cls, code: str) -> HolidayRegion:
        """Read a code, and ask whether its holidays are known.

        Raises:
            InvalidSchedule: There is no such region, or the library is not installed; ``field`` is ``holidays``.
        """
        found = cls(code.strip().upper().replace("_", "-"))
        if library is None:
            text = _('Public holidays need the extra "holidays": pip install "django-scheduled-tasks-q2[holidays]".')
            raise InvalidSchedule(text, field="holidays")
        country, _dash, part = found.code.partition("-")
        known = library.list_supported_countries(include_aliases=True)
        if country not in known or (part and part not in known[country]):
            parts = ", ".join(f"{country}-{one}" for one in known.get(country, ()))
            text = _('No public holidays are known for "%(code)s".') % {"code": code[:_SHOWN]}
            if parts:
                known_parts = _("Known are: %(known)s.") % {"known": parts}
                text = f"{text} {known_parts}"
            raise InvalidSchedule(text, field="holidays", value=code[:_SHOWN])
        return found

    @property
    def country(self) -> str:
        """The code of the country."""
        return self.code.partition("-")[0]

    def in_year(self, year: int) -> Mapping[date, str]:
        """Return the names of the holidays of *year*, in English where the library has them; none without it."""
        return _in_year(self.code, year)

    @property
    def last_year(self) -> int:
        """The last year that the library says it knows."""
        return _last_year(self.code)


def _country(code: str, **options: Any) -> Any:
    country, _dash, part = code.partition("-")
    return library.country_holidays(country, subdiv=part or None, **options)


@lru_cache(maxsize=512)
def _in_year(code: str, year: int) -> Mapping[date, str]:
    if library is None or year > _last_year(code):
        return {}
    try:
        return dict(_country(code, years=year, language="en_US"))
    except NotImplementedError:
        return dict(_country(code, years=year))


@lru_cache(maxsize=64)
def _last_year(code: str) -> int:
    return int(getattr(_country(code), "end_year", 2100)) if library is not None else 0


def version() -> str:
    """Return which version of the library knows the holidays; empty without it."""
    return str(library.__version__) if library is not None else ""
