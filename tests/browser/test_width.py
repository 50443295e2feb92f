"""Width: no list hides columns behind its own edge, and no long word makes a page wider than a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.models import Alert, AlertRule, Channel, ScheduledTask, read_now
from django_scheduled_tasks.services.tasks.edit import pause
from tests.browser.harness import ALERTS, CHANNELS, EXECUTIONS, RULES, TASKS, WORKERS
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "x" * 500
LISTS = (
    TASKS,
    EXECUTIONS,
    f"{TASKS}upcoming/",
    f"{TASKS}load/",
    f"{TASKS}load/clock-changes/",
    ALERTS,
    RULES,
    CHANNELS,
    WORKERS,
)
BEYOND = """
() => [...document.querySelectorAll(".results")].map(e => e.scrollWidth - e.clientWidth).filter(beyond => beyond > 0)
"""
HEIGHTS = "() => [...document.querySelectorAll('.dst-c-next')].map(cell => cell.getBoundingClientRect().height)"


@pytest.fixture
def long_words():
    """Tasks, executions and alerts with the longest words that there may be."""
    zone = {"timezone": "America/Argentina/Buenos_Aires"}
    name, when = "n" * 64, read_now() + timedelta(days=200)
    task = make_task(name=name, schedule_kind="cron", expression="*/17 3-9 1-7,15-21 * 1-5", tags=["t" * 60], **zone)
    ScheduledTask.objects.filter(pk=task.pk).update(next_run_at=when, contact="c" * 200, runbook=LONG)
    parts = make_task(
        name="rebuild-search-index_of-all-the-shops-in-every-country", schedule_kind="interval", expression="1h"
    )
    pause(make_task(name="paused"), reason=LONG)
    failed = make_execution(task, status="errors", error_type="E" * 100, error_message=LONG, reason=LONG)
    ScheduledTask.objects.filter(pk=parts.pk).update(function="shop.a_function_that_is_gone_from_the_code_since_long")
    Alert.objects.create(
        kind="failing",
        task=task,
        task_name=name,
        opened_at=read_now(),
        open_key="x",
        comment=LONG,
        latest_execution=failed.pk,
    )
    Channel.objects.create(name="c" * 100, kind="mail")
    AlertRule.objects.create(name="r" * 100, kinds=["failing"])
    return task, failed


@pytest.mark.slow
def test_no_page_is_wider_than_its_window_and_no_list_than_its_place(shop, long_words, open_screen):
    user, _paths = shop
    task, failed = long_words
    pages = (*LISTS, f"{TASKS}{task.pk}/change/", f"{EXECUTIONS}{failed.pk}/change/")
    screen = open_screen(user)
    wrong = []
    for width in (1280, 390):
        screen.page.set_viewport_size({"width": width, "height": 900})
        for path in pages:
            page = screen.open(path)
            wrong += [(width, path, "page", beyond)] if (beyond := screen.sideways()) > 0 else []
            is_of_django = path in {RULES, CHANNELS} and width < 768  # its table scrolls in its own place there
            wrong += [(width, path, "list", beyond) for beyond in page.evaluate(BEYOND) if not is_of_django]
    assert wrong == []
    screen.page.set_viewport_size({"width": 1280, "height": 900})
    assert max(screen.open(TASKS).evaluate(HEIGHTS)) < 60, "a pill, and two lines below"
    screen.page.goto("about:blank")  # no poll is under way when the server ends
