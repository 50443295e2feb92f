"""The filtered history as a file."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Status, Trigger
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.services.queries.executions import export
from tests.admin.pages import EXECUTIONS
from tests.factories import VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
EXPORTER = (*VIEWER, "export_executions")
FILE = f"{EXECUTIONS}export/"


@pytest.fixture
def rows() -> None:
    now, anna = read_now(), make_user(name="anna")
    task = make_task(name="Nightly", function="testapp.secretive", params={"password": "pa55word", "user": "ü"})
    began = now - timedelta(seconds=2)
    done = {"status": Status.COMPLETED, "started_at": began, "completed_at": now}
    make_execution(task, triggered_by=anna, trigger=Trigger.ADMIN, reason="=HYPERLINK(1)", **done)
    make_execution(task, status=Status.ERRORS, error_type="ValueError", error_message="It broke.\nReally.")
    make_execution(make_task(name="Other"))


def export_of(client, query: str = "", *permissions: str) -> str:
    client.force_login(make_user(*(permissions or EXPORTER)))
    response = client.get(f"{FILE}?{query}")
    assert response.status_code == 200
    return response.getvalue().decode()


def test_csv_and_json_have_the_rows_of_the_filtered_list(client, rows):
    _other, failed, done = json.loads(export_of(client, "format=json"))
    assert (done["scheduledTaskName"], done["triggeredBy"], done["seconds"]) == ("Nightly", "anna", 2.0)
    assert (done["reason"], done["outcome"], done["params"]["user"]) == ("=HYPERLINK(1)", "succeeded", "ü")
    assert failed["errorType"] == "ValueError"
    header, line = csv.reader(io.StringIO(export_of(client, "format=csv&status=completed")))
    assert dict(zip(header, line, strict=True))["reason"] == "'=HYPERLINK(1)"
    assert [row["scheduledTaskName"] for row in json.loads(export_of(client, "format=json&task=Other"))] == ["Other"]
    assert [row["id"] for row in json.loads(export_of(client, "format=json&q=broke"))] == []
    assert [row["id"] for row in json.loads(export_of(client, "format=json&q=ValueError"))] == [failed["id"]]


def test_secrets_and_what_functions_said_are_shown_as_on_the_pages(client, rows):
    for kind in ("csv", "json"):
        text = export_of(client, f"format={kind}")
        assert "pa55word" not in text
        assert "It broke." not in text
        assert "The message is for those who may see logs." in text
        text = export_of(client, f"format={kind}", *EXPORTER, "view_execution_logs")
        assert "It broke." in text
        assert "Really." not in text


@pytest.mark.parametrize("query", ["", "when=7d", "task=Nightly", "by=anna"])
def test_all_rows_are_there_whatever_the_parts(client, monkeypatch, query):
    monkeypatch.setattr(export, "PART", 3)
    task, now, anna = make_task(name="Nightly"), read_now(), make_user(name="anna")
    made = [
        make_execution(task, triggered_by=anna, triggered_at=now - timedelta(seconds=number // 4))
        for number in range(8)
    ]
    found = [row["id"] for row in json.loads(export_of(client, f"format=json&{query}"))]
    assert sorted(found) == [row.pk for row in made]
    assert len(set(found)) == len(found)
    monkeypatch.setattr(export, "MOST_EXPORTED", 5)
    assert [row["id"] for row in json.loads(export_of(client, f"format=json&{query}"))] == found[:5]


def test_it_needs_a_permission_of_its_own_and_only_then_is_offered(client, page_of):
    make_execution()
    assert "export/?format=csv" not in page_of(EXECUTIONS, *VIEWER)
    assert client.get(FILE).status_code == 403
    page = page_of(f"{EXECUTIONS}?status=pending", *EXPORTER)
    assert f'href="{FILE}?status=pending&amp;format=csv" download>CSV</a>' in page
    client.force_login(make_user("export_executions"))
    assert client.get(FILE).status_code == 403


def test_another_format_is_404_and_a_page_that_is_not_there_leads_back(client):
    client.force_login(make_user(*EXPORTER))
    assert client.get(f"{FILE}?format=xls").status_code == 404
    assert client.get(f"{FILE}?p=99").url == EXECUTIONS
