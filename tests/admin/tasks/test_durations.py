"""The card about durations on the page of a task: what is drawn, its facts, and what it costs."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from django_scheduled_tasks.admin.charts.durations import Plot, draw
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now
from django_scheduled_tasks.services.releases import live as live_releases
from django_scheduled_tasks.services.scheduling.retention import prune
from django_scheduled_tasks.services.scheduling.rollup import count_steps
from tests.admin.pages import EXECUTIONS, TASKS
from tests.factories import VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def viewer(client):
    client.force_login(make_user(*VIEWER))
    return client


def card(client, task, query: str = "") -> str:
    page = client.get(f"{TASKS}{task.pk}/change/{query}").content.decode()
    return page[page.index('id="dst-durations"') :].partition("</section>")[0] if 'id="dst-durations"' in page else ""


def ran(task, took: float, *, days: float = 0, **values):
    at = read_now() - timedelta(days=days, hours=1)
    values.setdefault("status", Status.COMPLETED)
    return make_execution(task, triggered_at=at, started_at=at, completed_at=at + took * SECOND, **values)


def test_a_plot_of_the_last_runs_with_what_is_usual_and_the_alert(viewer):
    task = make_task(max_runtime=60 * SECOND)
    for took in range(11, 31):
        ran(task, took)
    longest = ran(task, 171)
    failed = ran(task, 3, status=Status.ERRORS)
    make_execution(task, status=Status.ERRORS, outcome=Outcome.MISSED, started_at=None, scheduled_for=read_now())
    make_execution(task, status=Status.ERRORS, outcome=Outcome.SKIPPED, started_at=None)
    make_execution(task, status=Status.PROCESSING)
    shown = card(viewer, task)
    said = "24 runs: 21 completed, 1 failed, 2 did not run; usually 21.0 s, longest 2 min 51 s"
    assert f'aria-label="{said}"' in shown
    assert shown.count('<circle class="dst-ok" cx') == 21 + 1, "and one in the legend"
    assert shown.count('class="dst-hollow"') == 2 + 1
    assert f'<a href="{EXECUTIONS}{failed.pk}/change/" tabindex="-1" aria-label="#{failed.pk}, Failed' in shown
    assert f">#{longest.pk}, 2 min 51 s</text>" in shown
    assert "alert at 1 min</text>" in shown
    assert "usually 21.0 s, p95 30.0 s</text>" in shown
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", re.sub(r"</?(a|time)\b[^>]*>", "", shown)))
    assert facts["Succeeded"] == "21 of 23 (91%)", "what was skipped does not count"
    assert facts["Longest"] == f"2 min 51 s #{longest.pk}"
    assert facts["Last failed"].endswith(f"#{failed.pk}")
    assert shown.count("<tr>") == 24 + 1


def test_under_ten_runs_nothing_is_usual(viewer):
    task = make_task()
    assert card(viewer, task) == ""
    for _ in range(4):
        ran(task, 20)
    shown = card(viewer, task)
    assert "Usual time after 10 runs that complete; so far 4." in shown
    assert "dst-usual-band" not in shown
    assert "Never in 4" in shown


def test_days_show_the_median_and_the_longest_and_link_to_the_day(viewer):
    task = make_task(timezone="America/New_York")
    for took in (10, 20, 90):
        ran(task, took, days=3)
    ran(task, 5, days=3, status=Status.ERRORS)
    ran(task, 5, days=120)
    ran(make_task(), 7_000, days=3)
    shown = card(viewer, task, "?durations=days")
    assert re.search(r'aria-current="page">90 days<', shown)
    titles = re.findall(r'aria-label="([^"]+)"><title>', shown)
    assert [title.partition(": ")[2] for title in titles] == [
        "3 completed, 1 failed; half of them within 20.0 s, the longest 1 min 30 s"
    ]
    (href,) = re.findall(rf'<a href="({EXECUTIONS}[^"]+)" tabindex', shown)
    assert len(viewer.get(href.replace("&amp;", "&")).context["cl"].result_list) == 4
    assert shown.count("<tr>") == 1 + 1


def test_a_year_shows_weeks_also_of_what_is_no_longer_kept(viewer):
    task = make_task(keep_last=1)
    for took in (10, 20, 90):
        ran(task, took, days=100)
    ran(task, 40, days=100, status=Status.ERRORS)
    ran(task, 5, days=500)
    ran(task, 2)
    ran(make_task(), 7_000, days=100)
    list(count_steps())
    assert prune().by_task[task.name] == 4
    shown = card(viewer, task, "?durations=weeks")
    assert re.search(r'aria-current="page">1 year<', shown)
    titles = [title.partition(": ")[2] for title in re.findall(r"<title>(Week [^<]+)</title>", shown)]
    assert [title for title in titles if title] == [
        "3 completed, 1 failed; on average 40.0 s, the longest 1 min 30 s",
        "1 completed; on average 2.0 s, the longest 2.0 s",
    ]
    assert shown.count("<tr>") == 2 + 1
    assert "the week&#x27;s mean" in shown or "the week's mean" in shown


def test_of_tasks_with_keys_no_year_is_kept(viewer):
    task = make_task()
    ran(task, 2)
    assert "1 year" in card(viewer, task)
    ScheduledTask.objects.filter(pk=task.pk).update(key="a")
    shown = card(viewer, task, "?durations=weeks")
    assert "1 year" not in shown
    assert re.search(r'aria-current="page">Last 1 run<', shown)


def test_of_a_busy_day_the_newest_count_and_it_says_so(viewer):
    task = make_task()
    for took in [1] * 10 + [2] * 40:
        ran(task, took)
    shown = card(viewer, task, "?durations=days")
    assert "40 completed" in shown
    assert "Of each day the newest 40 count." in shown


def test_the_page_costs_the_same_for_many_runs_and_two_statements_more_for_days(client, monkeypatch):
    from django.test.utils import CaptureQueriesContext

    from tests.database import connection

    client.force_login(make_user(superuser=True))
    task = make_task(schedule_kind="cron", expression="0 3 * * *")
    monkeypatch.setattr(live_releases, "REMEMBERED_FOR", 3600)  # a process asks this every few seconds
    client.get(f"{TASKS}{task.pk}/change/?durations=days")
    counts = []
    for query in ("", "", "?durations=days", "?durations=weeks"):
        for _ in range(15):
            ran(task, 2)
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{TASKS}{task.pk}/change/{query}")
        counts.append(len(queries))
    assert counts == [counts[0], counts[0], counts[0] + 2, counts[0] + 1]
    assert counts[0] <= 20


def test_who_may_not_see_executions_sees_no_card(client):
    task = make_task()
    ran(task, 1)
    client.force_login(make_user("view_scheduledtask"))
    assert card(client, task) == ""


@pytest.mark.parametrize("seconds", [0, 0.0004, 0.3, 7, 59, 61, 3_599, 90_000, 10_000_000])
def test_a_scale_has_few_lines_however_long_it_takes(seconds):
    drawn = draw(Plot([], "nothing", [], usual=seconds * SECOND, within=seconds * SECOND))
    assert 2 <= drawn.count('class="dst-hour"') <= 5


# --- next


def test_the_head_says_the_next_three_as_the_planner_does(viewer):
    task = make_task(schedule_kind="cron", expression="0 3 * * *", timezone="Europe/Berlin", max_runs=2)
    page = viewer.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert re.search(r"<strong><time [^>]*>\w{3} \d+ \w{3}( \d{4})? 03:00</time></strong> <time [^>]*>in \d+ h", page)
    assert len(re.findall(r" · <time [^>]*>\w{3} 03:00</time>", page)) == 1, "then it is done"
    assert not Execution.objects.exists()


def test_tools_that_are_needed_less_often_are_behind_more(viewer):
    task = make_task(name="nightly")
    page = viewer.get(f"{TASKS}{task.pk}/change/").content.decode()
    more = page[page.index("dst-more") :].partition("</details>")[0]
    labels = re.findall(r"<li><a [^>]*>([^<]+)</a></li>", more)
    assert labels == ["Executions", "Why at…?", "History"]
    assert "Copy link" in more
