"""The page of one execution: what it says in each state, and what it hides."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Alert, Change, Channel, Execution, ExecutionLog, Notice, read_now
from django_scheduled_tasks.services.running.logs import dropped_line
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.admin.pages import EXECUTIONS
from tests.factories import LOG_VIEWER, OPERATOR, VIEWER, make_execution, make_release, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("status", "outcome", "text"),
    [
        (Status.PENDING, "", "Waiting for a worker."),
        (Status.PROCESSING, "", "Running"),
        (Status.COMPLETED, Outcome.SUCCEEDED, "Finished without an error."),
        (Status.ERRORS, Outcome.FAILED, "The function raised an error."),
        (Status.ERRORS, Outcome.TIMED_OUT, "Timed out"),
        (Status.ERRORS, Outcome.WORKER_LOST, "Worker lost"),
        (Status.ERRORS, Outcome.CANCELLED, "Cancelled"),
        (Status.ERRORS, Outcome.EXPIRED, "Expired"),
        (Status.ERRORS, Outcome.SKIPPED, "Skipped"),
        (Status.ERRORS, Outcome.MISSED, "Missed"),
    ],
)
def test_the_page_of_an_execution_in_each_state(page_of, status, outcome, text):
    execution = make_execution(status=status, outcome=outcome)
    page = page_of(f"{EXECUTIONS}{execution.pk}/change/", *VIEWER)
    assert text in page
    assert f"Execution #{execution.pk}" in page
    assert str(execution.tracking_id) in page
    assert '<input type="submit"' not in page


def test_fields_of_the_task_that_somebody_has_changed_stand_there_for_who_may_see_the_task(page_of):
    task = make_task(schedule_kind="cron", expression="0 3 * * *")
    make_execution(task, status=Status.COMPLETED, started_at=read_now())
    task = update_task(task, user=make_user(name="anna"), timeout=timedelta(seconds=90), expression="0 4 * * *")
    failed = make_execution(task, status=Status.ERRORS, started_at=read_now())
    page = page_of(f"{EXECUTIONS}{failed.pk}/change/", *VIEWER)
    assert '<th scope="row">Expression</th><td>0 3 * * *</td><td><strong>0 4 * * *</strong></td><td>anna, <time' in page
    assert "<td>—</td><td><strong>1 min 30 s</strong></td>" in page.replace("\xa0", " ")
    page = page_of(f"{EXECUTIONS}{failed.pk}/change/", "view_execution")
    assert "0 4 * * *" not in page
    assert "anna" not in page


def test_results_and_tracebacks_are_for_those_who_may_see_logs(page_of):
    execution = make_execution(
        status=Status.ERRORS,
        error_type="ValueError",
        error_message="<script>alert(1)</script>",
        traceback="Traceback <here>",
        result={"rows": 4711},
    )
    path = f"{EXECUTIONS}{execution.pk}/change/"
    page = page_of(path, *VIEWER)
    assert "ValueError: The message is for those who may see logs." in page
    assert "alert(1)" not in page
    assert "Traceback" not in page
    assert "4711" not in page
    page = page_of(path, *LOG_VIEWER)
    assert "ValueError: &lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "Traceback &lt;here&gt;" in page
    assert "4711" in page


def test_secrets_are_masked(page_of):
    task = make_task(function="testapp.secretive", params={"password": "p4ss", "user": "anna"})
    page = page_of(f"{EXECUTIONS}{make_execution(task).pk}/change/", *LOG_VIEWER)
    assert "p4ss" not in page
    assert "anna" in page
    gone = make_execution(task, function="shop.gone")
    assert "p4ss" not in page_of(f"{EXECUTIONS}{gone.pk}/change/", *LOG_VIEWER)


def test_an_execution_can_be_neither_added_nor_changed(client):
    client.force_login(make_user(superuser=True))
    execution = make_execution()
    assert client.get(f"{EXECUTIONS}add/").status_code == 403
    client.post(f"{EXECUTIONS}{execution.pk}/change/", {"status": "completed"})
    assert Execution.objects.get().status == Status.PENDING


def test_what_has_changed_since_the_last_success_stands_below_what_went_wrong(page_of):
    old, new = make_release("1.4.0"), make_release("1.5 <b>")
    task = make_task(function="testapp.add", params={"a": 1})
    never = make_execution(task, status=Status.ERRORS)
    before = make_execution(task, status=Status.COMPLETED, release=old.key, worker_host="one", params={"a": 1})
    failed = make_execution(task, status=Status.ERRORS, release=new.key, worker_host="two", params={"a": "<i>"})
    page = page_of(f"{EXECUTIONS}{failed.pk}/change/", *VIEWER)
    assert "What has changed since the last success" in page
    assert f'Then: <a href="{EXECUTIONS}{before.pk}/change/">#{before.pk}</a>, <time' in page
    for name, then, now in (
        (">Release", "1.4.0", "1.5 &lt;b&gt;"),
        (' class="dst-mono">a', "1", "&quot;&lt;i&gt;&quot;"),
    ):
        assert f'<th scope="row"{name}</th><td>{then}</td><td><strong>{now}</strong></td>' in page
    assert "<td>one</td><td><strong>two</strong></td>" in page
    assert "The same: Python" in page
    assert f'<a href="{EXECUTIONS}{failed.pk}/compare/?with={before.pk}">Compare with #{before.pk}</a>' in page
    again = make_execution(task, status=Status.ERRORS, release=old.key, worker_host="one", params={"a": 1})
    page = page_of(f"{EXECUTIONS}{again.pk}/change/", *VIEWER)
    assert "Nothing that we record has changed since" in page
    assert "It has never succeeded." in page_of(f"{EXECUTIONS}{never.pk}/change/", *VIEWER)
    assert "since the last success" not in page_of(f"{EXECUTIONS}{before.pk}/change/", *VIEWER)


def test_a_changed_field_that_only_another_release_knows_has_its_plain_name(page_of):
    task, before = make_task(), read_now() - timedelta(minutes=1)
    make_execution(task, status=Status.COMPLETED, triggered_at=before, started_at=before, completed_at=before)
    fields = [{"field": "window", "old": None, "new": "<5 h"}]
    Change.objects.create(task=task.pk, task_name=task.name, at=read_now(), deed="changed", fields=fields)
    failed = make_execution(task, status=Status.ERRORS, started_at=read_now())
    row = '<th scope="row">Window</th><td>—</td><td><strong>&lt;5 h</strong></td>'
    assert row in page_of(f"{EXECUTIONS}{failed.pk}/change/", *VIEWER)


def test_parameters_stand_with_where_they_are_from_and_the_defaults_of_the_function(page_of):
    done = run_once(make_task(function="testapp.add", params={"a": 1, "b": 3}), params={"b": 5}).execution
    page = page_of(f"{EXECUTIONS}{done.pk}/change/", *VIEWER)
    assert cells(page, "a") == ["1", "the task"]
    assert cells(page, "b") == ["5", "this run"]
    assert "As JSON" in page
    done = run_once(make_task(function="testapp.secretive", params={"password": "pa55word"})).execution
    page = page_of(f"{EXECUTIONS}{done.pk}/change/", *VIEWER)
    assert cells(page, "password") == ["••••••••", "the task"]
    assert cells(page, "user") == ["&quot;anna&quot;", "default of the function"]


def test_the_head_says_what_is_usual_and_of_enough_runs_what_19_of_20_took(page_of):
    task, now = make_task(), read_now()
    for seconds in range(1, 11):
        began = now - timedelta(seconds=seconds)
        last = make_execution(task, status=Status.COMPLETED, started_at=began, completed_at=now)
        page = page_of(f"{EXECUTIONS}{last.pk}/change/", *VIEWER).replace("\xa0", " ")
        assert ("19 of 20 within" in page) == (seconds == 10)
    assert "10.0 s" in page
    assert "usually 5.5 s, 19 of 20 within 10.0 s" in page


def test_the_head_says_who_was_told_and_the_tools_acknowledge(page_of, client):
    channel = Channel.objects.create(name="#ops <b>", kind="mail", address="x@example.com")
    task = make_task()
    first, second = (make_execution(task, status=Status.ERRORS) for _ in range(2))
    alert = Alert.objects.create(
        kind="failing",
        task=task,
        task_name=task.name,
        opened_at=read_now(),
        open_key=f"failing:{task.pk}",
        count=2,
        first_execution=first.pk,
        latest_execution=second.pk,
    )
    page = page_of(f"{EXECUTIONS}{second.pk}/change/", *OPERATOR)
    assert "Twice in a row." in page
    assert "Nobody was told." in page
    Notice.objects.create(alert=alert, channel=channel, event="opened", created_at=read_now(), sent_at=read_now())
    assert "#ops &lt;b&gt; was told at " in page_of(f"{EXECUTIONS}{first.pk}/change/", *OPERATOR)
    assert "was told" not in page_of(f"{EXECUTIONS}{first.pk}/change/", "view_execution")
    action = f"/admin/django_scheduled_tasks/alert/{alert.pk}/acknowledge/?execution={second.pk}"
    assert f'action="{action}"' in page
    assert "Acknowledge</button>" not in page_of(f"{EXECUTIONS}{second.pk}/change/", *VIEWER)
    client.force_login(make_user(*OPERATOR))
    assert client.post(action).headers["Location"] == f"{EXECUTIONS}{second.pk}/change/"
    alert.refresh_from_db()
    assert alert.acknowledged_at is not None
    assert "Acknowledge</button>" not in client.get(f"{EXECUTIONS}{second.pk}/change/").content.decode()


def test_the_link_of_the_page_can_be_copied_and_works_without_a_script(page_of):
    execution = make_execution()
    page = page_of(f"{EXECUTIONS}{execution.pk}/change/", *VIEWER)
    assert f'<a class="dst-tool" href="{EXECUTIONS}{execution.pk}/change/" data-dst-copy-link' in page


def test_only_a_script_says_that_the_page_is_live(page_of):
    page = page_of(f"{EXECUTIONS}{make_execution().pk}/change/", *VIEWER)
    assert 'id="dst-live-sign" hidden data-live="Live · updated %s ago"' in page
    assert "dst-live-sign" not in page_of(f"{EXECUTIONS}{make_execution(status=Status.COMPLETED).pk}/change/", *VIEWER)


# --- the log ------------------------------------------------------------------------------------------------------


def log_of(execution: Execution, first: int, last: int, *, dropped: int = 0, text: str = "line") -> None:
    at = read_now()
    rows = [
        ExecutionLog(execution=execution, number=number, logged_at=at, level="INFO", logger="x", message=text)
        for number in range(first, last + 1)
    ]
    if dropped:
        mark = dropped_line(at, dropped)
        rows[len(rows) // 2].logger, rows[len(rows) // 2].message = mark.logger, mark.message
    ExecutionLog.objects.bulk_create(rows)


@pytest.mark.parametrize(
    ("lines", "dropped", "status", "said"),
    [
        (
            5001,
            5001,
            Status.COMPLETED,
            "Only the end is shown. 5,001 lines were dropped; the download has the 5,000 that",
        ),
        (30, 1, Status.COMPLETED, "1 line was dropped; the download has the 29 that were kept."),
        (2001, 0, Status.COMPLETED, "Only the end is shown; all 2,001 lines are in the download."),
        (2001, 0, Status.PROCESSING, "Only the end is shown; what was kept until now is in the download."),
        (30, 0, Status.COMPLETED, ""),
    ],
)
def test_of_a_log_that_is_cut_the_page_says_what_is_true(page_of, lines, dropped, status, said):
    execution = make_execution(status=status)
    log_of(execution, 1, lines, dropped=dropped)
    page = page_of(f"{EXECUTIONS}{execution.pk}/change/", *LOG_VIEWER)
    assert f'in the download.">{said}' in page
    assert said or 'in the download."></p>' in page


def test_the_last_answer_of_the_live_view_says_what_was_dropped(page_of, client):
    execution = make_execution(status=Status.COMPLETED)
    log_of(execution, 1, 30, dropped=7)
    client.force_login(make_user(*LOG_VIEWER))
    answer = client.get(f"{EXECUTIONS}{execution.pk}/live/?log=30")
    assert (answer.status_code, "7 lines were dropped; the download has the 29" in answer.content.decode()) == (
        286,
        True,
    )


def test_what_keeps_no_log_says_so_and_what_never_started_has_no_box_for_one(page_of):
    silent = make_execution(make_task(log_level="none"), status=Status.COMPLETED)
    page = page_of(f"{EXECUTIONS}{silent.pk}/change/", *LOG_VIEWER)
    assert "This task keeps no log." in page
    assert "has not logged anything" not in page
    assert "Download" not in page
    skipped = make_execution(status=Status.ERRORS, outcome=Outcome.SKIPPED, started_at=None)
    assert "dst-log" not in page_of(f"{EXECUTIONS}{skipped.pk}/change/", *LOG_VIEWER)
    assert "Log and result are for those who may see logs." in page_of(f"{EXECUTIONS}{silent.pk}/change/", *VIEWER)


def cells(page: str, name: str) -> list[str]:
    """Return the cells of a row by its heading."""
    row = page[page.index(f'<th scope="row" class="dst-mono">{name}</th>') :].partition("</tr>")[0]
    return re.findall(r"<td[^>]*>(.*?)</td>", row)
