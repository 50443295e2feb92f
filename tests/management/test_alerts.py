"""``list_alerts`` and ``send_test_notice``."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from django_scheduled_tasks.models import Alert, AlertRule, Channel, Presence, PresenceKind, read_now
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.installation.verdict import Cause
from tests.services.alerts.help import make_channel, make_rule

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_rules(db):
    AlertRule.objects.all().delete()
    Channel.objects.all().delete()


def run(*arguments):
    """Return the exit code and what is printed."""
    out, code = StringIO(), 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as exc:
        code = exc.code
    return code, out.getvalue()


def make_gap():
    at = read_now() - timedelta(minutes=5)
    Presence.objects.create(kind=PresenceKind.SCHEDULER, identity="s", host="s", started_at=at, last_seen_at=at)


def test_the_exit_code_says_whether_one_is_open():
    assert run("list_alerts") == (0, "Nothing is open.\n")
    now = read_now()
    Alert.objects.create(kind="missed", task_name="old", opened_at=now, closed_at=now)
    assert run("list_alerts", "--all")[0] == 0
    Alert.objects.create(kind="failing", task_name="digest", opened_at=now, open_key="x", latest_execution=7)
    code, text = run("list_alerts")
    assert code == 1
    assert "Failing  digest  Execution #7 failed." in text
    assert "old" not in text
    code, text = run("list_alerts", "--all", "--json")
    assert code == 1
    assert [(one["kind"], one["closedAt"] is None) for one in json.loads(text)] == [
        ("failing", True),
        ("missed", False),
    ]


@pytest.mark.django_db(transaction=True)
def test_it_looks_and_tells_by_itself_that_no_scheduler_is_there_but_not_in_a_copy():
    make_rule()
    make_gap()
    state.suppose(state.Standing(cause=Cause.ENVIRONMENT))
    assert run("list_alerts", "--look")[0] == 0
    assert not Alert.objects.exists()
    state.suppose(state.Standing())
    code, text = run("list_alerts", "--look")
    assert code == 1
    assert "No scheduler answers" in text
    assert "No scheduler: Installation" in mail.outbox[0].subject
    run("list_alerts", "--look")
    assert len(mail.outbox) == 1


def test_a_test_by_each_channel_or_by_those_that_are_named():
    with pytest.raises(CommandError, match="There is no channel"):
        run("send_test_notice")
    make_channel("ops")
    make_channel("hook", kind="webhook", address="x")
    make_channel("off", enabled=False)
    code, text = run("send_test_notice")
    assert code == 1
    assert text.splitlines()[0].startswith("hook: not taken: The address is no URL")
    assert text.splitlines()[1:] == ["ops: Sent to 1."]
    assert run("send_test_notice", "ops") == (0, "ops: Sent to 1.\n")
    with pytest.raises(CommandError, match="called absent"):
        run("send_test_notice", "absent")
