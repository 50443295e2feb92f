"""``hold_tasks``, ``release_tasks``, ``resume_task`` and ``explain_task``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.management.commands import hold_tasks
from django_scheduled_tasks.models import Change, Execution, Hold, frozen_at
from django_scheduled_tasks.services.tasks.edit import pause
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db


def test_everything_is_held_and_released(capsys):
    call_command("hold_tasks", reason="deploy", until="2h")
    row = Hold.objects.get()
    assert (row.scope, row.reason, row.until is not None) == ("all", "deploy", True)
    assert f"release_tasks {row.pk}" in capsys.readouterr().out
    call_command("run_task", make_task(name="mine").name)
    assert "It waits. The task is held since" in capsys.readouterr().err
    call_command("release_tasks", row.pk)
    row.refresh_from_db()
    assert row.ended_at is not None
    call_command("release_tasks")
    assert "Nothing is held." in capsys.readouterr().out


def test_only_what_has_the_reason_is_released():
    call_command("hold_tasks", reason="deploy")
    call_command("hold_tasks", tag="mail", reason="other")
    call_command("release_tasks", reason="deploy")
    assert Hold.objects.get(ended_at=None).tag == "mail"


@pytest.mark.parametrize(("option", "scope"), [("queue", "queue"), ("tag", "tag"), ("task", "task")])
def test_a_part_is_held(option, scope):
    make_task(name="mine")
    call_command("hold_tasks", **{option: "mine"}, reason="x")
    assert Hold.objects.get().scope == scope


def test_a_drain_says_what_still_runs_and_ends_with_1(capsys):
    execution = make_execution(make_task(name="slow"), status=Status.PROCESSING, worker_host="worker-1")
    with pytest.raises(SystemExit) as ended:
        call_command("hold_tasks", reason="deploy", drain=0)
    assert ended.value.code == 1
    assert f"Execution #{execution.pk} of slow still runs on worker-1." in capsys.readouterr().err


def test_a_drain_ends_with_0_when_nothing_runs_any_more(capsys, monkeypatch):
    execution = make_execution(make_task(), status=Status.PROCESSING)

    def end(_seconds):
        Execution.objects.filter(pk=execution.pk).update(
            status=Status.COMPLETED, outcome="succeeded", completed_at=execution.triggered_at, lease_until=None
        )

    monkeypatch.setattr(hold_tasks.time, "sleep", end)
    call_command("hold_tasks", reason="deploy", drain=60)
    assert "Nothing of it runs any more." in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [{"task": "nope"}, {"tag": "a,b"}, {"until": "soon"}, {"reason": " "}],
    ids=["task", "tag", "until", "why"],
)
def test_what_is_wrong_is_said(options):
    with pytest.raises(CommandError):
        call_command("hold_tasks", **{"reason": "x", **options})
    assert not Hold.objects.exists()


def test_why_is_said(capsys):
    make_task(name="mine", schedule_kind="cron", expression="0 3 * * *")
    call_command("explain_task", "MINE", at="2099-05-05 03:00")
    assert capsys.readouterr().out == (
        "It is due at 2099-05-05 03:00:00 UTC.\n  scheduled for: 2099-05-05T03:00:00.000Z\n"
    )
    call_command("explain_task", "mine", at="2099-05-05 03:30", json=True)
    assert json.loads(capsys.readouterr().out)["kind"] == "not_due"
    with pytest.raises(CommandError, match="at"):
        call_command("explain_task", "mine", at="noon")


def test_a_task_is_resumed_with_what_was_due_and_the_command_is_recorded(capsys, engine):
    now = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)
    with frozen_at(now - timedelta(days=3)):
        task = pause(make_task(name="mine", schedule_kind="cron", expression="0 3 * * *"))
    with frozen_at(now):
        call_command("resume_task", "mine", replay="latest", reason="done")
        assert "mine goes on. 3 runs were due meanwhile; 1 of them start." in capsys.readouterr().out
        call_command("resume_task", "mine")
        assert "mine is not paused." in capsys.readouterr().out
    assert Execution.objects.filter(task=task, status=Status.PENDING).get().reason == "done"
    row = Change.objects.get(deed="resumed")
    assert (row.way, row.door, row.reason) == ("command", "resume_task", "done")
    assert "@" in row.address
    with pytest.raises(CommandError, match="nope"):
        call_command("resume_task", "nope")
