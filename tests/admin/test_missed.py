"""What was missed, in the admin: shown when it was due, made good by one button, wherever it is seen."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Alert, Execution, read_now
from tests.admin.pages import ALERTS, EXECUTIONS, TASKS
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
SAID = "No scheduler ran from 02:47 to 04:12. It was found 1h12m2s after it was due, and its grace is 1h."


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture
def lost(engine):
    """What was due at 03:00 UTC on the first of March, and recorded as missed more than an hour later."""
    task = make_task(name="invoice-run", function="testapp.add", params={"a": 1, "b": 2})
    due = read_now().replace(year=2026, month=3, day=1, hour=3, minute=0, second=0, microsecond=0)
    found = due + timedelta(minutes=72, seconds=2)
    return make_execution(
        task,
        status=Status.ERRORS,
        outcome=Outcome.MISSED,
        error_message=SAID,
        trigger=Trigger.SCHEDULE,
        scheduled_for=due,
        triggered_at=found,
        started_at=None,
        completed_at=found,
    )


@pytest.fixture
def operator(client):
    client.force_login(make_user(*OPERATOR, name="anna"))
    return client


def test_the_list_shows_when_it_was_due_and_why_and_offers_to_run_it_for_then(operator, lost):
    page = operator.get(TASKS).content.decode()
    assert "Due Mar 1, 03:00. No scheduler ran from 02:47 to 04:12." in text_of(page)
    assert "04:12:02" not in page
    run = f"{TASKS}{lost.task_id}/run-once/?again={lost.pk}"
    assert f'formaction="{run}"' in page
    assert (
        f'<a class="dst-door" data-dst-key="R" href="{run}" aria-label="Run once with other parameters: invoice-run">'
        in page
    )
    assert "Run now for Mar 1, 03:00" in text_of(page)


def test_the_button_runs_it_for_then_and_is_gone_once_it_is_made_good(operator, lost):
    run = f"{TASKS}{lost.task_id}/run-once/?again={lost.pk}"
    operator.post(run)
    by = Execution.objects.get(rerun_of=lost)
    assert (by.scheduled_for, by.params) == (lost.scheduled_for, {"a": 1, "b": 2})
    page = text_of(operator.get(TASKS).content.decode())
    assert f"Missed Mar 1, 03:00: #{by.pk} is making it good" in page
    assert "Run now for" not in page
    assert "has been made good by execution" in text_of(operator.post(run, follow=True).content.decode())
    finish(by)
    assert f"Made good by #{by.pk}" in text_of(operator.get(TASKS).content.decode())
    assert Execution.objects.count() == 2


def test_the_live_list_swaps_the_button_as_well(operator, lost):
    run = f"{TASKS}{lost.task_id}/run-once/?again={lost.pk}&back=state%3Dfailing"
    answer = operator.post(run, headers={"HX-Request": "true"}).content.decode()
    assert f"innerHTML:#dst-button-{lost.task_id}" in answer
    assert f"{TASKS}{lost.task_id}/run-once/?back=state%3Dfailing" in answer


def test_its_page_says_why_and_never_what_it_did_not_do(operator, lost):
    page = operator.get(f"{EXECUTIONS}{lost.pk}/change/").content.decode()
    text = text_of(page)
    assert (
        "Due Mar 1, 03:00. No scheduler ran from 02:47 to 04:12. It could start until Mar 1, 04:00 (1 h of grace), so"
        " it was recorded as missed at Mar 1, 04:12."
    ) in text
    order = ["Due", "Recorded", "Late ones start", "Zone", "Why did it not run?", "02:47 A scheduler was seen last."]
    order += ["invoice-run was due.", "Its grace of 1 h was over.", "A scheduler was back.", "nothing else was."]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    for never in ("Started", "Duration", "dst-log", "has not logged anything", "Run again"):
        assert never not in page.split('id="content-main"')[1], never
    assert "Run now for Mar 1, 03:00…" in text
    asks = operator.get(f"{TASKS}{lost.task_id}/run-once/?again={lost.pk}").content.decode()
    assert f"Runs now, as due Mar 1, 03:00: #{lost.pk} was missed then. Its parameters are the task's." in asks
    answer = {"dst_asked": "1", "again": lost.pk, "param-p-a": "5", "param-as_json": "{}", "reason": "late"}
    operator.post(f"{TASKS}{lost.task_id}/run-once/", answer)
    by = Execution.objects.get(rerun_of=lost)
    assert (by.params["a"], by.reason, by.scheduled_for) == (5, "late", lost.scheduled_for)
    finish(by)
    text = text_of(operator.get(f"{EXECUTIONS}{lost.pk}/change/").content.decode())
    assert f"Made good by Execution #{by.pk} : anna, Run now for Mar 1, 03:00, at" in text
    assert "Run now for Mar 1, 03:00…" not in text


def test_the_history_shows_it_when_it_was_due_and_what_made_it_good(operator, lost):
    finish(make_execution(lost.task, scheduled_for=lost.scheduled_for, replay=1))
    page = text_of(operator.get(EXECUTIONS).content.decode())
    assert "Mar 1, 03:00:00" in page
    assert "Mar 1, 04:12" not in page
    assert "No scheduler ran from 02:47 to 04:12. Made good by #" in page


def test_a_missed_alert_offers_it_to_who_may_run_the_task(client, lost):
    Alert.objects.create(
        kind="missed",
        task=lost.task,
        task_name="invoice-run",
        opened_at=read_now(),
        open_key="a",
        latest_execution=lost.pk,
    )
    client.force_login(make_user(*VIEWER))
    page = client.get(ALERTS).content.decode()
    assert "Due Mar 1, 03:00. No scheduler ran from 02:47 to 04:12." in text_of(page)
    assert "Run now for" not in page
    client.force_login(make_user(*OPERATOR))
    page = client.get(ALERTS).content.decode()
    run = f"{TASKS}{lost.task_id}/run-once/?again={lost.pk}"
    assert f'formaction="{run}&amp;from_page=1"' in page
    done = client.post(f"{run}&from_page=1")
    by = Execution.objects.get(rerun_of=lost)
    assert done["Location"] == f"{EXECUTIONS}{by.pk}/change/"
    page = client.get(ALERTS).content.decode()
    assert f"#{by.pk} is making it good" in text_of(page)
    assert "Run now for" not in page


def test_a_task_that_asks_first_asks_here_too(operator, lost):
    lost.task.confirm = True
    lost.task.save()
    run = f"{TASKS}{lost.task_id}/run-once/?again={lost.pk}"
    assert f'href="{run}"' in operator.get(TASKS).content.decode()
    assert operator.post(run)["Location"] == run
    assert not Execution.objects.filter(rerun_of=lost).exists()


def finish(row):
    Execution.objects.filter(pk=row.pk).update(
        status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, started_at=row.triggered_at, completed_at=row.triggered_at
    )
