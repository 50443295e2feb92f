"""A project whose router reads from a replica that has nothing yet: what follows a write asks where it was written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from rest_framework.test import APIClient

from django_scheduled_tasks import task as handle
from django_scheduled_tasks.db.connections.alias import write_alias
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, PresenceKind, ScheduledTask
from django_scheduled_tasks.scheduler.tick import tick
from django_scheduled_tasks.services.queries.health import answer as health
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.tasks import edit
from tests.api.conftest import ROOT
from tests.database import ALIAS
from tests.factories import OWNER, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]
REPLICA = "replica"


class Router:
    """Reads of ours go to the replica, which has not even our tables."""

    @staticmethod
    def is_ours(model: Any) -> bool:
        return model._meta.app_label == "django_scheduled_tasks"

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        return REPLICA if self.is_ours(model) else None

    def db_for_write(self, model: Any, **_hints: Any) -> str | None:
        return ALIAS if self.is_ours(model) else None

    def allow_relation(self, *_objects: Any, **_hints: Any) -> bool:
        return True


@pytest.fixture(autouse=True)
def replica(settings, engine) -> Iterator[Any]:
    empty = {**connections.databases[ALIAS], "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}}
    connections.databases[REPLICA] = empty
    settings.DATABASE_ROUTERS = ["tests.test_replica.Router"]
    yield engine
    settings.DATABASE_ROUTERS = []
    connections[REPLICA].close()
    del connections[REPLICA], connections.databases[REPLICA]


@pytest.fixture
def client() -> APIClient:
    found = APIClient()
    found.force_authenticate(make_user(*OWNER))
    return found


def test_the_replica_is_asked_by_whoever_does_not_say_otherwise():
    assert ScheduledTask.objects.db == REPLICA
    assert write_alias() == ALIAS


def test_of_three_at_once_under_skip_one_starts(client):
    task = make_task(overlap="skip")
    answers = [client.post(f"{ROOT}/tasks/{task.name}/run-once/", {}, format="json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 409, 409]
    assert Execution.objects.using(ALIAS).count() == 1


def test_a_key_is_replayed_and_mismatched(client):
    task, key = make_task(overlap="allow"), uuid4().hex

    def call(body: dict[str, Any]) -> int:
        address = f"{ROOT}/tasks/{task.name}/run-once/"
        return client.post(address, body, format="json", headers={"Idempotency-Key": key}).status_code

    assert [call({}), call({}), call({"reason": "other"})] == [202, 200, 422]


def test_status_log_cancel_and_rerun(client, replica):
    task = make_task()
    answer = client.post(f"{ROOT}/tasks/{task.name}/run-once/", {}, format="json")
    number = answer.json()["info"]["trackingId"]
    for address in (
        f"tasks/{task.name}/status/{number}/",
        f"tasks/{task.pk}/status/{number}/?wait=1",
        f"executions/{number}/",
        f"executions/{number}/logs/",
    ):
        assert client.get(f"{ROOT}/{address}").status_code == 200, address
    assert client.post(f"{ROOT}/executions/{number}/cancel/", {}, format="json").status_code == 200
    assert client.post(f"{ROOT}/executions/{number}/rerun/", {}, format="json").status_code == 202
    replica.run_all()
    assert Execution.objects.using(ALIAS).filter(status=Status.COMPLETED).exists()


def test_a_task_is_made_read_changed_paused_replayed_and_deleted(client):
    body = {"name": "nightly", "function": "testapp.noop", "scheduleKind": "cron", "expression": "0 * * * *"}
    assert client.post(f"{ROOT}/tasks/", body, format="json").status_code == 201
    address = f"{ROOT}/tasks/nightly/"
    assert client.get(address).status_code == 200
    assert client.patch(address, {"description": "x"}, format="json").status_code == 200
    assert client.post(f"{address}pause/", {}, format="json").status_code == 200
    assert client.post(f"{address}resume/", {}, format="json").status_code == 200
    assert client.get(f"{address}upcoming/").status_code == 200
    task = ScheduledTask.objects.using(ALIAS).get()
    span = {"from": (task.created_at - timedelta(hours=2)).isoformat(), "to": task.created_at.isoformat()}
    for code in (202, 200):
        answer = client.post(f"{address}backfill/", span, format="json", headers={"Idempotency-Key": "k"})
        assert answer.status_code == code, answer.content
    assert client.delete(address).status_code == 204


def test_python_and_what_runs(replica):
    task = make_task(name="report", pause_after_failures=2, function="testapp.fail", max_attempts=1)
    info, errors = handle("report").run_once()
    assert errors is None
    replica.run_all()
    assert handle("report").get_task_status(info.tracking_id).info.status == "errors"
    assert handle("report").wait(info.tracking_id, timeout=1).info.status == "errors"
    assert handle("report").cancel(info.tracking_id).errors.items[0].code == "not_cancellable"
    edit.delete_task(task)


def test_the_scheduler_and_health(replica):
    presence.seen(PresenceKind.SCHEDULER)
    make_task(schedule_kind="interval", expression="1h")
    ScheduledTask.objects.using(ALIAS).update(next_run_at=presence.last_seen(PresenceKind.SCHEDULER))
    assert tick().executions == 1
    assert [problem.code for problem in health.examine().problems] == []
    replica.run_all()
    assert presence.is_alive(PresenceKind.SCHEDULER)
