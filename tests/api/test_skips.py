"""Skipping over REST."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.api.conftest import ROOT, codes
from tests.factories import make_task

pytestmark = pytest.mark.django_db
SKIP = f"{ROOT}/tasks/hourly/skip/"


def iso(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


@pytest.fixture
def first():
    return make_task(name="hourly", schedule_kind="cron", expression="0 * * * *").next_run_at


def test_runs_are_skipped_and_that_is_taken_back(editor, first):
    later = [first + timedelta(hours=number) for number in range(5)]
    found = editor.post(SKIP, {"reason": "audit"}, format="json").json()
    assert (found["instants"], found["count"], found["nextRunAt"]) == ([iso(first)], 1, iso(later[1]))
    assert editor.get(f"{ROOT}/tasks/hourly/").json()["nextRunAt"] == iso(later[1])
    upcoming = editor.get(f"{ROOT}/tasks/hourly/upcoming/?count=1").json()["upcoming"]
    assert [one["scheduledFor"] for one in upcoming] == [iso(later[1])]
    body = {"from": iso(later[1]), "to": iso(later[2])}
    assert editor.post(SKIP, body, format="json").json()["count"] == 2
    assert editor.post(SKIP, {"at": [iso(later[4])]}, format="json").json()["nextRunAt"] == iso(later[3])
    assert editor.get(f"{ROOT}/tasks/hourly/explain/?at={iso(later[4])}").json()["kind"] == "by_hand"
    undone = editor.delete(f"{SKIP}?at={iso(later[2])}").json()
    assert (undone["instants"], undone["nextRunAt"]) == ([iso(later[1]), iso(later[2])], iso(later[1]))
    assert editor.delete(SKIP).json()["count"] == 2


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"count": 0}, 400, "count"),
        ({"at": ["x"]}, 400, "at.0"),
        ({"at": ["2999-01-01T00:00:07Z"]}, 422, "at"),
        ({"from": "2999-01-01T00:00:00Z"}, 422, "to"),
        ({"wat": 1}, 400, "wat"),
    ],
)
def test_what_makes_no_sense_is_refused(editor, first, body, status, field):
    answer = editor.post(SKIP, body, format="json")
    assert (answer.status_code, codes(answer)) == (status, [("invalid_input", field)])
    assert editor.delete(f"{SKIP}?at=yesterday").status_code == 400
