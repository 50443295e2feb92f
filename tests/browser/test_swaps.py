"""What the live pages swap: only what has changed, and never what somebody has in hand."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, PresenceKind, read_now
from django_scheduled_tasks.services.scheduling import presence
from tests.browser.harness import EXECUTIONS, TASKS
from tests.factories import OPERATOR, make_execution, make_task, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WITHIN = 20_000
NEWER = "Newer data – show"


@pytest.fixture
def anna():
    return make_user(*OPERATOR, name="anna")


@pytest.fixture
def running():
    for kind in PresenceKind:
        presence.seen(kind)
    task = make_task(name="Sync stock levels", function="testapp.add", params={"a": 1})
    row = make_execution(task, status=Status.PROCESSING, progress_current=1, progress_total=100, worker_host="web-1")
    Execution.objects.filter(pk=row.pk).update(progress_message="Step 1")
    return row


def progress(row, number):
    Execution.objects.filter(pk=row.pk).update(progress_current=number, progress_message=f"Step {number}")


def ends(row):
    Execution.objects.filter(pk=row.pk).update(
        status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, completed_at=read_now(), lease_until=None
    )


def test_while_progress_is_reported_the_cancel_question_stays_open_and_focused(open_screen, anna, running):
    page = open_screen(anna).open(f"{EXECUTIONS}{running.pk}/change/")
    page.get_by_role("button", name="Cancel", exact=True).press("Enter")
    keep = page.get_by_role("button", name="Keep it running")
    keep.focus()
    for number in (20, 40, 60):
        progress(running, number)
        expect(page.locator("#dst-head")).to_contain_text(f"Step {number}", timeout=WITHIN)
        expect(keep).to_be_visible()
        expect(keep).to_be_focused()
    expect(page.locator(".dst-newer")).to_have_count(0)
    ends(running)
    expect(page.locator("#dst-tools")).to_contain_text(NEWER, timeout=WITHIN)
    expect(keep).to_be_focused()
    keep.press("Enter")
    page.locator("#dst-tools summary").blur()
    expect(page.get_by_role("link", name="Run again…")).to_be_visible(timeout=WITHIN)
    expect(page.locator(".dst-newer")).to_have_count(0)


def test_a_selection_and_what_the_pointer_is_over_stay_while_the_rest_goes_on(open_screen, anna, running):
    page = open_screen(anna).open(f"{EXECUTIONS}{running.pk}/change/")
    page.evaluate("document.getSelection().selectAllChildren(document.getElementById('dst-tracking'))")
    page.locator("#dst-head .dst-pill").hover()
    page.evaluate("window.mark = document.querySelector('#dst-head .dst-pill')")
    progress(running, 30)
    expect(page.locator("#dst-head")).to_contain_text("Step 30", timeout=WITHIN)
    assert page.evaluate("document.getSelection().toString()") == str(running.tracking_id)
    assert page.evaluate("window.mark.isConnected")
    expect(page.locator("#dst-head > .dst-newer")).to_be_visible()
    page.mouse.move(2, 2)
    page.evaluate("document.getSelection().removeAllRanges()")
    expect(page.locator("#dst-head > .dst-newer")).to_have_count(0)
    expect(page.locator("#dst-head .dst-pill")).to_contain_text("30%")


def test_the_list_swaps_the_cells_that_changed_and_no_other(open_screen, anna, running):
    other = make_task(name="Other", function="testapp.add")
    make_execution(other, status=Status.COMPLETED)
    page = open_screen(anna).open(TASKS)
    cells = [f"#dst-{name}-{task.pk} > :first-child" for task in (running.task, other) for name in ("next", "button")]
    page.evaluate("cells => { window.marks = cells.map((cell) => document.querySelector(cell)); }", cells)
    progress(running, 50)
    last = page.locator(f"#dst-last-{running.task_id}")
    expect(last).to_contain_text("Running 50%", timeout=WITHIN)
    assert page.evaluate("window.marks.map((mark) => mark === null || mark.isConnected)") == [True] * 4


def test_the_list_leaves_a_cell_that_has_the_focus_and_offers_what_is_newer(open_screen, anna, running):
    page = open_screen(anna).open(TASKS)
    last = page.locator(f"#dst-last-{running.task_id}")
    pill = last.locator("a.dst-pill")
    pill.focus()
    ends(running)
    newer = last.get_by_role("button", name=NEWER)
    expect(newer).to_be_visible(timeout=WITHIN)
    expect(pill).to_be_focused()
    expect(pill).to_contain_text("Running")
    newer.press("Enter")
    expect(pill).to_contain_text("Completed")
    expect(pill).to_be_focused()
    expect(newer).to_have_count(0)
