"""Check-ins, by the real SDK, to a server that stands for Sentry."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import threading
from datetime import timedelta

import pytest
import sentry_sdk
from django.db import OperationalError

from django_scheduled_tasks.alerting import Kind, Terms
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import AlertRule
from django_scheduled_tasks.services.alerts.monitors import lines, sentry
from django_scheduled_tasks.services.alerts.monitors.sentry import monitor_config, slug_of_monitor
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_task
from tests.services.alerts.help import make_rule
from tests.services.alerts.receivers import HANG

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]
FINE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def sdk(serve, listening, monkeypatch):
    """Start a server, and let the SDK send to it what it is told of tasks."""

    def start(answer=FINE, names=("*",)):
        server = serve(answer)
        sentry_sdk.init(
            f"http://key@127.0.0.1:{server.port}/7", default_integrations=False, auto_enabling_integrations=False
        )
        listening(SENTRY_MONITORS=names)
        return server

    yield start
    sentry_sdk.get_client().close(timeout=0.1)
    sentry_sdk.Scope.get_global_scope().set_client(None)


def heard(server):
    """Return the check-ins that the server got."""
    lines.end()
    sentry_sdk.flush(timeout=30)
    found = []
    for _line, headers, body in server.requests:
        text = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        found += [item for item in map(json.loads, text.splitlines()) if "check_in_id" in item]
    return found


def test_begin_and_end_are_one_check_in_with_the_schedule_and_the_thresholds_of_the_rules(sdk, engine):
    AlertRule.objects.all().delete()
    make_rule(Kind.FAILING, after=3, closes_after=2)
    task = make_task(
        name="Send digest",
        schedule_kind="cron",
        expression="0 6 * * 1-5",
        timezone="Europe/Berlin",
        max_runtime=timedelta(seconds=90),
    )
    server = sdk()
    execution = run_once(task).execution
    engine.run_all()
    begin, end = heard(server)
    assert (begin["monitor_slug"], begin["status"]) == ("send-digest", "in_progress")
    assert (end["monitor_slug"], end["status"]) == ("send-digest", "ok")
    assert begin["check_in_id"] == end["check_in_id"] == execution.tracking_id.hex
    assert begin["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 6 * * 1-5"},
        "timezone": "Europe/Berlin",
        "checkin_margin": 5,
        "max_runtime": 2,
        "failure_issue_threshold": 3,
        "recovery_threshold": 2,
    }


def test_a_failure_is_an_error_and_a_task_that_is_not_named_is_none(sdk, engine):
    server = sdk(names=("bad",))
    for name in ("bad", "good"):
        run_once(make_task(name=name, function="testapp.fail"))
        engine.run_all()
    assert [(one["monitor_slug"], one["status"]) for one in heard(server)] == [("bad", "in_progress"), ("bad", "error")]


def test_a_sentry_that_hangs_holds_up_nothing(sdk, engine):
    sdk(HANG)
    execution = run_once(make_task()).execution
    engine.run_all()
    execution.refresh_from_db()
    assert (execution.status, execution.outcome) == (Status.COMPLETED, Outcome.SUCCEEDED)


def test_task_and_rules_are_read_once_in_a_while_by_the_thread_alone(sdk, engine, monkeypatch):
    reads = []
    read = sentry.read_rules
    monkeypatch.setattr(sentry, "read_rules", lambda: reads.append(threading.current_thread()) or read())
    task = make_task(schedule_kind="interval", expression="1h")
    server = sdk()
    for _ in range(2):
        run_once(task)
        engine.run_all()
    found = heard(server)
    assert [one["monitor_config"]["schedule"]["value"] for one in found] == [1] * 4
    assert len(reads) == 1
    assert reads[0] is not threading.current_thread()


def test_a_database_that_does_not_answer_is_asked_again_later_and_no_reason_to_say_nothing(sdk, engine, monkeypatch):
    reads = []

    def read():
        reads.append(1)
        raise OperationalError

    monkeypatch.setattr(sentry, "read_rules", read)
    server = sdk()
    run_once(make_task(schedule_kind="interval", expression="1h"))
    engine.run_all()
    found = heard(server)
    assert [(one["status"], "monitor_config" in one) for one in found] == [("in_progress", False), ("ok", False)]
    assert len(reads) == 1


@pytest.mark.parametrize("missing", ["the library", "its init"])
def test_what_is_missing_is_logged(listening, engine, monkeypatch, caplog, missing):
    if missing == "the library":
        monkeypatch.setattr(sentry, "import_module", lambda _name: (_ for _ in ()).throw(ImportError()))
    listening(SENTRY_MONITORS=("*",))
    run_once(make_task())
    engine.run_all()
    lines.end()
    said = "sentry-sdk is not installed" if missing == "the library" else "Is sentry_sdk.init called"
    assert said in caplog.text


@pytest.mark.parametrize(
    ("kind", "expression", "schedule"),
    [
        ("cron", "@daily", {"type": "crontab", "value": "@daily"}),
        ("cron", "0 0 6 * * *", None),
        ("interval", "2d", {"type": "interval", "value": 2, "unit": "day"}),
        ("interval", "36h", {"type": "interval", "value": 36, "unit": "hour"}),
        ("interval", "90m", {"type": "interval", "value": 90, "unit": "minute"}),
        ("interval", "90s", None),
        ("weeks", "2w mon 09:00", {"type": "interval", "value": 14, "unit": "day"}),
        ("workday", "last 17:00", None),
        ("manual", "", None),
    ],
)
def test_schedules_as_sentry_has_them(kind, expression, schedule):
    task = make_task(
        schedule_kind=kind, expression=expression, spread=timedelta(seconds=61), timeout=timedelta(hours=1)
    )
    found = monitor_config(task, Terms())
    assert (found and found["schedule"]) == schedule
    if found:
        assert (found["checkin_margin"], found["max_runtime"]) == (7, 60)


def test_slugs_are_what_sentry_takes():
    assert slug_of_monitor("2107") == "task-2107"
    long = [slug_of_monitor("a" * 60 + end) for end in "bc"]
    assert [len(slug) for slug in long] == [50, 50]
    assert long[0] != long[1]


def test_a_worker_that_ends_lets_the_sdk_send_first_what_waits(sdk):
    server = sdk()

    def work():
        sentry._send("x", "0" * 32, "ok", None)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert [one["status"] for one in heard(server)] == ["ok"]


def test_of_many_tasks_the_oldest_are_forgotten(listening, monkeypatch):
    monkeypatch.setattr(sentry, "MOST_KNOWN", 2)
    for number in range(3):
        assert sentry.configs.of(make_task(name=f"task-{number}").pk) is None
    assert len(sentry.configs._known) == 1
