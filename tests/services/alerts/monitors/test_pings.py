"""Pings of the Healthchecks kind, to servers that answer, fail and hang."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from datetime import timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import frozen_at, read_now, write_alias
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.services.alerts import monitors
from django_scheduled_tasks.services.alerts.monitors import lines
from django_scheduled_tasks.services.alerts.monitors.lines import line
from django_scheduled_tasks.services.alerts.monitors.pings import slug_of
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.installation.verdict import Cause
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.signals import execution_finished
from tests.cluster import wait_until
from tests.factories import make_execution, make_task
from tests.services.alerts.receivers import ERROR, HANG, OK

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]
SECRET = "very-secret"


@pytest.fixture
def healthchecks(serve, listening, monkeypatch):
    """Start a server, to which the pings of all tasks go."""

    def start(answer=OK, path=f"/{SECRET}/{{slug}}", names=("*",)):
        server = serve(answer)
        monkeypatch.setenv("HC_URL", f"http://127.0.0.1:{server.port}{path}")
        listening(PINGS=dict.fromkeys(names, "HC_URL"))
        return server

    return start


def heard(server):
    """Return what the server was asked for, after the lines have ended."""
    lines.end()
    return [line.removesuffix(" HTTP/1.1") for line, _headers, _body in server.requests]


def test_begin_and_end_are_told_and_cost_no_statement(healthchecks, engine):
    def statements():
        execution = run_once(task).execution
        with CaptureQueriesContext(connections[write_alias()]) as queries:
            execute(str(execution.tracking_id))
        return len(queries), execution

    task = make_task(name="Send digest")
    statements()
    before, _execution = statements()
    server = healthchecks()
    after, execution = statements()
    assert after == before
    start, success = heard(server)
    assert start == f"GET /{SECRET}/send-digest/start?rid={execution.tracking_id}"
    assert success == f"GET /{SECRET}/send-digest?rid={execution.tracking_id}"


def test_a_failure_is_told_once_it_is_final(healthchecks, engine):
    task = make_task(name="bad", function="testapp.fail", max_attempts=2, min_backoff=timedelta(seconds=1))
    server = healthchecks()
    execution = run_once(task).execution
    for seconds in (0, 2):
        with frozen_at(read_now() + timedelta(seconds=seconds)):
            execute(str(execution.tracking_id))
    begin, end = f"GET /{SECRET}/bad/start", f"GET /{SECRET}/bad/fail"
    assert [line.partition("?")[0] for line in heard(server)] == [begin, begin, end]


@pytest.mark.parametrize(
    ("outcome", "has_started", "told"),
    [
        (Outcome.SUCCEEDED, True, [""]),
        (Outcome.WORKER_LOST, True, ["/fail"]),
        (Outcome.TIMED_OUT, True, ["/fail"]),
        (Outcome.CANCELLED, True, ["/fail"]),
        (Outcome.CANCELLED, False, []),
        (Outcome.EXPIRED, False, []),
    ],
)
def test_what_is_told_of_an_end_by_whichever_process_writes_it(healthchecks, outcome, has_started, told):
    server = healthchecks(path="/x?create=1")
    status = Status.COMPLETED if outcome == Outcome.SUCCEEDED else Status.ERRORS
    now = read_now()
    row = make_execution(
        make_task(), status=status, outcome=outcome, started_at=now if has_started else None, completed_at=now
    )
    execution_finished.send(type(row), execution=row)
    assert heard(server) == [f"GET /x{path}?create=1&rid={row.tracking_id}" for path in told]


def test_only_tasks_that_are_named_are_told_of_and_a_name_wins_over_a_pattern(
    healthchecks, engine, monkeypatch, settings
):
    server = healthchecks(names=("report-*",))
    settings.SCHEDULED_TASKS["PINGS"] = {"report-*": "HC_URL", "report-b": "HC_B"}
    monkeypatch.setenv("HC_B", f"http://127.0.0.1:{server.port}/b")
    for name in ("report-a", "report-b", "other"):
        run_once(make_task(name=name))
        engine.run_all()
    paths = [line.partition("?")[0] for line in heard(server)]
    assert paths == [f"GET /{SECRET}/report-a/start", f"GET /{SECRET}/report-a", "GET /b/start", "GET /b"]


def test_a_copy_does_not_speak_for_its_original(healthchecks, engine):
    server = healthchecks()
    row = make_execution(make_task(), status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, completed_at=read_now())
    state.suppose(state.Standing(cause=Cause.ENVIRONMENT))
    execution_finished.send(type(row), execution=row)
    assert heard(server) == []


def test_a_monitor_that_hangs_holds_up_nobody(healthchecks, engine, settings, monkeypatch):
    server = healthchecks(HANG)
    settings.SCHEDULED_TASKS["ALERT_TIMEOUT"] = timedelta(seconds=30)
    monkeypatch.setattr(lines, "AT_THE_END", 0.0)
    task = make_task()
    for _ in range(3):
        execution = run_once(task).execution
        engine.run_all()
        execution.refresh_from_db()
        assert execution.outcome == Outcome.SUCCEEDED
    assert len(server.requests) <= 1, "the first begin is still being told"


def test_a_monitor_that_fails_is_logged_once_without_its_address(healthchecks, engine, caplog):
    caplog.set_level(logging.DEBUG)
    server = healthchecks(ERROR)
    for _ in range(2):
        run_once(make_task())
        engine.run_all()
    assert len(heard(server)) == 4
    logged = [record.getMessage() for record in caplog.records if "monitor" in record.name]
    assert logged == ["The monitor HC_URL is not told of everything: HTTP 500"]
    assert SECRET not in caplog.text


def test_of_more_than_a_line_holds_the_newest_are_dropped(healthchecks, monkeypatch, caplog):
    monkeypatch.setattr(lines, "MOST_WAITING", 2)
    monkeypatch.setattr(lines, "AT_THE_END", 0.0)
    server = healthchecks(HANG)
    row = make_execution(make_task(), status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, completed_at=read_now())
    for _ in range(9):
        execution_finished.send(type(row), execution=row)
    assert "too much waits" in caplog.text
    assert len(heard(server)) <= 3


def test_what_is_not_taken_is_tried_again(serve, listening, monkeypatch):
    listening()
    monkeypatch.setattr(lines, "WAITS", (0.01, 0.01))
    server = serve(ERROR)
    monkeypatch.setenv("HC", f"http://127.0.0.1:{server.port}/x")
    monitors.pings.ping("HC", slug="x")
    wait_until(lambda: len(server.requests) == 3, what="it is tried three times")


@pytest.mark.parametrize("value", ["", f"ftp://{SECRET}", SECRET])
def test_a_name_that_leads_to_no_url_is_logged(healthchecks, monkeypatch, caplog, value):
    healthchecks()
    monkeypatch.setenv("HC_URL", value)
    row = make_execution(make_task(), status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, completed_at=read_now())
    execution_finished.send(type(row), execution=row)
    assert "The monitor HC_URL is not told of everything" in caplog.text
    assert SECRET not in caplog.text


def test_the_scheduler_says_that_it_is_alive(serve, listening, monkeypatch):
    server = serve()
    monkeypatch.setenv("HC_SCHEDULER", f"http://127.0.0.1:{server.port}/alive")
    monitors.scheduler_is_alive()
    listening(SCHEDULER_PING="HC_SCHEDULER")
    monitors.scheduler_is_alive()
    assert heard(server) == ["GET /alive"]


def test_slugs_are_what_monitors_take():
    found = [slug_of(name) for name in ("Send digest", "a_b-c", "größe 7", "日本")]
    assert found == ["send-digest", "a_b-c", "gr-e-7", "task"]


def test_a_process_that_was_forked_and_ends_says_first_what_waits():
    reading, writing = os.pipe()

    def work():
        line("host", "name").say(lambda: (time.sleep(0.05), os.write(writing, b"told")))

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    os.close(writing)
    child.join()
    assert os.read(reading, 9) == b"told"
    os.close(reading)


def test_of_what_else_goes_wrong_only_its_name_is_logged(listening, caplog):
    listening()
    line("host", "name").say(lambda: {}[SECRET])
    lines.end()
    assert "The monitor name is not told of everything: KeyError" in caplog.text
    assert SECRET not in caplog.text
