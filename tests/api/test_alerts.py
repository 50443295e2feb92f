"""The calls about alerts."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import Alert, read_now
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import OPERATOR, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert():
    task = make_task(name="digest")
    now = read_now()
    Alert.objects.create(
        kind="missed", task=task, task_name="digest", opened_at=now, closed_at=now, closing_execution=9
    )
    return Alert.objects.create(
        kind="failing", task=task, task_name="digest", opened_at=now, open_key="x", count=2, latest_execution=7
    )


def test_an_alert_as_it_is_listed(alert):
    first, second = client_of(*OPERATOR).get(f"{ROOT}/alerts/").json()["results"]
    assert (first["id"], first["kind"], first["isOpen"], first["count"]) == (alert.pk, "failing", True, 2)
    assert first["sentence"] == "2 executions in a row failed; the last one is #7."
    assert (second["isOpen"], second["sentence"]) == (False, "Execution #9 completed.")
    found = client_of(*OPERATOR).get(f"{ROOT}/alerts/{alert.pk}/").json()
    assert found == first


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("open=true", ["failing"]),
        ("open=false", ["missed"]),
        ("kind=missed,late", ["missed"]),
        ("task=digest", ["failing", "missed"]),
        ("task=other", []),
        ("acknowledged=true", []),
    ],
)
def test_filters(alert, query, kinds):
    found = client_of(*OPERATOR).get(f"{ROOT}/alerts/?{query}").json()["results"]
    assert [one["kind"] for one in found] == kinds
    found = client_of(*OPERATOR).get(f"{ROOT}/alerts/?task={alert.task_id}").json()["results"]
    assert len(found) == 2


def test_to_acknowledge_names_who_did_so_first(alert):
    first, second = make_user(*OPERATOR), make_user(*OPERATOR)
    for user in (first, second):
        found = client_of(user=user).post(f"{ROOT}/alerts/{alert.pk}/acknowledge/", {}, format="json").json()
        assert found["acknowledgedBy"] == first.get_username()


def test_to_silence_until_an_instant_that_is_ahead_and_to_end_it(alert):
    address, client = f"{ROOT}/alerts/{alert.pk}/silence/", client_of(*OPERATOR)
    found = client.post(address, {"until": "2100-01-01T00:00:00Z"}, format="json").json()
    assert found["silencedUntil"] == "2100-01-01T00:00:00.000Z"
    assert client.post(address, {"until": None}, format="json").json()["silencedUntil"] is None
    for until, status in [("2020-01-01T00:00:00Z", 422), ("9999-01-01T00:00:00Z", 400)]:
        response = client.post(address, {"until": until}, format="json")
        assert (response.status_code, codes(response)) == (status, [("invalid_input", "until")])


def test_to_acknowledge_with_a_comment_and_to_undo_it(alert):
    address, client = f"{ROOT}/alerts/{alert.pk}", client_of(*OPERATOR)
    found = client.post(f"{address}/acknowledge/", {"comment": " known "}, format="json").json()
    assert (found["comment"], found["acknowledgedAt"] is not None) == ("known", True)
    found = client.post(f"{address}/unacknowledge/", {}, format="json").json()
    assert (found["comment"], found["acknowledgedAt"], found["acknowledgedBy"]) == ("", None, None)
    response = client.post(f"{address}/acknowledge/", {"comment": "x" * 501}, format="json")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "comment")])


def test_to_close_by_hand_and_why_it_is_silent(alert):
    address, user = f"{ROOT}/alerts/{alert.pk}", make_user(*OPERATOR)
    body = {"until": "2100-01-01T00:00:00Z", "reason": "stock-taking"}
    assert (
        client_of(user=user).post(f"{address}/silence/", body, format="json").json()["silenceReason"] == body["reason"]
    )
    found = client_of(user=user).post(f"{address}/close/", {"comment": "known"}, format="json").json()
    assert (found["isOpen"], found["closedByHand"], found["closedBy"]) == (False, True, user.get_username())
    assert found["sentence"] == f"Closed by {user}: “known”."
    assert client_of(user=user).post(f"{address}/close/", {}, format="json").status_code == 409


def test_of_one_that_is_over_nothing_is_to_be_known(alert):
    closed = Alert.objects.get(kind="missed")
    client = client_of(*OPERATOR)
    for call, body in [("acknowledge", {}), ("silence", {"until": None})]:
        response = client.post(f"{ROOT}/alerts/{closed.pk}/{call}/", body, format="json")
        assert (response.status_code, codes(response)) == (409, [("alert_closed", "")])
    assert client.get(f"{ROOT}/alerts/x/").status_code == 404


def test_who_may_not_see_a_task_does_not_see_its_alerts(alert):
    client = client_of("view_alert", "change_alert")
    Alert.objects.create(kind="stuck", queue="mail", opened_at=read_now(), open_key="y")
    assert [row["kind"] for row in client.get(f"{ROOT}/alerts/").json()["results"]] == ["stuck"]
    assert client.get(f"{ROOT}/alerts/{alert.pk}/").status_code == 404
    assert client.post(f"{ROOT}/alerts/{alert.pk}/acknowledge/").status_code == 404
    alert.refresh_from_db()
    assert alert.acknowledged_at is None
