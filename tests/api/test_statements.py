"""What a trigger and a status read from the database, and when."""

from __future__ import annotations

import pytest
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.lifecycle import Status
from tests.api.conftest import ROOT, client_of
from tests.database import connection
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("called", ["name", "upper case", "id"])
def test_a_status_is_found_by_the_tasks_name_and_by_its_id(renamed, called, django_assert_num_queries):
    task = make_task(name="bill on demand")
    execution = make_execution(task, status=Status.COMPLETED)
    if renamed:
        task.name = task.name_key = "billing"
        task.save()
    address = {"name": task.name, "upper case": task.name.upper(), "id": str(task.pk)}[called]
    client = client_of(user=make_user(superuser=True))
    with django_assert_num_queries(2 if renamed and called != "id" else 1):
        response = client.get(f"{ROOT}/tasks/{address}/status/{execution.tracking_id}/")
    assert response.json()["info"]["trackingId"] == str(execution.tracking_id)


def test_a_deleted_tasks_executions_are_found_by_its_name_alone():
    task = make_task(name="nightly")
    execution = make_execution(task, status=Status.COMPLETED)
    identifier = task.pk
    task.delete()
    viewer = client_of(*VIEWER)
    assert viewer.get(f"{ROOT}/tasks/nightly/status/{execution.tracking_id}/").status_code == 200
    assert viewer.get(f"{ROOT}/tasks/{identifier}/status/{execution.tracking_id}/").status_code == 404


def test_what_is_no_tracking_id_asks_for_the_task_only(django_assert_num_queries):
    make_task(name="nightly")
    client = client_of(user=make_user(superuser=True))
    with django_assert_num_queries(1):
        assert client.get(f"{ROOT}/tasks/nightly/status/nothing/").status_code == 404


def test_permissions_are_read_before_the_task_is_locked(engine):
    make_task(name="nightly")
    client = client_of(*OPERATOR)
    with CaptureQueriesContext(
        connection,
    ) as done:
        assert client.post(f"{ROOT}/tasks/nightly/run-once/").status_code == 202
    tables = [query["sql"] for query in done.captured_queries]
    asked = [number for number, sql in enumerate(tables) if "auth_permission" in sql]
    locked = next(number for number, sql in enumerate(tables) if "name_key" in sql and sql.startswith("SELECT"))
    assert asked
    assert max(asked) < locked
