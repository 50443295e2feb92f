"""Who is responsible for a task, and what to do when it fails, over REST."""

from __future__ import annotations

import pytest

from tests.api.conftest import ROOT
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def test_contact_and_runbook_are_set_changed_and_filtered_by(editor):
    new = {"name": "mine", "function": "testapp.noop", "contact": "Billing", "runbook": "https://example.com/"}
    made = editor.post(f"{ROOT}/tasks/", new, format="json").json()
    assert (made["contact"], made["runbook"]) == ("Billing", "https://example.com/")
    make_task(name="other")
    found = editor.get(f"{ROOT}/tasks/", {"contact": "billing"}).json()["results"]
    assert [row["name"] for row in found] == ["mine"]
    assert editor.patch(f"{ROOT}/tasks/mine/", {"contact": ""}, format="json").json()["contact"] == ""
    wrong = editor.patch(f"{ROOT}/tasks/mine/", {"contact": "a\nERROR: b", "runbook": "x" * 2_001}, format="json")
    assert wrong.status_code == 400
