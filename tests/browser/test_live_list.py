"""The list of tasks in Chromium while things happen: a lost server, swaps, keys, a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, Presence, PresenceKind, read_now
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.scheduling import presence
from tests.browser.harness import EXECUTIONS, TASKS
from tests.factories import EDITOR, OPERATOR, OWNER, make_execution, make_task, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WITHIN = 20_000
"""Milliseconds; a busy machine needs them."""
BUTTON = "Run once: Sync stock levels"


@pytest.fixture
def anna():
    return make_user(*OPERATOR, name="anna")


@pytest.fixture
def task():
    for kind in PresenceKind:
        presence.seen(kind)
    return make_task(name="Sync stock levels")


def test_while_the_server_is_away_the_page_says_so_and_keeps_what_it_shows(open_screen, anna, task):
    make_execution(task, status=Status.PROCESSING)
    page = open_screen(anna).open(TASKS)
    notice = page.locator("#dst-connection")
    page.context.set_offline(True)
    expect(notice).to_contain_text("Connection lost. Trying again in ", timeout=WITHIN)
    expect(page.locator("#result_list")).to_contain_text("Running")
    assert page.locator(".dst-list").evaluate("e => Number(getComputedStyle(e).opacity)") < 1
    page.context.set_offline(False)
    Execution.objects.update(
        status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, completed_at=read_now(), lease_until=None
    )
    notice.get_by_role("button", name="Now").click()
    expect(notice).to_be_hidden()
    expect(page.locator("#result_list")).to_contain_text("Completed")
    assert page.locator(".dst-list").evaluate("e => Number(getComputedStyle(e).opacity)") == 1


@pytest.mark.slow
def test_the_connection_is_tried_less_and_less_often(open_screen, anna, task):
    page = open_screen(anna).open(TASKS)
    page.context.set_offline(True)
    seconds = []
    for _ in range(3):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(400)
        seconds.append(int("".join(filter(str.isdigit, page.locator("#dst-connection").inner_text()))))
    assert seconds == sorted(seconds)
    assert seconds[2] > 2 * seconds[0]


def test_a_note_comes_and_goes_while_the_list_is_open_and_its_link_leads_to_the_workers(open_screen, anna, task):
    page = open_screen(anna).open(TASKS)
    expect(page.locator("#dst-note")).to_be_empty()
    Presence.objects.filter(kind=PresenceKind.WORKER).update(last_seen_at=read_now() - timedelta(minutes=2))
    live.forget()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#dst-note")).to_contain_text("Nothing starts, not by Run once either.", timeout=WITHIN)
    expect(page.locator("#dst-presence")).to_contain_text("No worker answers")
    page.get_by_role("link", name="Workers", exact=True).last.click()
    expect(page.locator("h1").last).to_have_text("Workers")
    page.get_by_role("link", name="Gone in 24 h 1").click()
    expect(page.locator(".dst-table")).to_contain_text(HOST)


def test_focus_stays_where_it_is_when_the_row_changes(open_screen, anna, task, engine):
    page = open_screen(anna).open(TASKS)
    button = page.get_by_role("button", name=BUTTON)
    button.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("Execution #")
    expect(page.locator("#result_list")).to_contain_text("Pending")
    expect(button).to_be_focused()
    row = Execution.objects.get()
    Execution.objects.filter(pk=row.pk).update(
        status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, started_at=read_now(), completed_at=read_now()
    )
    expect(page.locator("#result_list")).to_contain_text("Completed", timeout=WITHIN)
    expect(page.locator(".messagelist .dst-tail")).to_contain_text("Completed in")
    expect(page.locator("#dst-announce")).to_have_text("Sync stock levels: Completed.")
    expect(button).to_be_focused()


def test_an_open_task_that_forbids_a_second_one_says_which_is_open_and_offers_anyway(open_screen, task, engine):
    blocker = make_execution(task, status=Status.PROCESSING)
    page = open_screen(make_user(*EDITOR)).open(TASKS)
    page.get_by_role("button", name=BUTTON).click()
    message = page.locator(".messagelist .warning")
    expect(message).to_contain_text(f'Not started: Execution #{blocker.pk} of "Sync stock levels" is still running.')
    message.get_by_role("link", name="Run once anyway…").click()
    expect(page.get_by_label("Start now as well")).to_be_checked()
    page.get_by_role("button", name="Run once", exact=True).click()
    expect(page.locator("#dst-head")).to_contain_text("Waiting for a worker.")
    assert Execution.objects.count() == 2


@pytest.mark.slow
def test_several_are_started_at_once_and_named(open_screen, anna, task, engine):
    others = [make_task(name=f"other {number}") for number in range(2)]
    make_execution(others[1], status=Status.PROCESSING)
    page = open_screen(anna).open(TASKS)
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("run_selected")
    page.locator("#changelist-form button[name=index]").click()
    messages = page.locator(".messagelist")
    expect(messages).to_contain_text("Queued 2 executions: #")
    expect(messages).to_contain_text('Not started: "other 1" (#')
    assert Execution.objects.count() == 3


def test_a_task_whose_function_is_gone_has_a_button_that_does_nothing_and_says_why(open_screen, anna, task):
    type(task).objects.filter(pk=task.pk).update(function="shop.old")
    page = open_screen(anna).open(TASKS)
    expect(page.get_by_role("button", name=BUTTON)).to_be_disabled()
    expect(page.locator("#result_list")).to_contain_text("The function shop.old is no longer in the code.")


def test_on_a_phone_rows_are_blocks_and_run_once_works(open_screen, anna, task, engine):
    screen = open_screen(anna, width=390, height=844)
    page = screen.open(TASKS)
    cells = page.locator("#result_list tbody tr").first.locator("th, td")
    assert {cells.nth(place).evaluate("e => getComputedStyle(e).display") for place in range(cells.count())} == {
        "block"
    }
    expect(page.locator(".dst-day")).to_be_hidden()
    page.get_by_role("button", name=BUTTON).click()
    expect(page.locator(".messagelist")).to_contain_text("Execution #")
    assert screen.sideways() <= 0


@pytest.mark.slow
def test_the_history_of_a_task_names_who_paused_and_resumed_it(open_screen, task, engine):
    page = open_screen(make_user(*OWNER, name="olga")).open(f"{TASKS}{task.pk}/change/")
    page.get_by_role("link", name="Pause…").click()
    page.get_by_label("Why? (shown on the list)").fill("audit")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("button", name="Resume…", exact=True).click()
    page.locator(".dst-more summary").click()
    page.get_by_role("link", name="History", exact=True).click()
    rows = page.locator("#result_list tbody tr", has_text="olga")
    expect(rows.filter(has_text="Paused")).to_have_count(2)
    expect(rows.filter(has_text="audit")).to_have_count(1)


def test_new_executions_are_announced_instead_of_moving_the_rows_of_the_history(open_screen, anna, task):
    make_execution(task, status=Status.COMPLETED)
    page = open_screen(anna).open(EXECUTIONS)
    rows = page.locator("#result_list tbody tr").count()
    make_execution(task, status=Status.COMPLETED)
    make_execution(task, status=Status.COMPLETED)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    link = page.get_by_role("link", name="2 new – show")
    expect(link).to_be_visible()
    assert page.locator("#result_list tbody tr").count() == rows
    link.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(rows + 2)
