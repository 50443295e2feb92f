"""The commands: what they print, and how they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.tasks.edit import pause, update_task
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(capsys):
    """Call a command; return (exit code, what it printed)."""

    def call(*arguments: str) -> tuple[int, str]:
        code = 0
        try:
            call_command(*arguments)
        except SystemExit as exc:
            code = int(exc.code or 0)
        return code, capsys.readouterr().out

    return call


@pytest.fixture
def bill():
    return make_task(name="billOnDemand", function="testapp.add", params={"a": 1})


def test_run_task_queues_and_says_the_tracking_id(bill, engine, run):
    code, out = run("run_task", "BILLONDEMAND", "--param", "b=5", "--reason", "audit")
    execution = Execution.objects.get()
    assert (code, execution.params, execution.reason, execution.trigger) == (0, {"a": 1, "b": 5}, "audit", "cli")
    assert out == f"billOnDemand: pending, tracking id {execution.tracking_id}\n"


def test_run_task_waits_for_the_end_and_prints_the_result(bill, run):
    code, out = run("run_task", "billOnDemand", "--params", '{"b": 5}', "--wait", "--timeout", "20s")
    assert code == 0
    assert "billOnDemand: completed" in out
    assert "result: 6" in out


def test_run_task_exits_with_1_when_the_function_fails(run, capsys):
    make_task(name="bad", function="testapp.fail")
    assert run("run_task", "bad", "--param", "message=No paper.", "--wait")[0] == 1
    code, out = run("run_task", "bad", "--wait", "--json")
    assert code == 1
    body = json.loads(out)
    assert (body["errors"], body["info"]["outcome"]) == (None, "failed")


def test_run_task_says_so_when_the_time_to_wait_is_up(bill, engine, run, capsys):
    with pytest.raises(SystemExit) as caught:
        call_command("run_task", "billOnDemand", "--wait", "--timeout", "1s")
    out, err = capsys.readouterr()
    tracking_id = str(Execution.objects.get().tracking_id)
    assert caught.value.code == 1
    assert out == f"billOnDemand: pending, tracking id {tracking_id}\n"
    assert f"It has not ended yet; ask again: manage.py task_status {tracking_id}" in err


@pytest.mark.parametrize("command", ["run_task", "task_status"])
def test_ctrl_c_ends_the_waiting_and_not_the_execution(bill, engine, monkeypatch, capsys, command):
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    argument = "billOnDemand" if command == "run_task" else str(make_execution(bill).tracking_id)
    monkeypatch.setattr("django_scheduled_tasks.client.TaskHandle.wait", interrupt)
    with pytest.raises(SystemExit) as caught:
        call_command(command, argument, "--wait")
    assert caught.value.code == 130
    execution = Execution.objects.get()
    assert execution.status == Status.PENDING
    assert f"execution {execution.tracking_id} goes on" in capsys.readouterr().err


def test_run_task_prints_the_rest_apis_envelope(bill, engine, run):
    _, out = run("run_task", "billOnDemand", "--json")
    info = json.loads(out)["info"]
    assert list(info) == ["trackingId", "scheduledTaskId", "scheduledTaskName", "triggeredAt", "status"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope"], 'There is no scheduled task "nope".'),
        (["billOnDemand", "--param", "b=x"], "b: Input should be a valid integer"),
        (["billOnDemand", "--param", "c=1"], "c: this function has no such parameter."),
        (["billOnDemand", "--param", "b"], "--param b: write it as KEY=VALUE."),
        (["billOnDemand", "--params", "{"], "--params is not JSON"),
        (["billOnDemand", "--params", "[1]"], "--params has to be a JSON object"),
        (["billOnDemand", "--wait", "--timeout", "soon"], "--timeout:"),
    ],
)
def test_run_task_refuses_with_a_sentence(bill, run, arguments, sentence):
    with pytest.raises(CommandError) as caught:
        run("run_task", *arguments)
    assert sentence in str(caught.value)
    assert caught.value.returncode == 1
    assert not Execution.objects.exists()


def test_run_task_has_a_line_for_each_wrong_parameter(bill, run):
    with pytest.raises(CommandError) as caught:
        run("run_task", "billOnDemand", "--param", "b=x", "--param", "c=1")
    assert len(str(caught.value).splitlines()) == 2


def test_run_task_says_what_is_still_open_and_what_is_gone(bill, run):
    blocker = make_execution(bill)
    with pytest.raises(CommandError, match=f"{blocker.tracking_id} of .* is still open"):
        run("run_task", "billOnDemand")
    code, out = run("run_task", "billOnDemand", "--json")
    assert (code, json.loads(out)["errors"]["status"]) == (1, 409)
    ScheduledTask.objects.update(function="shop.gone")
    with pytest.raises(CommandError, match="is not in the code"):
        run("run_task", "billOnDemand", "--overlap", "allow")


def test_task_status(bill, run):
    execution = make_execution(bill, status=Status.PROCESSING, progress_current=3, progress_total=10)
    code, out = run("task_status", str(execution.tracking_id))
    assert (code, "billOnDemand: processing" in out, "3 of 10" in out) == (0, True, True)
    _, out = run("task_status", str(execution.tracking_id), "--json")
    assert json.loads(out)["info"]["progress"] == {"current": 3, "total": 10, "message": ""}
    done = make_execution(bill, status=Status.COMPLETED)
    assert run("task_status", str(done.tracking_id), "--wait")[0] == 0
    failed = make_execution(bill, status=Status.ERRORS, error_message="No paper.", error_code="failed")
    assert run("task_status", str(failed.tracking_id))[0] == 1
    with pytest.raises(CommandError, match="There is no execution"):
        run("task_status", str(uuid4()))
    with pytest.raises(CommandError, match="There is no execution soon"):
        run("task_status", "soon")
    code, out = run("task_status", str(uuid4()), "--json")
    assert (code, json.loads(out)["errors"]["items"][0]["code"]) == (1, "execution_not_found")


def test_list_tasks(run):
    assert "There are no scheduled tasks yet" in run("list_tasks")[1]
    nightly = make_task(name="Nightly", schedule_kind="cron", expression="0 3 * * *")
    pause(make_task(name="Paused", schedule_kind="cron", expression="0 3 * * *"), reason="audit")
    update_task(make_task(name="Off", schedule_kind="cron", expression="0 3 * * *"), enabled=False)
    make_task(name="By hand")
    ScheduledTask.objects.filter(pk=make_task(name="Broken").pk).update(function="shop.gone")
    lines = run("list_tasks")[1].splitlines()
    assert lines[0].split()[0] == "Nightly"
    assert "Every day at 03:00" in lines[0]
    states = {line.split("  ")[0].strip(): line.split("  ", 1)[1].split()[0] for line in lines[1:]}
    assert states == {"By hand": "-", "Broken": "broken", "Off": "off", "Paused": "paused"}
    found = json.loads(run("list_tasks", "--json")[1])
    assert found[0]["id"] == str(nightly.pk)
    assert found[0]["nextRunAt"].endswith("T03:00:00.000Z")


@pytest.mark.parametrize(
    "name", ["runscheduler", "run_task", "list_tasks", "task_status", "simulate_task", "prune_executions"]
)
def test_help_helps(name, capsys):
    with pytest.raises(SystemExit):
        from django.core.management import ManagementUtility

        ManagementUtility(["manage.py", name, "--help"]).execute()
    out = capsys.readouterr().out
    assert out.startswith("usage:")
    assert len(out) > 400


def test_a_wrong_option_is_called_as_it_is_written(bill):
    with pytest.raises(CommandError, match=r"^--reason: at most 500 characters\.$"):
        call_command("run_task", "billOnDemand", "--reason", "x" * 501)
    with pytest.raises(CommandError, match=r"^--param c: .*\n--param d: "):
        call_command("run_task", "billOnDemand", "--param", "c=1", "--param", "d=1")


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 100_000, '{"a": NaN}', '"\\u0000"'])
def test_run_task_refuses_a_parameter_that_cannot_be_stored(bill, run, value):
    with pytest.raises(CommandError) as error:
        call_command("run_task", "billOnDemand", "--param", f"month={value}")
    assert str(error.value).startswith("--param month: ")
    assert not Execution.objects.exists()


def test_task_status_says_what_the_function_said_without_numbers(bill, run):
    row = make_execution(bill, status=Status.PROCESSING, progress_message="Loading")
    assert "\n  Loading\n" in run("task_status", str(row.tracking_id))[1]
    Execution.objects.update(progress_current=3)
    assert "\n  3 Loading\n" in run("task_status", str(row.tracking_id))[1]
    Execution.objects.update(progress_total=4, progress_message="")
    assert "\n  3 of 4\n" in run("task_status", str(row.tracking_id))[1]


def test_a_scheduler_does_not_import_what_serves_pages():
    """In a process of its own, whose modules are not those of the tests: two seconds."""
    code = """
