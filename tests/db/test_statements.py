"""Rows and statements that are made without what the ORM looks at each time are the same as those that it makes."""

from __future__ import annotations

import pytest
from django.db import connection

from django_scheduled_tasks.db.statements import blank, columns_of, literals, values_beside_literals, values_of
from django_scheduled_tasks.models import Attempt, Execution, ScheduledTask

pytestmark = pytest.mark.every_database

OWN = {"id", "tracking_id"}


def attributes(row):
    return {name: value for name, value in vars(row).items() if name not in {"_state", *OWN}}


@pytest.mark.parametrize("model", [Execution, ScheduledTask, Attempt])
def test_a_blank_row_is_a_new_row(model):
    row = blank(model)
    assert attributes(row) == attributes(model())
    assert row._state.adding
    assert row._state.db is None


def test_each_blank_row_has_its_own_id_and_its_own_parameters():
    first, second = blank(Execution), blank(Execution)
    first.params["a"] = 1
    assert second.params == {}
    assert first.tracking_id != second.tracking_id


def test_only_what_is_not_as_in_each_new_row_is_a_value():
    row = blank(Execution)
    assert {"result", "reason", "replay", "has_waiting"} < set(literals(Execution))
    row.reason, row.replay, row.has_waiting, row.result = "why", 2, True, {"a": 1}
    given = values_beside_literals(row, connection)
    expected = dict(zip(columns_of(Execution), values_of(row, connection), strict=True))
    assert {"tracking_id", "params", "status", "reason", "replay", "has_waiting", "result"} <= set(given)
    assert {name: given[name] for name in given if name not in {"params", "result"}} == {
        name: expected[name] for name in given if name not in {"params", "result"}
    }


@pytest.mark.django_db
def test_the_words_for_what_is_left_out_are_what_a_new_row_has():
    words = literals(Execution)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(words.values())}")
        selected = dict(zip(words, cursor.fetchone(), strict=True))
    row = blank(Execution)
    assert selected == {
        field.column: getattr(row, field.attname) for field in row._meta.fields if field.column in words
    }
