"""``manage.py adopt_database``, ``runscheduler --once`` in a copy, and what ``check --deploy`` says of one."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from django_scheduled_tasks.checks import rows
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Installation, read_now
from django_scheduled_tasks.services.installation import state
from tests.factories import make_execution, make_task
from tests.services.installation.conftest import installation, staging  # noqa: F401

pytestmark = pytest.mark.django_db


def test_it_says_what_is_held_and_adopts_a_copy(staging, capsys):  # noqa: F811
    waiting = make_execution(make_task())
    call_command("adopt_database", environment="staging", yes=True)
    said = capsys.readouterr().out
    assert "The setting ENVIRONMENT says “staging”, the database was adopted as “production”." in said
    assert "1 executions that were waiting in the copy never start." in said
    assert "Adopted as staging." in said
    waiting.refresh_from_db()
    assert waiting.status == Status.ERRORS
    call_command("adopt_database")
    assert "at home here already" in capsys.readouterr().out


def test_it_asks(staging, monkeypatch):  # noqa: F811
    monkeypatch.setattr("builtins.input", lambda _text: "no")
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("adopt_database")
    assert Installation.objects.get().environment == "production"
    monkeypatch.setattr("builtins.input", lambda _text: " Yes ")
    call_command("adopt_database", same=True)
    assert Installation.objects.get().environment == "staging"


def test_another_name_than_that_of_the_setting_is_refused(staging):  # noqa: F811
    with pytest.raises(CommandError, match="staging"):
        call_command("adopt_database", environment="production", yes=True)


def test_an_installation_that_gets_a_name_has_to_say_that_it_is_the_same(staging):  # noqa: F811
    Installation.objects.update(environment="", system_identifier="")
    waiting = make_execution()
    with pytest.raises(CommandError, match="--same"):
        call_command("adopt_database", yes=True)
    call_command("adopt_database", yes=True, same=True)
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING


def test_one_pass_of_a_scheduler_is_refused_in_a_copy(staging):  # noqa: F811
    make_task(schedule_kind="interval", expression="1h")
    with pytest.raises(CommandError, match="taken for a copy"):
        call_command("runscheduler", once=True)


def test_checks_say_that_it_is_a_copy_or_has_moved(installation, settings, monkeypatch):  # noqa: F811
    assert rows.check_installation() == []
    Installation.objects.update(moved_from="db-1:5432/shop", moved_at=read_now())
    (info,) = rows.check_installation()
    assert info.id == "scheduled_tasks.I014"
    assert "db-1:5432/shop" in info.msg
    Installation.objects.update(environment="production")
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "ENVIRONMENT": "staging"}
    (warning,) = rows.check_installation()
    assert warning.id == "scheduled_tasks.W013"

    def away(**_options):
        raise OperationalError("away")

    monkeypatch.setattr(rows, "look", away)
    assert [item.id for item in rows.check_installation()] == ["scheduled_tasks.I010"]


def test_checks_say_that_tasks_run_nowhere(settings, monkeypatch):
    assert rows.check_environments() == []
    make_task(name="invoices", environments=["production"])
    (warning,) = rows.check_environments()
    assert warning.id == "scheduled_tasks.W014"
    assert "invoices" in warning.msg

    def away(*_conditions, **_more):
        raise OperationalError("away")

    monkeypatch.setattr(rows.ScheduledTask.objects, "exclude", away)
    assert [item.id for item in rows.check_environments()] == ["scheduled_tasks.I010"]
    settings.SCHEDULED_TASKS = {"ENVIRONMENT": "production"}
    assert rows.check_environments() == []


def test_wrong_names_are_refused(settings):
    from django.core.exceptions import ImproperlyConfigured

    from django_scheduled_tasks.conf import get_settings

    for name in ("a,b", " a", "x" * 101):
        settings.SCHEDULED_TASKS = {"ENVIRONMENT": name}
        with pytest.raises(ImproperlyConfigured, match="ENVIRONMENT"):
            get_settings()


def test_a_database_without_our_tables_is_no_copy(monkeypatch):
    def gone(*_arguments):
        raise OperationalError("no such table: django_scheduled_tasks_installation")

    monkeypatch.setattr(state.Installation.objects, "using", gone)
    state.forget()
    assert not state.is_held()