import sys
import django
django.setup()
from django.core.management import load_command_class
command = load_command_class("django_scheduled_tasks", "runscheduler")
command.handle = lambda **_options: None
command.run_from_argv(["manage.py", "runscheduler"])
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "django_scheduled_tasks.checks.project" in found
    assert not found & {"tests.urls", "django_scheduled_tasks.api.urls", "drf_spectacular.openapi", "docutils"}


def test_run_task_follows_the_log_and_says_how_it_ended(run):
    make_task(name="counts", function="testapp.say", params={"text": "I begin."})
    code, out = run("run_task", "counts", "--follow", "--timeout", "20s")
    assert code == 0
    assert " INFO I begin.\n" in out
    assert out.splitlines()[-1].startswith("counts: ")


def test_tail_execution_prints_lines_that_control_nothing_while_it_runs_and_then_the_end(run, monkeypatch):
    execution = make_execution(
        make_task(name="nightly"), status=Status.PROCESSING, progress_current=3, progress_total=9
    )
    lines = [logs.LogLine(read_now(), "INFO", "shop", "one\x1b[2J\ntwo")]
    logs.write(execution, lines, first=1)

    def end(_seconds: float) -> None:
        failed = {"status": Status.ERRORS, "outcome": "failed", "error_code": "failed", "error_message": "It broke."}
        Execution.objects.update(**failed, completed_at=read_now(), lease_until=None)

    monkeypatch.setattr("django_scheduled_tasks.management.output.time.sleep", end)
    code, out = run("tail_execution", str(execution.tracking_id))
    progress, line, more, last = out.splitlines()
    assert code == 1
    assert progress == "  3 of 9"
    assert line.endswith(" INFO one\\x1b[2J")
    assert more == "  two"
    assert last == f"nightly: failed, tracking id {execution.tracking_id}"


def test_tail_execution_of_none_is_a_sentence():
    with pytest.raises(CommandError, match="There is no execution"):
        call_command("tail_execution", str(uuid4()))
