"""Whether the tables are as new as the code."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder

from django_scheduled_tasks.db.migrated import LABEL, unapplied_migrations, why_not_migrated
from django_scheduled_tasks.runner import worker
from tests.database import connection

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_all_are_applied():
    assert unapplied_migrations() == []
    assert why_not_migrated() == ""


def test_one_that_is_missing_is_named_and_nothing_starts():
    MigrationRecorder(connection).record_unapplied(LABEL, "0003_releases")
    sentence = (
        "The tables of scheduled tasks are older than the code: run manage.py migrate, which applies 0003_releases."
    )
    assert why_not_migrated() == sentence
    with pytest.raises(CommandError, match="which applies 0003_releases"):
        call_command("runscheduler", once=True)


def test_a_newer_schema_than_the_code_is_no_matter():
    MigrationRecorder(connection).record_applied(LABEL, "0099_of_the_next_release")
    assert why_not_migrated() == ""


def test_a_project_without_migrations_has_none_to_apply(settings):
    settings.MIGRATION_MODULES = {LABEL: None}
    assert unapplied_migrations() == []


def test_a_worker_waits_for_missing_migrations_and_ends_if_they_do_not_come(monkeypatch, caplog):
    answers = ["0003 is missing", "0003 is missing", ""]
    monkeypatch.setattr(worker, "why_not_migrated", lambda: answers.pop(0))
    monkeypatch.setattr(worker, "LOOK_FOR_MIGRATIONS", 0)
    worker._wait_for_migrations()
    assert caplog.text.count("This worker does not start. 0003 is missing") == 1
    monkeypatch.setattr(worker, "why_not_migrated", lambda: "0003 is missing")
    monkeypatch.setattr(worker, "MIGRATED_WITHIN", 0)
    with pytest.raises(SystemExit):
        worker._wait_for_migrations()


def test_a_worker_whose_database_is_away_starts(monkeypatch):
    def away() -> str:
        raise worker.DatabaseError("away")

    monkeypatch.setattr(worker, "why_not_migrated", away)
    worker._wait_for_migrations()
