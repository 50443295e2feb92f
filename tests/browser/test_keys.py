"""The pages by keys alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from django_scheduled_tasks.models import Alert, Execution, PresenceKind, read_now
from django_scheduled_tasks.services.scheduling import presence
from tests.browser.harness import ALERTS, TASKS
from tests.factories import OPERATOR, make_task, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def tasks(engine):
    for kind in PresenceKind:
        presence.seen(kind)
    return [make_task(name=name, function="testapp.add", params={"a": 1}) for name in ("first", "second")]


def test_rows_are_walked_run_and_opened_by_keys_but_never_while_something_is_typed(open_screen, tasks):
    screen = open_screen(make_user(*OPERATOR, name="anna"))
    page = screen.open(TASKS)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("tr.dst-current")).to_contain_text("second")
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.keyboard.type("rjk?")
    expect(page.locator("#searchbar")).to_have_value("rjk?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("#searchbar").blur()
    assert not Execution.objects.exists()
    page.keyboard.press("r")
    expect(page.locator("#dst-messages")).to_contain_text('Queued "second" as')
    assert [row.task_name for row in Execution.objects.all()] == ["second"]
    page.keyboard.press("k")
    page.keyboard.press("Shift+R")
    page.wait_for_url("**/run-once/")
    expect(page.locator("h1, #content h2").first).to_contain_text("first")
    page = screen.open(TASKS)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Run once with other parameters")
    assert screen.axe() == []
    page.keyboard.press("j")
    expect(page.locator("tr.dst-current")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/")
    page.keyboard.press("Shift+R")
    page.wait_for_url("**/run-once/")
    assert screen.complaints == []
    page.goto("about:blank")  # what still loads would hold on to the database


def test_an_alert_is_acknowledged_by_a_key(open_screen, tasks):
    alert = Alert.objects.create(
        kind="late", task=tasks[0], task_name="first", opened_at=read_now(), open_key="late:first"
    )
    page = open_screen(make_user(*OPERATOR, name="anna")).open(ALERTS)
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator("body")).to_contain_text("No more reminders.")
    page.goto("about:blank")
    alert.refresh_from_db()
    assert str(alert.acknowledged_by) == "anna"
