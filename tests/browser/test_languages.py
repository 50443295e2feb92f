"""The pages in other languages, in Chromium: everything fits, and what scripts say is in the same words."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db.models import F

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from tests.browser import pages
from tests.browser.harness import EXECUTIONS, TASKS
from tests.factories import make_user
from tests.selection import first_in_gate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LANGUAGES = ("de", "en", "es", "fr", "pt-BR", "tr", "zh-CN", "ar")
WIDER = "[...document.querySelectorAll('.results')].map((list) => list.scrollWidth - list.clientWidth)"


@pytest.fixture
def shop():
    user = make_user(name="anna", superuser=True)
    return user, pages.fill(user)


@pytest.mark.slow
@pytest.mark.parametrize("language", first_in_gate(LANGUAGES))
@pytest.mark.parametrize("width", [1280, 390])
def test_lists_fit_in_every_language(shop, open_screen, language, width):
    user, _tasks = shop
    screen = open_screen(user, width=width, language=language)
    for age in (0, 1, 400):  # days: today, this year, another year
        names = ("triggered_at", "started_at", "completed_at")
        ended = Execution.objects.exclude(completed_at=None)
        ended.update(**{name: F(name) - timedelta(days=age) for name in names})
        for path in (TASKS, EXECUTIONS):
            page = screen.open(path)
            assert screen.sideways() <= 0, age
            assert max(page.evaluate(WIDER)) <= 0, age


def test_the_button_takes_one_line_in_english(shop, open_screen):
    user, _tasks = shop
    page = open_screen(user).open(TASKS)
    assert page.locator(".dst-c-button .dst-button").first.bounding_box()["height"] < 32


@pytest.mark.slow
def test_scripts_speak_german_as_the_server_does(shop, open_screen):
    user, tasks = shop
    running = tasks["stock"].executions.get(status=Status.PROCESSING)
    with_script, without = (open_screen(user, language="de", javascript=on) for on in (True, False))
    said = []
    for screen in (with_script, without):
        page = screen.open(TASKS)
        page.wait_for_timeout(1_200)
        said.append([re.sub(r"\d+", "#", text) for text in page.locator("time[data-dst-relative]").all_inner_texts()])
        page = screen.open(f"{EXECUTIONS}{running.pk}/change/")
        page.wait_for_timeout(1_200)
        grown = page.locator(".dst-facts [data-dst-since]").inner_text()
        assert re.fullmatch(r"\d+ min( \d+ s)?", grown)
    assert said[0] == said[1] != []
