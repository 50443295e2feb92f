"""The command that shows what a task would do."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.tasks.edit import pause
from tests.factories import make_task

pytestmark = pytest.mark.django_db
RANGE = ("--from", "2027-03-27T00:00", "--to", "2027-03-30T00:00")


@pytest.fixture
def task():
    return make_task(name="Nightly", schedule_kind="cron", expression="30 2 * * *", timezone="Europe/Berlin")


def run(capsys, *arguments: str) -> str:
    call_command("simulate_task", *arguments)
    return capsys.readouterr().out


def test_a_table(task, capsys):
    out = run(capsys, "nightly", *RANGE)
    lines = out.splitlines()
    assert lines[0] == "Nightly: Every day at 02:30 (Europe/Berlin)"
    assert lines[1].split() == ["#", "SCHEDULED", "FOR", "DECIDED", "STARTED", "ENDED", "OUTCOME", "WHY"]
    assert [line.split()[2:4] for line in lines[2:5]] == [
        ["02:30:00", "+0100"],
        ["03:00:00", "+0200"],
        ["02:30:00", "+0200"],
    ]
    assert lines[5] == "3 succeeded. Next: 2027-03-30 02:30:00 +0200."
    assert not Execution.objects.exists()


def test_json_with_downtime_and_duration(task, capsys):
    down = "2027-03-27T00:00Z/2027-03-29T06:00Z"
    out = run(capsys, str(task.pk), *RANGE, "--downtime", down, "--duration", "90s", "--json")
    answer = json.loads(out)
    assert answer["task"] == "Nightly"
    assert answer["from"] == "2027-03-26T23:00:00.000Z"
    assert answer["counts"] == {"missed": 2, "succeeded": 1}
    assert answer["nextRunAt"] == "2027-03-30T00:30:00.000Z"
    assert answer["truncated"] is False
    first, _second, third = answer["entries"]
    assert (first["decision"], first["outcome"], first["startedAt"]) == ("miss", "missed", None)
    assert (third["startedAt"], third["endedAt"]) == ("2027-03-29T06:00:00.000Z", "2027-03-29T06:01:30.000Z")


def test_what_blocks_is_named_and_missed_ones_are_counted(capsys):
    make_task(name="Often", schedule_kind="interval", expression="1h")
    out = run(capsys, "often", *RANGE, "--duration", "90m")
    assert "Execution #1 was still running. (#1)" in out
    make_task(name="Oftener", schedule_kind="interval", expression="1m")
    out = run(capsys, "oftener", *RANGE, "--downtime", "2027-03-27T00:00/2027-03-29T00:00", "--limit", "150")
    assert "missed ×" in out
    assert "There is more; raise --limit to see it." in out


def test_a_week_from_now_is_the_default(task, capsys):
    out = run(capsys, "Nightly")
    assert "7 succeeded" in out or "6 succeeded" in out or "8 succeeded" in out


def test_a_task_that_stands_still_says_so(task, capsys):
    pause(task)
    assert "It is paused until someone resumes it." in run(capsys, "Nightly", *RANGE)
    assert "Nothing is due. Next: none." in run(capsys, "Nightly", *RANGE)
    from datetime import UTC, datetime

    pause(task, until=datetime(2027, 3, 28, 12, tzinfo=UTC))
    out = run(capsys, "Nightly", *RANGE)
    assert "It is paused until 2027-03-28 14:00:00 +0200." in out
    assert "1 succeeded" in out
    make_task(name="Off", schedule_kind="interval", expression="1h", enabled=False)
    assert "It is switched off, so nothing is due." in run(capsys, "Off", *RANGE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], 'There is no scheduled task "nobody".'),
        (["Nightly", "--from", "yesterday"], '"yesterday" is not an instant.'),
        (["Nightly", "--from", "2027-01-02", "--to", "2027-01-01"], "--to has to be later than --from."),
        (["Nightly", "--downtime", "2027-01-02"], '"2027-01-02" is not a downtime.'),
        (["Nightly", "--duration", "soon"], '"soon" is not a duration.'),
    ],
)
def test_wrong_arguments_are_explained(task, arguments, message):
    with pytest.raises(CommandError, match=message.replace("(", r"\(")):
        call_command("simulate_task", *arguments)
