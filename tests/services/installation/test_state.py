"""What a process knows of whether its database is a copy."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from django_scheduled_tasks.lifecycle import Trigger
from django_scheduled_tasks.models import Installation
from django_scheduled_tasks.services.installation import signs, state
from django_scheduled_tasks.services.installation.verdict import Cause
from django_scheduled_tasks.services.installation.words import why
from tests.database import connection
from tests.factories import make_execution

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_the_row_is_written_once_and_is_at_home_where_it_was_written(installation):
    assert installation.signature == signs.sign(installation.uuid)
    assert installation.address.endswith(str(connection.settings_dict["NAME"]))
    assert bool(installation.system_identifier) == (connection.vendor != "mysql")
    state.settle_in()
    assert Installation.objects.get().uuid == installation.uuid
    found = state.look()
    assert (found.cause, found.copy_key) == (None, "")
    assert why(found) == ""
    assert Installation.objects.get().copy_key == ""


def test_no_row_runs(db):
    state.forget()
    assert not state.is_held()
    assert why(state.standing()) == ""


def test_another_name_is_a_copy_and_says_why(staging):
    found = state.look()
    assert found.cause == Cause.ENVIRONMENT
    assert why(found) == "The setting ENVIRONMENT says “staging”, the database was adopted as “production”."
    Installation.objects.update(environment="", address="db-1:5432/shop")
    assert why(state.look()) == "The setting ENVIRONMENT says “staging”, the database was adopted without a name."


@pytest.mark.skipif(connection.vendor == "mysql", reason="it does not tell which system it is")
def test_the_first_name_is_written_down_by_a_scheduler(staging):
    Installation.objects.update(environment="")
    assert not state.look().is_held
    assert Installation.objects.get().environment == ""
    state.look(tidy=True)
    assert Installation.objects.get().environment == "staging"


def test_another_secret_key_is_a_copy(installation, settings):
    settings.SECRET_KEY = "another"
    found = state.look()
    assert found.cause == Cause.SECRET_KEY
    assert "SECRET_KEY" in why(found)


def test_a_key_that_was_rotated_verifies_and_signs_anew_only_after_a_while(installation, settings, monkeypatch):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", ["tests"]
    assert not state.look(tidy=True).is_held
    assert Installation.objects.get().signature == installation.signature  # old processes know no other key yet
    monkeypatch.setattr(state, "SIGN_ANEW_AFTER", -1.0)
    assert not state.look().is_held
    assert Installation.objects.get().signature == installation.signature  # only schedulers write
    state.look(tidy=True)
    settings.SECRET_KEY_FALLBACKS = []
    assert not state.look().is_held


def test_another_place_is_a_copy_and_half_of_it_a_move(installation):
    Installation.objects.update(address="db-1:5432/shop")
    assert state.look(tidy=False).cause is None
    assert Installation.objects.get().moved_at is None
    state.look(tidy=True)
    row = Installation.objects.get()
    assert row.moved_from.startswith("db-1:5432/shop")
    assert row.address == installation.address
    Installation.objects.update(address="db-1:5432/shop", system_identifier="1/1")
    found = state.look(tidy=True)
    expected = Cause.ELSEWHERE if connection.vendor != "mysql" else None
    assert found.cause == expected
    assert ("Address and system" in why(found)) == (expected is not None)


def test_two_schedulers_that_spell_one_address_in_two_ways_do_not_say_so_for_ever(installation, caplog):
    for _ in range(3):
        Installation.objects.update(address="db-1:5432/shop")
        state.look(tidy=True)
    assert caplog.text.count("has moved") == 1


def test_a_system_that_was_not_known_is_written_down(installation):
    Installation.objects.update(system_identifier="")
    state.look(tidy=True)
    row = Installation.objects.get()
    assert row.system_identifier == installation.system_identifier
    assert row.moved_at is None


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("", "1", None),
        ("1", "", None),
        ("7/5", "7/5", True),
        ("7/5", "8/5", False),
        ("7/5", "5", True),
        ("5", "7/6", False),
    ],
)
def test_systems_are_compared_as_far_as_they_are_known(before, now, expected):
    assert signs.same_system(before, now) is expected


def test_a_mark_that_was_copied_counts_for_nothing(staging):
    old = make_execution(trigger=Trigger.API)
    Installation.objects.update(copy_key="elsewhere", copy_after=0)
    found = state.look()
    assert found.copy_key not in {"", "elsewhere"}
    assert not found.may_start(old)
    assert found.may_start(make_execution(trigger=Trigger.API))
    assert not found.may_start(make_execution(trigger=Trigger.SCHEDULE, scheduled_for=old.triggered_at))
    assert state.look().copy_key == found.copy_key


def test_it_asks_about_once_a_minute(installation, django_assert_num_queries, monkeypatch):
    state.look()
    with django_assert_num_queries(0):
        for _ in range(100):
            assert not state.is_held()
            assert state.copy_key() == ""
    monkeypatch.setattr(state, "CHECK_EVERY", 0.0)
    with django_assert_num_queries(1):
        state.standing()


def test_a_scheduler_reads_the_signs_of_postgresql_each_time_and_others_once_for_each_connection(
    installation, django_assert_num_queries
):
    extra = 2 * (connection.vendor == "postgresql")
    with django_assert_num_queries(1 + extra):
        state.look()
    with django_assert_num_queries(1):
        state.look()
    with django_assert_num_queries(1 + extra):
        state.look(tidy=True)
    state._known.connection = None  # as another one that Django has made
    with django_assert_num_queries(1 + extra):
        state.look()


def test_while_the_database_is_away_what_was_known_counts(staging, monkeypatch):
    state.look()

    def away(**_options):
        raise OperationalError("away")

    monkeypatch.setattr(state, "_read", away)
    monkeypatch.setattr(state, "CHECK_HELD_EVERY", 0.0)
    assert state.is_held()
    state.forget()
    with pytest.raises(OperationalError):
        state.is_held()
