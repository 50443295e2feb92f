"""A browser for tests: Debian's Chromium through Playwright, kept from talking to anyone but the test's server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import AlertRule
from tests.browser import pages
from tests.browser.harness import ALERTS, CHANNELS, EXECUTIONS, RULES, TASKS, WORKERS, Screen, launch, sign_in
from tests.browser.unfold import POLICY
from tests.factories import make_user

# Playwright's synchronous interface runs an event loop in this thread, which Django would take for its own.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module; not longer, since its event loop would break async tests after it."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_screen(chromium: Browser, live_server, settings) -> Iterator[object]:
    """Return a function that opens a browser window as a user: ``open_screen(user, width=390, javascript=False)``."""
    settings.TEST_CONTENT_SECURITY_POLICY = POLICY
    contexts: list[BrowserContext] = []

    def make(
        user,
        *,
        width: int = 1280,
        height: int = 900,
        javascript: bool = True,
        dark: bool = False,
        language: str = "en",
    ) -> Screen:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            timezone_id="Europe/Berlin",
            locale=language,
        )
        contexts.append(context)
        sign_in(context, live_server.url, user)
        page: Page = context.new_page()
        return Screen(page, live_server.url)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def shop() -> tuple[object, dict[str, str]]:
    """Fill the pages; return a user who may do everything, and the address of each screen."""
    user = make_user(name="anna", superuser=True)
    tasks = pages.fill(user)
    failed = pages.failed_twice(tasks["digest"])
    alert = pages.alerts(tasks, user)[2]
    rule = AlertRule.objects.get(name="Everything")
    running = tasks["stock"].executions.get(status=Status.PROCESSING)
    completed = tasks["index"].executions.order_by("-pk").first()
    paths = {
        "list": TASKS,
        "list-attention": f"{TASKS}?state=needs_attention",
        "list-none": f"{TASKS}?state=late",
        "upcoming": f"{TASKS}upcoming/",
        "load": f"{TASKS}load/",
        "clock-changes": f"{TASKS}load/clock-changes/",
        "add": f"{TASKS}add/",
        "form": f"{TASKS}{tasks['stock'].pk}/change/",
        "pause": f"{TASKS}{tasks['stock'].pk}/pause/",
        "run-once": f"{TASKS}{tasks['stock'].pk}/run-once/",
        "run-once-typed": f"{TASKS}{tasks['import'].pk}/run-once/",
        "running": f"{EXECUTIONS}{running.pk}/change/",
        "failed": f"{EXECUTIONS}{failed.pk}/change/",
        "compare": f"{EXECUTIONS}{failed.pk}/compare/",
        "completed": f"{EXECUTIONS}{completed.pk}/change/",
        "history": EXECUTIONS,
        "history-none": f"{EXECUTIONS}?q=nothing-like-this",
        "cancel": f"{EXECUTIONS}{running.pk}/cancel/",
        "workers": WORKERS,
        "alerts": ALERTS,
        "alert": f"{ALERTS}{alert.pk}/change/",
        "silence": f"{ALERTS}{alert.pk}/silence/",
        "rule": f"{RULES}{rule.pk}/change/",
        "channel-test": f"{CHANNELS}test/",
    }
    return user, paths
