"""Which tests are run: what each says that it needs, by marks and fixtures, against what this run is for.

* The gate and ``make test`` leave out what is marked ``slow``; ``make nightly`` runs it, with more examples of
  Hypothesis.
* The first database of a run runs everything. Further ones run what is marked ``every_database``, and at night
  whatever uses the database.

An environment variable says each, so that it holds for the processes of pytest-xdist and of tox as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

IS_NIGHTLY = os.environ.get("SCHEDULED_TASKS_TEST_NIGHTLY", "") == "1"
"""Whether slow tests are run too, and properties with many examples."""
SCOPE = os.environ.get("SCHEDULED_TASKS_TEST_SCOPE", "all")
"""``all``; ``database``: what uses the database; else marks and fixtures, e.g. ``every_database,live_server``: what has
one of them."""
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_reset_sequences"}


def examples(number: int) -> int:
    """Return how many examples Hypothesis takes where *number* is thorough: a tenth in the gate, ten times at night."""
    return number * 10 if IS_NIGHTLY else max(15, number // 10)


def uses_database(item: pytest.Item) -> bool:
    """Whether a test asks for the database, by a mark or a fixture."""
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)


def is_in_scope(item: pytest.Item) -> bool:
    """Whether this run is meant for a test, slow or not."""
    if SCOPE in {"all", "database"}:
        return SCOPE == "all" or uses_database(item)
    fixtures = getattr(item, "fixturenames", ())
    return any(word in fixtures or item.get_closest_marker(word) for word in SCOPE.split(","))


def is_asked_for(config: pytest.Config, item: pytest.Item) -> bool:
    """Whether a slow test is run: at night, where marks are chosen by ``-m slow``, or where it is named."""
    if IS_NIGHTLY or item.get_closest_marker("slow") is None:
        return True
    named = any("::" in argument for argument in config.args)
    return named or "slow" in (config.option.markexpr or "")


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return *items* with the modules first that take long, so that no process is left alone with one at the end."""
    places: dict[Path, int] = {}
    for item in items:
        places[item.path] = min(_place(item), places.get(item.path, 9))
    return sorted(items, key=lambda item: places[item.path])


def _place(item: pytest.Item) -> int:
    marks = ("cluster", "slow", "browser")
    return next((place for place, mark in enumerate(marks) if item.get_closest_marker(mark)), 9)


def first_in_gate(values: Iterable[Any]) -> list[Any]:
    """Return values for ``parametrize``: the gate takes the first, the night all."""
    first, *others = values
    return [first, *(pytest.param(other, marks=pytest.mark.slow) for other in others)]


def some_in_gate(values: Iterable[Any], *, gate: Callable[[Any], bool]) -> list[Any]:
    """Return values for ``parametrize``: the gate takes those of which *gate* is true, the night all."""
    return [value if gate(value) else pytest.param(*as_tuple(value), marks=pytest.mark.slow) for value in values]


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return what ``parametrize`` takes *value* for: one argument, or several."""
    return value if isinstance(value, tuple) else (value,)
