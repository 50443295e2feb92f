"""The card in a rule's form, the section on a task's page, and the chip in the list."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Alert, AlertRule, Channel, read_now
from tests.admin.alerts.test_strip import text_of
from tests.admin.pages import TASKS
from tests.database import connection
from tests.factories import EDITOR, OWNER, VIEWER, make_execution, make_first_rule, make_task, make_user

pytestmark = pytest.mark.django_db
CARD = reverse("admin:django_scheduled_tasks_alertrule_card")
ADD = reverse("admin:django_scheduled_tasks_alertrule_add")


@pytest.fixture
def digest():
    """A task that failed three times in a row two days ago, and succeeded since."""
    task = make_task(name="send-digest", tags=["billing"])
    now = read_now()
    for hours, outcome in ((60, "succeeded"), (50, "failed"), (49, "failed"), (48, "failed"), (1, "succeeded")):
        at = now - timedelta(hours=hours)
        status = Status.COMPLETED if outcome == "succeeded" else Status.ERRORS
        make_execution(task, status=status, outcome=Outcome(outcome), triggered_at=at, started_at=at, completed_at=at)
    return task


def asked(**values):
    return {"scope": "all", "kinds": ["failing"], "after": 1, "closes_after": 1, "_count": ""} | values


def test_the_card_says_what_the_rule_would_have_told(client, digest):
    client.force_login(make_user(*OWNER))
    said = text_of(client.get(CARD, asked()).content.decode())
    assert "Would have told you once in the last 30 days" in said
    assert "▼ told" in said
    assert re.search(r"told: \w+ \d+ send-digest \(", said)
    assert "final failures of 1 task, by day" in said
    assert "Only 3 days of history." in said
    assert "After 2 instead of at once: once" in said
    said = text_of(client.get(CARD, asked(after=4, kinds=["failing", "late"])).content.decode())
    assert "Would not have told you in the last 30 days" in said
    assert "1 task ran 5 times and failed 3 times." in said
    assert "Not counted, since they leave no trace: Late." in said
    assert "0 tasks ran" in text_of(client.get(CARD, asked(scope="tag", tag="other")).content.decode())


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"kinds": []}, "Choose at least one kind."),
        ({"scope": "tag"}, "Which tag?"),
        ({"scope": "task", "task": "x"}, "Select a valid choice"),
        ({"after": "x"}, "Enter a whole number."),
    ],
)
def test_the_card_says_what_is_missing(client, values, wanted):
    client.force_login(make_user(*OWNER))
    assert wanted in client.get(CARD, asked(**values)).content.decode()


def test_without_a_script_a_button_shows_it_and_saves_nothing(client, digest):
    client.force_login(make_user(*OWNER))
    assert "Choose at least one kind." in client.get(ADD).content.decode()
    assert "Would have told you once" in client.get(f"{ADD}?kinds=failing").content.decode()
    channel = Channel.objects.create(name="ops", kind="mail")
    form = asked(name="night", channels=[channel.pk], after=2, _count="1")
    page = client.post(ADD, form).content.decode()
    assert "Not saved: below is what it would have told." in page
    assert "Would have told you once" in page
    assert not AlertRule.objects.filter(name="night").exists()


def test_the_card_costs_few_statements_and_says_nothing_of_tasks_to_who_may_not_see_them(client, digest):
    client.force_login(make_user("view_alertrule"))
    page = client.get(CARD, asked()).content.decode()
    assert "send-digest" not in page
    assert "0 tasks ran" in page
    client.force_login(make_user(*OWNER))
    client.get(CARD, asked())
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            client.get(CARD, asked())
        counts.append(len(queries))
        for _number in range(5):
            make_execution(make_task(), status=Status.ERRORS)
    assert counts[0] == counts[1] <= 14


def test_a_rule_of_the_code_says_so(client, digest):
    client.force_login(make_user(*OWNER))
    rule = AlertRule.objects.create(name="own", kinds=["failing"], scope="task", task=digest, declared=True)
    change = reverse("admin:django_scheduled_tasks_alertrule_change", args=[rule.pk])
    assert "written in the code of its task" in client.get(change).content.decode()
    AlertRule.objects.update(declared=False)
    assert "written in the code of its task" not in client.get(change).content.decode()


# --- a task's page


def page_of(client, task):
    return text_of(client.get(f"{TASKS}{task.pk}/change/").content.decode())


def test_the_page_of_a_task_says_who_is_told_and_when(client, digest):
    make_first_rule()
    client.force_login(make_user(*EDITOR))
    assert "Fails → ADMINS by mail." in page_of(client, digest)
    AlertRule.objects.all().delete()
    assert "Nobody is told when this task fails." in page_of(client, digest)
    assert "Add alert rule" not in page_of(client, digest)
    client.force_login(make_user(*OWNER))
    url = re.search(r'href="([^"]+alertrule/add/[^"]+)"', client.get(f"{TASKS}{digest.pk}/change/").content.decode())[1]
    form = client.get(url.replace("&amp;", "&")).content.decode()
    assert re.search(r'value="failing"[^>]* checked', form)
    assert "send-digest" in form
    client.force_login(make_user("view_scheduledtask"))
    assert "Who is told" not in page_of(client, digest)


def test_what_a_task_promises_is_entered_in_its_form(client):
    from tests.admin.pages import FORM

    client.force_login(make_user(*OWNER))
    form = FORM | {"must_succeed_every_0": "26", "must_succeed_every_1": "3600", "must_finish_by": "06:00"}
    client.post(f"{TASKS}add/", form)
    from django_scheduled_tasks.models import ScheduledTask

    task = ScheduledTask.objects.get(name=FORM["name"])
    assert task.must_succeed_every == timedelta(hours=26)
    assert f"{task.must_finish_by:%H:%M}" == "06:00"


# --- the chip


def test_the_chip_counts_what_needs_attention_and_so_does_the_tab(client):
    client.force_login(make_user(*VIEWER))
    page = client.get(TASKS).content.decode()
    assert "Needs attention 0" in text_of(page)
    assert "<title>Scheduled tasks" in page
    assert "Nothing needs attention. Show all 1" not in page
    tasks = [make_task(name=f"task-{number}") for number in range(3)]
    for task in tasks[:2]:
        make_execution(task, status=Status.ERRORS)
    Alert.objects.create(
        kind="failing", task=tasks[0], task_name="x", opened_at=read_now(), open_key="x", acknowledged_at=read_now()
    )
    page = client.get(TASKS).content.decode()
    assert "All 3 Needs attention 1 Running 0 Paused 0" in text_of(page)
    assert "<title>(1) Scheduled tasks" in page
    page = client.get(f"{TASKS}?state=needs_attention").content.decode()
    rows = text_of(page[page.index('id="result_list"') :].replace("<wbr>", ""))
    assert ("task-0" in rows, "task-1" in rows) == (False, True)
    assert "Failing 2" in text_of(client.get(f"{TASKS}?state=failing").content.decode())
    Alert.objects.create(
        kind="failing", task=tasks[1], task_name="y", opened_at=read_now(), open_key="y", acknowledged_at=read_now()
    )
    said = text_of(client.get(f"{TASKS}?state=needs_attention").content.decode())
    assert "Nothing needs attention. Show all 3" in said
