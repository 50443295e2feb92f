"""The history."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.admin import ExecutionAdmin, ScheduledTaskAdmin
from django_scheduled_tasks.admin.executions.list import filters
from django_scheduled_tasks.lifecycle import Status, Trigger
from django_scheduled_tasks.services.queries.executions import search
from tests.admin.pages import EXECUTIONS, TASKS
from tests.factories import LOG_VIEWER, OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_the_history(page_of):
    execution = make_execution(make_task(name="Nightly"), status=Status.ERRORS, error_message="No paper.\nReally.")
    page = page_of(EXECUTIONS, *LOG_VIEWER)
    for text in (f"#{execution.pk}", "Nightly", "No paper.", "Failed"):
        assert text in page
    assert "Really." not in page


def test_each_filter_has_what_themes_of_the_admin_ask_it_for():
    for found in (ExecutionAdmin.list_filter, ScheduledTaskAdmin.list_filter):
        assert all(getattr(item, "parameter_name", "") for item in found)


def numbers(client, **query: str) -> list[int]:
    return [row.pk for row in client.get(EXECUTIONS, query).context["cl"].result_list]


def test_a_search_finds_reasons_and_parameters_but_no_secrets(client):
    task = make_task(name="Nightly", function="testapp.secretive", params={"password": "pa55word", "user": "Jürgen"})
    found = make_execution(task, reason="re-send after the outage")
    make_execution()
    client.force_login(make_user(*VIEWER))
    for text in ("OUTAGE", "jürgen", "user", "night"):
        assert numbers(client, q=text) == [found.pk], text
    for text in ("pa55word", "pa55", "nothing"):
        assert numbers(client, q=text) == [], text


def test_a_search_looks_at_the_newest_and_at_some_of_each_task_that_is_called_so(client, monkeypatch):
    old = make_execution(make_task(name="Nightly"), reason="audit")
    older = make_execution(old.task)
    new = make_execution(reason="audit")
    monkeypatch.setattr(search, "SEARCHED", 1)
    client.force_login(make_user(*VIEWER))
    assert numbers(client, q="audit") == [new.pk]
    assert numbers(client, q="nightly") == [older.pk, old.pk]
    monkeypatch.setattr(search, "OF_EACH", 1)
    assert numbers(client, q="nightly") == [older.pk]
    assert numbers(client, q="audit", task="Nightly") == []


def test_the_history_can_be_limited_to_what_a_person_has_started(client, page_of):
    anna = make_user(*VIEWER, name="anna")
    mine, _others = make_execution(triggered_by=anna), make_execution()
    by_ben = make_execution(triggered_by=make_user(name="ben"))
    client.force_login(anna)
    assert numbers(client, by="ben") == [by_ben.pk]
    assert numbers(client, by="nobody") == []
    assert numbers(client, by="anna", status="pending") == [mine.pk]
    page = client.get(EXECUTIONS, {"by": "ben", "status": "pending"}).content.decode()
    assert 'name="by" value="ben"' in page
    assert '<a href="?by=anna&amp;status=pending"' in page or '<a href="?status=pending&amp;by=anna"' in page
    assert '<input type="hidden" name="status" value="pending">' in page


def test_the_field_for_a_task_shows_its_name_also_when_it_is_given_by_its_id(page_of, monkeypatch):
    monkeypatch.setattr(filters, "FEW_TASKS", 1)
    task, _other = make_task(name="Nightly"), make_task()
    make_execution(task)
    for given in (task.pk, "Nightly"):
        page = page_of(f"{EXECUTIONS}?task={given}&trigger=python", *VIEWER)
        assert '<input type="search" name="task" value="Nightly"' in page
        assert '<input type="hidden" name="trigger" value="python">' in page
    gone = page_of(f"{EXECUTIONS}?task=0197c0a1-1111-7222-8333-944455566677", *VIEWER)
    assert '<input type="search" name="task" value=""' in gone


def test_the_bars_have_an_axis_a_range_and_a_legend(page_of):
    make_execution(status=Status.COMPLETED)
    make_execution(status=Status.ERRORS)
    page = page_of(EXECUTIONS, *VIEWER)
    assert page.count("<span>", page.index('"dst-axis"'), page.index('"dst-legend"')) == 5
    legend = page[page.index('class="dst-legend"') :].partition("</p>")[0]
    for text in ("1 completed, up", "1 failed, down", "0 others", "A bar is 1 h; the tallest has 1."):
        assert text in legend.replace("\xa0", " "), legend
    found = page_of(f"{EXECUTIONS}?q=python&when=7d", *VIEWER)
    assert "Nothing matches." in found
    make_execution(reason="python", status=Status.COMPLETED)
    assert "1 completed, up" in page_of(f"{EXECUTIONS}?q=python&when=7d", *VIEWER)


def test_what_is_cancelled_is_told_from_what_is_asked_to_stop(client):
    client.force_login(make_user(*OPERATOR))
    waiting, running, ended = (
        make_execution(status=status) for status in (Status.PENDING, Status.PROCESSING, Status.COMPLETED)
    )
    data = {"action": "cancel_selected", "_selected_action": [waiting.pk, running.pk, ended.pk]}
    page = client.post(EXECUTIONS, data, follow=True).content.decode()
    assert f'Cancelled 1 execution: <strong><a href="{EXECUTIONS}{waiting.pk}/change/">#{waiting.pk}</a>' in page
    assert f'Asked 1 execution to stop: <strong><a href="{EXECUTIONS}{running.pk}/change/">#{running.pk}</a>' in page
    assert f'Not cancelled: <a href="{EXECUTIONS}{ended.pk}/change/">#{ended.pk}</a> (it has ended).' in page


def test_what_the_admin_runs_again_is_recorded_as_that_and_not_as_run_once(client, engine):
    user = make_user(*OPERATOR)
    client.force_login(user)
    task = make_task(overlap="allow")
    earlier = make_execution(task, status=Status.ERRORS)
    client.post(EXECUTIONS, {"action": "run_again_selected", "_selected_action": earlier.pk})
    client.post(f"{TASKS}{task.pk}/run-once/", {"again": earlier.pk, "dst_asked": "1", "param-as_json": "{}"})
    again = task.executions.filter(rerun_of=earlier)
    assert list(again.values_list("trigger", "triggered_by")) == [(Trigger.RERUN, user.pk)] * 2
