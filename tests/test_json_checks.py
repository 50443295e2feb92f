"""What is refused before a database would."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from django_scheduled_tasks.json_checks import MOST_NESTED, NotStorable, check_storable, read_json


def nested(depth: int) -> Any:
    found: Any = 1
    for number in range(depth):
        found = [found] if number % 2 else {"a": found}
    return found


BAD = [
    ("a\x00", "NUL"),
    ({"a\x00": 1}, "NUL"),
    (["\ud800"], "surrogate"),
    ({"a": {"\udc00": 1}}, "surrogate"),
    (math.nan, "NaN cannot be given as JSON"),
    ([[math.inf]], "too large"),
    (-math.inf, "too large"),
    ([10**4_300], "too large"),
    (nested(MOST_NESTED + 1), "nested too deeply"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_what_some_database_does_not_take_is_refused_in_a_sentence(value, message):
    with pytest.raises(NotStorable, match=message):
        check_storable({"value": value})


@pytest.mark.parametrize("value", ["ä😀", 2**63, -1.5, True, None, {"a": ["\\u0000"]}, nested(MOST_NESTED)])
def test_the_rest_is_not(value):
    check_storable(value)
    assert read_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text", ["NaN", "1e999", '"\\ud800"', '"\\u0000"', "[" * 900 + "]" * 900, "[" * 40_000 + "]" * 40_000, "9" * 5_000]
)
def test_texts_are_read_with_the_same_rules(text):
    with pytest.raises(NotStorable):
        read_json(text)
