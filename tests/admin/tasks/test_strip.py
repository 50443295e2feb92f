"""The strip of a day, the page of what comes, and the cells of the list: what is frequent leaves room for the rest."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Alert, ScheduledTask, read_now
from django_scheduled_tasks.services.tasks import holds
from tests.admin.pages import ALERTS, TASKS
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def viewer(client):
    client.force_login(make_user(*VIEWER))
    return client


def strip_of(client) -> str:
    page = client.get(TASKS).content.decode()
    return page[page.index('class="dst-strip"') :].partition("</svg>")[0]


def check_site(**values):
    task = make_task(name="check-site", schedule_kind="cron", expression="* * * * *", **values)
    for number in range(5):
        status = Status.ERRORS if number == 3 else Status.COMPLETED
        at = read_now() - number * MINUTE - MINUTE
        make_execution(task, status=status, triggered_at=at, started_at=at, completed_at=at)
    return task


def test_a_task_that_is_due_each_minute_is_a_lane_and_no_marks(viewer):
    check_site()
    make_task(name="hourly", schedule_kind="interval", expression="1h")
    strip = strip_of(viewer)
    assert re.search(r">check-site, every minute: 7[12]\d more</text>", strip)
    assert ">4 completed, 1 failed</text>" in strip
    assert strip.count('class="dst-lane"') == strip.count('class="dst-lane-next"') == 1
    assert 'class="dst-mark-bad"' in strip
    assert "<title>check-site" not in strip
    assert strip.count("<title>hourly</title>") >= 11
    assert "4 completed, 1 failed; check-site, every minute" in strip.partition(">")[0], "for those who hear it"


def test_the_most_frequent_is_last_and_of_more_than_four_the_number_is_said(viewer):
    for seconds in (20, 30, 60, 90, 120, 180):
        make_task(name=f"each {seconds} s", schedule_kind="interval", expression=f"{seconds}s")
    strip = strip_of(viewer)
    assert re.findall(r">each (\d+) s, every", strip) == ["90", "60", "30", "20"]
    assert ">2 more</text>" in strip


def test_what_ran_often_and_is_not_due_any_more_is_a_lane_too(viewer):
    task = make_task(name="was busy")
    at = read_now() - 2 * MINUTE
    for _ in range(150):
        make_execution(task, status=Status.COMPLETED, triggered_at=at)
    strip = strip_of(viewer)
    assert ">was busy: 150 completed</text>" in strip
    assert "dst-lane-next" not in strip


def test_a_lane_that_is_held_says_so(viewer):
    holds.hold(scope="task", task=check_site(), reason="upgrade")
    strip = strip_of(viewer)
    assert ">check-site, every minute: held</text>" in strip
    assert "dst-lane-next" not in strip


def test_what_was_missed_keeps_its_place(viewer):
    task = make_task(name="invoice", schedule_kind="cron", expression="0 3 * * *")
    due = (read_now() - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    make_execution(task, status=Status.ERRORS, outcome=Outcome.MISSED, scheduled_for=due, started_at=None)
    strip = strip_of(viewer)
    assert re.search(r">▲ missed \d\d:00</text>", strip)
    assert "<title>invoice: missed " in strip


def test_the_list_of_what_comes_has_one_line_for_what_is_frequent(viewer):
    check_site()
    other = make_task(name="hourly", schedule_kind="interval", expression="1h")
    page = viewer.get(f"{TASKS}upcoming/").content.decode()
    assert re.search(r">check-site</a>, every minute: next \d\d:\d\d, then 59 more this hour</td>", page)
    assert page.count("check-site</a>") == 1
    assert page.count(f">{other.name}</a>") >= 90


# --- cells


def cell(page: str, task, name: str) -> str:
    return page[page.index(f'id="dst-{name}-{task.pk}"') :].partition("</div>")[0]


def test_next_says_today_the_weekday_within_a_week_and_else_the_date(viewer):
    task = make_task(schedule_kind="cron", expression="0 3 1 1 *")
    now = read_now()
    for days, pattern in ((3, r">[A-Z][a-z]{2} \d\d:\d\d<"), (20, r">[A-Z][a-z]{2} \d+(, \d{4})?, \d\d:\d\d<")):
        ScheduledTask.objects.update(next_run_at=now + timedelta(days=days))
        shown = cell(viewer.get(TASKS).content.decode(), task, "next")
        assert re.search(pattern, shown), shown
        assert shown.count("<span") == 1, "two lines"
    with_today = now.replace(hour=23, minute=59, second=0)
    ScheduledTask.objects.update(next_run_at=with_today)
    assert ">today 23:59<" in cell(viewer.get(TASKS).content.decode(), task, "next") or with_today <= read_now()


def test_a_failed_one_says_when_how_often_and_can_be_acknowledged(client):
    client.force_login(make_user(*OPERATOR))
    task = make_task(name="digest")
    make_execution(task, status=Status.COMPLETED)
    make_execution(task, status=Status.ERRORS, error_type="ConnectionError")
    assert "in a row" not in client.get(TASKS).content.decode()
    make_execution(task, status=Status.ERRORS, error_type="ConnectionError")
    page = client.get(TASKS).content.decode()
    assert re.search(r"\d s ago</time> · twice in a row", cell(page, task, "last"))
    assert "Acknowledge: " not in page, "of no alert nobody can know"
    make_execution(task, status=Status.ERRORS)
    alert = Alert.objects.create(kind="failing", task=task, task_name="digest", opened_at=read_now(), open_key="x")
    page = client.get(f"{TASKS}?state=needs_attention").content.decode()
    assert "3 times in a row" in cell(page, task, "last")
    action = re.search(r'formaction="([^"]+)" name="task" value="([^"]+)" aria-label="Acknowledge: digest"', page)
    done = client.post(action[1].replace("&amp;", "&"), {"task": action[2]})
    assert done.headers["Location"] == f"{TASKS}?state=needs_attention"
    alert.refresh_from_db()
    assert alert.acknowledged_at is not None
    assert "Acknowledge:" not in client.get(TASKS).content.decode()


def test_who_may_not_acknowledge_alerts_has_no_button(client):
    client.force_login(make_user(*VIEWER))
    task = make_task()
    make_execution(task, status=Status.ERRORS)
    Alert.objects.create(kind="failing", task=task, task_name=task.name, opened_at=read_now(), open_key="x")
    assert "Acknowledge: " not in client.get(TASKS).content.decode()
    assert client.post(f"{ALERTS}acknowledge/", {"task": str(task.pk)}).status_code == 403


def test_names_break_after_their_parts_and_are_escaped(viewer):
    task = make_task(name="nightly_re-index of shop")
    ScheduledTask.objects.filter(pk=task.pk).update(function="shop.<b>.run")
    page = viewer.get(TASKS).content.decode()
    assert "nightly_<wbr>re-<wbr>index of shop</span>" in page
    assert "shop.<wbr>&lt;b&gt;.<wbr>run</span>" in page
