"""Health over REST."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Alert, Installation, Presence, PresenceKind, Release, ScheduledTask, read_now
from django_scheduled_tasks.services.alerts import health
from django_scheduled_tasks.services.alerts.deciding.record import open_alert
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.scheduling import presence
from tests.api.conftest import ROOT, codes
from tests.database import counts_statements
from tests.factories import make_execution, make_release, make_task

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(hours=1)


@pytest.fixture(autouse=True)
def running():
    presence.seen(PresenceKind.SCHEDULER)
    presence.seen(PresenceKind.WORKER, queue="default")


@counts_statements
def test_all_is_well(viewer, django_assert_max_num_queries):
    make_task(schedule_kind="interval", expression="1h")
    make_execution(status=Status.PROCESSING)
    make_execution()
    viewer.get(f"{ROOT}/health/")
    with django_assert_max_num_queries(6):
        response = viewer.get(f"{ROOT}/health/")
    assert response.status_code == 200, response.content
    info = response.json()["info"]
    assert (info["schedulers"], info["workerHosts"]) == (1, 1)
    assert info["schedulerSeenAt"].endswith("Z")


def test_no_scheduler_is_503_with_the_reason(viewer):
    Presence.objects.filter(kind=PresenceKind.SCHEDULER).update(last_seen_at=datetime.now(UTC) - LONG_AGO)
    response = viewer.get(f"{ROOT}/health/")
    assert (response.status_code, codes(response)) == (503, [("no_scheduler", "")])


def test_a_clock_of_the_database_that_was_set_back_is_503_with_how_far(viewer):
    make_execution(status=Status.COMPLETED, triggered_at=read_now() + timedelta(minutes=10, seconds=30))
    response = viewer.get(f"{ROOT}/health/")
    assert (response.status_code, codes(response)) == (503, [("clock_behind", "")])
    (item,) = response.json()["errors"]["items"]
    assert re.search(r"clock is at least 10m(29|30)s behind", item["message"])
    assert 600 < item["details"]["seconds"] <= 630


def test_overdue_tasks_are_named(viewer):
    make_task(name="nightly", schedule_kind="interval", expression="1h")
    ScheduledTask.objects.update(next_run_at=datetime.now(UTC) - LONG_AGO)
    response = viewer.get(f"{ROOT}/health/")
    assert (response.status_code, codes(response)) == (503, [("overdue_tasks", "")])
    assert response.json()["errors"]["items"][0]["details"] == {"scheduledTaskNames": ["nightly"]}


def test_what_nobody_claims_and_what_lost_its_lease_is_stuck(viewer):
    old = datetime.now(UTC) - LONG_AGO
    waiting = make_execution(triggered_at=old, submissions=1)
    lost = make_execution(status=Status.PROCESSING, lease_until=old)
    make_execution(triggered_at=old, submissions=1, not_before=datetime.now(UTC) + LONG_AGO)
    response = viewer.get(f"{ROOT}/health/")
    assert (response.status_code, codes(response)) == (503, [("stuck_executions", "")])
    found = response.json()["errors"]["items"][0]["details"]["trackingIds"]
    assert set(found) == {str(waiting.tracking_id), str(lost.tracking_id)}


def test_what_cannot_be_sent_says_that_the_engine_does_not_work(viewer):
    execution = make_execution(triggered_at=datetime.now(UTC) - LONG_AGO)
    response = viewer.get(f"{ROOT}/health/")
    assert (response.status_code, codes(response)) == (503, [("engine_unavailable", "")])
    assert response.json()["errors"]["items"][0]["details"] == {"trackingIds": [str(execution.tracking_id)]}


def test_what_waits_for_its_turn_is_not_stuck(viewer):
    task = make_task()
    make_execution(task, status=Status.PROCESSING, lock_key="k", exclusive_key="k")
    make_execution(task, triggered_at=datetime.now(UTC) - LONG_AGO, lock_key="k")
    assert viewer.get(f"{ROOT}/health/").status_code == 200


# --- releases -----------------------------------------------------------------------------------------------------


def test_two_releases_are_named_and_are_a_problem_only_after_half_an_hour(viewer, settings):
    Presence.objects.update(host="scheduler-a")
    other = make_release("1.5.0", host="worker-2", first_seen_at=read_now())
    Presence.objects.filter(release=other.key).update(started_at=read_now() - timedelta(minutes=12, seconds=5))
    Presence.objects.exclude(release=other.key).update(started_at=read_now() - timedelta(days=3))
    own = Release.objects.exclude(pk=other.pk).get(pk__in=Presence.objects.values("release"))
    response = viewer.get(f"{ROOT}/health/")
    assert response.status_code == 200
    info = response.json()["info"]
    name = own.name or own.key[:8]
    assert info["note"] == f"Two releases run since 12 min: {name} (scheduler-a), 1.5.0 (worker-2)."
    assert [(one["name"], one["hosts"]) for one in info["releases"]] == [
        (name, ["scheduler-a"]),
        ("1.5.0", ["worker-2"]),
    ]
    Presence.objects.filter(release=other.key).update(started_at=read_now() - timedelta(minutes=31))
    response = viewer.get(f"{ROOT}/health/")
    assert (response.status_code, codes(response)) == (503, [("two_releases", "")])


def test_one_release_is_no_news(viewer):
    info = viewer.get(f"{ROOT}/health/").json()["info"]
    assert (len(info["releases"]), info["note"]) == (1, None)


def test_releases_that_are_called_the_same_are_told_apart(viewer):
    first, second = make_release("1.0"), make_release("1.0")
    make_release("2.0")
    info = viewer.get(f"{ROOT}/health/").json()["info"]
    names = {one["name"] for one in info["releases"]}
    assert {f"1.0 {first.key[:8]}", f"1.0 {second.key[:8]}", "2.0"} <= names
    assert info["note"].startswith("4 releases run since 0 min:")


# --- copies --------------------------------------------------------------------------------------------------------


def test_a_copy_is_503_and_nothing_else_is_said_of_it(viewer, settings):
    state.forget()
    state.settle_in()
    Installation.objects.update(environment="production")
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "ENVIRONMENT": "staging"}
    Presence.objects.all().delete()
    state.look()
    response = viewer.get(f"{ROOT}/health/")
    assert response.status_code == 503
    assert codes(response) == [("held_copy", "")]
    (item,) = response.json()["errors"]["items"]
    assert item["details"] == {"cause": "environment", "environment": "production"}
    assert "The setting ENVIRONMENT says “staging”" in item["message"]


def opened(kind: Kind, queue: str = "") -> None:
    now = read_now()
    open_alert(kind, queue=queue, at=now - LONG_AGO, now=now, rules=[])


def test_an_open_alert_about_the_installation_is_503_and_one_about_a_task_is_not(viewer):
    now = read_now()
    open_alert(Kind.FAILING, task=make_task(), at=now, now=now, rules=[])
    assert viewer.get(f"{ROOT}/health/").status_code == 200
    opened(Kind.NO_WORKER, "reports")
    Alert.objects.update(acknowledged_at=now)
    response = viewer.get(f"{ROOT}/health/")
    assert (response.status_code, codes(response)) == (503, [("no_worker", "")])
    (item,) = response.json()["errors"]["items"]
    assert item["details"]["queue"] == "reports"
    assert "reports" in item["message"]


def test_what_health_sees_itself_is_not_said_twice(viewer):
    Presence.objects.filter(kind=PresenceKind.SCHEDULER).update(last_seen_at=datetime.now(UTC) - LONG_AGO)
    opened(Kind.NO_SCHEDULER)
    assert codes(viewer.get(f"{ROOT}/health/")) == [("no_scheduler", "")]


def test_a_load_balancer_is_told_ok_or_not_ok_without_a_login_if_the_project_wants_it(client, settings, monkeypatch):
    monkeypatch.setattr(health, "_remembered", {})
    address = f"{ROOT}/health/ok/"
    assert client.get(address).status_code == 404
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"OPEN_HEALTH": True}
    response = client.get(address)
    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]
    opened(Kind.NO_WORKER, "reports")
    assert client.get(address).status_code == 200, "strangers do not make the database work"
    health._remembered.clear()
    response = client.get(address)
    assert (response.status_code, response.content) == (503, b"not ok")
    assert client.post(address).status_code == 405


def test_strangers_cost_no_statement_for_a_while_and_a_database_that_is_away_is_not_ok(
    client, settings, monkeypatch, django_assert_num_queries
):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"OPEN_HEALTH": True}
    monkeypatch.setattr(health, "_remembered", {})
    client.get(f"{ROOT}/health/ok/")
    with django_assert_num_queries(0):
        client.get(f"{ROOT}/health/ok/")

    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(health, "_remembered", {})
    monkeypatch.setattr(health, "examine", away)
    assert client.get(f"{ROOT}/health/ok/").status_code == 503
