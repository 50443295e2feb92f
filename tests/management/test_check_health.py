"""``check_health``: what probes are told by the exit code."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from django_scheduled_tasks.management.commands import check_health
from django_scheduled_tasks.models import Presence, PresenceKind, read_now
from django_scheduled_tasks.services.scheduling import presence

pytestmark = pytest.mark.django_db


@pytest.fixture
def check(capsys):
    def run(*arguments: str) -> tuple[int, str]:
        code = 0
        try:
            call_command("check_health", *arguments)
        except SystemExit as exc:
            code = exc.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_all_is_well_or_every_problem_is_said(check):
    presence.seen(PresenceKind.SCHEDULER)
    assert check() == (0, "All is well.\n")
    Presence.objects.update(last_seen_at=read_now() - timedelta(hours=1))
    code, said = check()
    assert code == 1
    assert "No scheduler has been seen lately." in said


def test_processes_of_this_host_are_well_if_they_say_that_they_are_there(check):
    presence.seen(PresenceKind.SCHEDULER)
    presence.seen(PresenceKind.WORKER, queue="reports")
    assert check("scheduler", "worker", "web")[0] == 0
    assert check("worker", "--queue", "reports")[0] == 0
    assert check("worker", "--queue", "")[0] == 1
    Presence.objects.filter(kind=PresenceKind.WORKER).update(host="elsewhere")
    code, said = check("scheduler", "worker")
    assert code == 1
    assert said.startswith("No worker of this host, ")
    assert "scheduler" not in said


def test_a_database_that_is_away_is_neither_well_nor_not(check, monkeypatch):
    def away() -> str:
        raise OperationalError("away")

    monkeypatch.setattr(check_health, "why_not_migrated", away)
    for arguments in ((), ("web",), ("scheduler",)):
        code, said = check(*arguments)
        assert code == 3
        assert "The database does not answer: away" in said


def test_tables_that_are_older_than_the_code_are_not_well(check, monkeypatch):
    monkeypatch.setattr(check_health, "why_not_migrated", lambda: "Run migrate.")
    assert check("web") == (1, "Run migrate.\n")


def test_a_process_that_there_is_not_is_refused(check):
    with pytest.raises(CommandError, match=r"beat: it is one of scheduler, web, worker\."):
        call_command("check_health", "beat")
