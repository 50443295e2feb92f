"""Parameters that nobody reads in the list of processes, and output that controls no terminal."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ExecutionLog, ScheduledTask, read_now
from tests.admin.pages import EXECUTIONS
from tests.factories import LOG_VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
ESCAPES = "\x1b[2J\x9b1A\r\u202e"


@pytest.fixture
def connecting(engine):
    return make_task(name="connecting", function="testapp.log_in")


def test_parameters_come_from_a_file(connecting, tmp_path, capsys):
    file = tmp_path / "params.json"
    file.write_text('{"password": "pä55word", "user": "anna"}', encoding="utf-8")
    call_command("run_task", "connecting", "--params-file", str(file), "--param", "user=otto")
    assert Execution.objects.get().params == {"password": "pä55word", "user": "otto"}
    assert "pä55word" not in "".join(capsys.readouterr())


def test_parameters_come_from_standard_input(connecting, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"password": "pa55word"}'))
    call_command("run_task", "connecting", "--params-file", "-")
    assert Execution.objects.get().params == {"password": "pa55word"}


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"\xff", "cannot be read"), (b"{", "is not JSON"), (b"[]", "object")],
)
def test_a_file_without_parameters_is_refused(connecting, tmp_path, content, said):
    file = tmp_path / "params.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError, match=f"--params-file.*{said}"):
        call_command("run_task", "connecting", "--params-file", str(file))
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("run_task", "connecting", "--params-file", str(file), "--params", "{}")
    assert not Execution.objects.exists()


def test_the_help_says_where_secrets_go(capsys):
    with pytest.raises(SystemExit):
        call_command("run_task", "--help")
    assert "list of processes" in " ".join(capsys.readouterr().out.split())


def test_what_a_function_says_moves_no_cursor_and_forges_no_line(connecting, capsys):
    said = f"{ESCAPES}\nconnecting: succeeded"
    error = {"error_code": "failed", "error_message": said, "result": {"a": ESCAPES}}
    failed = make_execution(connecting, status=Status.ERRORS, **error)
    progress = {"progress_current": 1, "progress_message": said}
    open_one = make_execution(connecting, status=Status.PENDING, **progress)
    done = make_execution(connecting, status=Status.COMPLETED, result=ESCAPES)
    for execution in (failed, open_one, done):
        for options in ((), ("--json",)):
            try:
                call_command("task_status", str(execution.tracking_id), *options)
            except SystemExit:
                assert execution is failed
            output = "".join(capsys.readouterr())
            assert output
            assert not set(output) & set(ESCAPES.replace("[2J", "").replace("1A", ""))
            assert not any(line.startswith("connecting: succeeded") for line in output.splitlines())
            if options:
                assert json.loads(output)["info"]["trackingId"] == str(execution.tracking_id)


def test_names_and_refusals_move_no_cursor(connecting, capsys):
    ScheduledTask.objects.update(name=f"c{ESCAPES}", expression=ESCAPES, function=f"f{ESCAPES}")
    call_command("list_tasks")
    call_command("list_tasks", "--json")
    Execution.objects.all().delete()
    make_execution(task_name=f"c{ESCAPES}", status=Status.COMPLETED, triggered_at=read_now() - timedelta(days=900))
    for command, name in (("run_task", f"no{ESCAPES}"), ("task_status", f"no{ESCAPES}"), ("simulate_task", "no\x1b")):
        with pytest.raises(CommandError) as error:
            call_command(command, name)
        assert "\\x1b" in str(error.value)
        assert "\x1b" not in str(error.value)
    assert "\x1b" not in "".join(capsys.readouterr())


def test_a_downloaded_log_moves_no_cursor(client, connecting):
    execution = make_execution(connecting, status=Status.COMPLETED)
    ExecutionLog.objects.create(
        execution=execution,
        number=1,
        attempt=1,
        logged_at=read_now(),
        level="INFO",
        logger="x",
        message=f"\tä\n{ESCAPES}",
    )
    client.force_login(make_user(*LOG_VIEWER))
    response = client.get(f"{EXECUTIONS}{execution.pk}/log/")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    text = response.getvalue().decode()
    assert text.endswith("x: \tä\n  \\x1b[2J\\x9b1A\\r\\u202e\n")


def test_a_downloaded_log_has_no_line_that_its_message_forged(client, connecting):
    execution = make_execution(connecting, status=Status.COMPLETED)
    forged = f"{read_now():%Y-%m-%dT%H:%M:%S.%f}Z ERROR payments: refused"
    for number, message in enumerate((f"first\n{forged}", f"\n\n{forged}", f"a\r{forged}", f"b\u2028{forged}"), 1):
        row = {"number": number, "attempt": 1, "logged_at": read_now(), "level": "INFO", "logger": "x"}
        ExecutionLog.objects.create(execution=execution, message=message, **row)
    client.force_login(make_user(*LOG_VIEWER))
    lines = client.get(f"{EXECUTIONS}{execution.pk}/log/").getvalue().decode().splitlines()
    assert sum("payments: refused" in line for line in lines) == 4
    assert [line.split()[1] for line in lines if not line.startswith("  ")] == ["INFO"] * 4
