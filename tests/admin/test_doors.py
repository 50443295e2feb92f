"""Doors of the admin to what REST and Python can do: other parameters, not before, backfill, force stop, retries."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now
from tests.admin.pages import EXECUTIONS, FORM, TASKS
from tests.factories import EDITOR, OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
RANGE = {"start_0": "2026-03-01", "start_1": "00:00", "end_0": "2026-03-03", "end_1": "03:00"}


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture
def task(engine):
    return make_task(
        name="nightly", function="testapp.add", params={"a": 1}, schedule_kind="cron", expression="0 3 * * *"
    )


@pytest.fixture
def operator(client):
    client.force_login(make_user(*OPERATOR, name="anna"))
    return client


# --- with other parameters


def test_a_door_to_the_parameters_stands_beside_run_once_where_the_function_takes_any(operator, task):
    make_task(name="plain", function="testapp.noop")
    page = operator.get(TASKS).content.decode()
    assert page.count("with other parameters…") == 1
    label = "Run once with other parameters: nightly"
    assert f'<a class="dst-door" data-dst-key="R" href="{TASKS}{task.pk}/run-once/" aria-label="{label}">' in page
    page = operator.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert f'<a class="dst-tool" data-dst-key="R" href="{TASKS}{task.pk}/run-once/">With other parameters…</a>' in page


def test_run_once_can_be_told_not_to_start_before_an_instant(operator, task):
    asked = {"dst_asked": "1", "param-as_json": "{}", "param-p-a": "1", "reason": "boss"}
    later = (read_now() + timedelta(days=2)).replace(microsecond=0)
    given = {"not_before_0": f"{later:%Y-%m-%d}", "not_before_1": f"{later:%H:%M:%S}"}
    operator.post(f"{TASKS}{task.pk}/run-once/", asked | given)
    row = Execution.objects.get()
    assert (row.not_before, row.reason) == (later, "boss")
    given["not_before_0"] = "2020-01-01"
    page = text_of(operator.post(f"{TASKS}{task.pk}/run-once/", asked | given).content.decode())
    assert "it is in the past." in page
    assert Execution.objects.count() == 1


# --- backfill


def test_a_backfill_says_first_what_would_start_then_starts_all_of_it_one_at_a_time(operator, task):
    address = f"{TASKS}{task.pk}/backfill/"
    assert f'href="{address}"' in operator.get(f"{TASKS}{task.pk}/change/").content.decode()
    page = text_of(operator.post(address, RANGE).content.decode())
    assert "3 occurrences 3 start. Mar 1, 03:00:00 Mar 2, 03:00:00 Mar 3, 03:00:00" in page
    assert not Execution.objects.exists()
    answer = operator.post(address, RANGE | {"dst_asked": "1", "dst_token": "t", "reason": "late data"}, follow=True)
    assert "Queued 3 executions." in text_of(answer.content.decode())
    rows = list(Execution.objects.order_by("scheduled_for"))
    assert [(row.status, row.reason, row.lock_key) for row in rows] == [
        (Status.PENDING, "late data", f"task:{task.pk}")
    ] * 3
    operator.post(address, RANGE | {"dst_asked": "1", "dst_token": "t", "reason": "late data"})
    assert Execution.objects.count() == 3, "sent twice"
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Backfill: Queued 3 executions."]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (RANGE | {"end_0": "2026-02-01"}, "it is earlier than the beginning."),
        (RANGE | {"end_0": "2999-02-01"}, "it is in the future."),
        ({"start_0": "", "start_1": "", "end_0": "x", "end_1": ""}, "This field is required."),
        (RANGE | {"end_1": "00:00", "end_0": "2026-03-01"}, "Nothing was due then."),
    ],
)
def test_a_range_that_makes_no_sense_is_refused_at_its_field(operator, task, given, said):
    page = operator.post(f"{TASKS}{task.pk}/backfill/", given | {"dst_asked": "1"} if "due" not in said else given)
    assert said in text_of(page.content.decode())
    assert not Execution.objects.exists()


def test_only_who_may_change_a_task_chooses_whether_they_wait_for_each_other(client, operator, task):
    address = f"{TASKS}{task.pk}/backfill/"
    assert "id_overlap" not in operator.get(address).content.decode()
    operator.post(address, RANGE | {"dst_asked": "1", "overlap": "allow"})
    assert set(Execution.objects.values_list("lock_key", flat=True)) == {f"task:{task.pk}"}
    client.force_login(make_user(*EDITOR))
    client.post(address, RANGE | {"dst_asked": "1", "overlap": "allow"})
    assert Execution.objects.filter(lock_key=None).count() == 3
    client.force_login(make_user(*VIEWER))
    assert client.get(address).status_code == 403


# --- force stop


def test_what_does_not_stop_within_ten_seconds_can_be_forced_to(operator, task):
    row = make_execution(task, status=Status.PROCESSING)
    page, cancel = f"{EXECUTIONS}{row.pk}/change/", f"{EXECUTIONS}{row.pk}/cancel/"
    assert "Force stop" not in operator.get(page).content.decode()
    operator.post(cancel, {"force": "1"})
    row.refresh_from_db()
    assert (row.cancel_requested_at is None, row.cancel_force_at) == (False, None), "first it is asked"
    assert "Force stop" not in operator.get(page).content.decode()
    Execution.objects.update(cancel_requested_at=read_now() - timedelta(seconds=11))
    text = text_of(operator.get(page).content.decode())
    assert "Kills the process. What it was doing stays half done; other work of that process is started again." in text
    operator.post(cancel, {"force": "1"})
    row.refresh_from_db()
    assert row.cancel_force_at is not None
    text = text_of(operator.get(page).content.decode())
    assert "Its process is being ended." in text
    assert "Kills the process." not in text
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        f"Cancel: Execution #{row.pk}.",
        f"Force stop: Execution #{row.pk}.",
    ]


# --- retries


def test_the_form_says_which_exceptions_are_retried(client, task):
    client.force_login(make_user(*EDITOR))
    make_execution(task, status=Status.ERRORS, outcome=Outcome.FAILED, error_type="smtplib.SMTPException")
    address = f"{TASKS}{task.pk}/change/"
    assert "Lately: smtplib.SMTPException." in client.get(address).content.decode()
    form = FORM | {"name": "nightly", "function": "testapp.add", "param-p-a": "1", "timezone": "UTC"}
    client.post(address, form | {"retry_on": "ConnectionError, smtplib.SMTPException"})
    assert ScheduledTask.objects.get().retry_on == ["ConnectionError", "smtplib.SMTPException"]
    for wrong in ("ConectionError", "os.path", "json.JSONEncoder", "a b", "int"):
        page = client.post(address, form | {"retry_on": wrong})
        assert f"There is no exception {wrong}." in page.content.decode(), wrong
    client.post(address, form | {"retry_on": "not.imported.Error"})
    assert ScheduledTask.objects.get().retry_on == ["not.imported.Error"]
    client.post(address, form)
    assert ScheduledTask.objects.get().retry_on == []
