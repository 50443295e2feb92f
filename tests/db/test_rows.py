"""Rows that are made without what the ORM looks at each time are the same as those that it makes."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.db.rows import blank, default_literals
from django_scheduled_tasks.models import Attempt, Execution, ScheduledTask
from tests.database import connection

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


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Execution, ScheduledTask])
def test_defaults_as_sql_are_those_of_a_new_row(model):
    literals = default_literals(model)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(literals.values())}", [])
        selected = dict(zip(literals, cursor.fetchone(), strict=True))
    row = blank(model)
    assert selected == {
        field.column: getattr(row, field.attname) for field in row._meta.fields if field.column in literals
    }
