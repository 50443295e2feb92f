"""Many executions with one call over REST."""

from __future__ import annotations

from typing import Any

import pytest

from django_scheduled_tasks.models import Execution
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import OPERATOR, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Any:
    return client_of(*OPERATOR)


def post(client, task, body, **headers):
    return client.post(f"{ROOT}/tasks/{task.name}/run-many/", body, format="json", headers=headers)


def test_each_item_is_an_envelope_of_its_own(client, engine):
    task = make_task(name="sum", function="testapp.add", params={"a": 1, "b": 2}, overlap="allow")
    response = post(client, task, {"params": [{"a": 3}, {"a": "x"}, {}], "reason": "catch up"})
    assert response.status_code == 202
    info = response.json()["info"]
    assert (info["started"], info["refused"]) == (2, 1)
    assert [item["info"] is not None for item in info["items"]] == [True, False, True]
    (wrong,) = info["items"][1]["errors"]["items"]
    assert (wrong["code"], wrong["details"]["field"]) == ("invalid_parameters", "a")
    tracking_ids = [item["info"]["trackingId"] for item in info["items"] if item["info"]]
    assert [str(row.tracking_id) for row in Execution.objects.order_by("id")] == tracking_ids
    assert set(Execution.objects.values_list("trigger", "reason")) == {("api", "catch up")}


def test_the_same_key_starts_them_once(client, engine):
    task = make_task(overlap="allow")
    first, second = (post(client, task, {"params": [{}, {}]}, idempotency_key="k") for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.json() == second.json()
    assert Execution.objects.count() == 2


def test_more_than_a_thousand_and_what_is_no_object_are_refused_as_a_whole(client, engine):
    task = make_task(overlap="allow")
    assert post(client, task, {"params": [{}] * 1001}).status_code == 400
    response = post(client, task, {"params": [{}, 1]})
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "params.1")])
    assert not Execution.objects.exists()


def test_another_overlap_rule_needs_the_permission_to_change_the_task(client, engine):
    assert post(client, make_task(), {"params": [{}], "overlap": "allow"}).status_code == 403
