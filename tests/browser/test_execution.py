"""The page of one execution in Chromium: it follows what runs, cancels, and runs again, without a reload."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from playwright.sync_api import expect

from django_scheduled_tasks.admin.installation import health
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, ExecutionLog, Presence, PresenceKind, read_now
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.browser.harness import EXECUTIONS
from tests.cluster import cluster, wait_for_status
from tests.factories import LOG_VIEWER, OPERATOR, make_execution, make_task, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WITHIN = 20_000
"""Milliseconds; a busy machine needs them."""


@pytest.fixture
def anna():
    return make_user(*OPERATOR, name="anna")


@pytest.fixture
def slow():
    return make_task(name="Sync stock levels", function="testapp.count_to", params={"total": 1000, "pause": 0.1})


@pytest.fixture
def running(slow):
    return make_execution(slow, status=Status.PROCESSING, worker_host="web-1", worker_pid=4121)


def page_of(execution: Execution) -> str:
    return f"{EXECUTIONS}{execution.pk}/change/"


def say(execution: Execution, first: int, count: int) -> None:
    ExecutionLog.objects.bulk_create(
        ExecutionLog(
            execution=execution, number=number, logged_at=read_now(), level="INFO", message=f"line {number} is here"
        )
        for number in range(first, first + count)
    )


def mark(page) -> None:
    """Leave something behind that a reload would take away."""
    page.evaluate("window.dstStays = true")


def is_marked(page) -> bool:
    return bool(page.evaluate("window.dstStays === true"))


# --- cancel


@pytest.mark.cluster
def test_a_running_execution_shows_its_progress_and_is_cancelled_from_its_page(open_screen, anna, slow):
    with cluster(workers=1, settings={"LEASE": 3}):
        execution = run_once(slow, trigger=Trigger.ADMIN, user=anna).execution
        wait_for_status(execution, Status.PROCESSING)
        page = open_screen(anna).open(page_of(execution))
        mark(page)
        bar = page.get_by_role("progressbar")
        expect(bar).to_be_visible(timeout=WITHIN)
        first = float(bar.get_attribute("value") or 0)
        page.wait_for_function(
            "first => Number(document.querySelector('progress').getAttribute('value')) > first",
            arg=first,
            timeout=WITHIN,
        )
        expect(page.locator("#dst-progress-text")).to_contain_text("Counting: ")
        assert is_marked(page)
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(page.locator(".dst-ask-body")).to_contain_text(
            f"Cancel execution #{execution.pk}? Work already done is not undone."
        )
        page.get_by_role("button", name="Cancel it").click()
        head = page.locator("#dst-head")
        expect(head).to_contain_text("Cancelled by anna.", timeout=WITHIN)
        expect(page.get_by_role("link", name="Run again…")).to_be_visible()
        page.goto("about:blank")
    execution.refresh_from_db()
    assert (execution.outcome, execution.cancel_requested_by) == (Outcome.CANCELLED, anna)
    entry = LogEntry.objects.get(object_id=str(slow.pk))
    assert (entry.user, entry.change_message) == (anna, f"Cancel: Execution #{execution.pk}.")


def test_the_question_may_be_answered_with_no_and_focus_returns(open_screen, anna, running):
    page = open_screen(anna).open(page_of(running))
    button = page.get_by_role("button", name="Cancel", exact=True)
    button.press("Enter")
    keep = page.get_by_role("button", name="Keep it running")
    expect(keep).to_be_visible()
    keep.press("Enter")
    expect(keep).to_be_hidden()
    expect(button).to_be_focused()
    running.refresh_from_db()
    assert running.cancel_requested_at is None


@pytest.mark.slow
def test_after_ten_seconds_it_says_that_it_has_not_stopped_yet(open_screen, anna, running):
    page = open_screen(anna).open(page_of(running))
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator("#dst-head")).to_contain_text("Cancelling…")
    mark(page)
    Execution.objects.filter(pk=running.pk).update(cancel_requested_at=read_now() - timedelta(seconds=11))
    expect(page.locator("#dst-head")).to_contain_text(
        "It has not stopped yet. It stops when it next checks, or at its time limit.", timeout=WITHIN
    )
    assert is_marked(page)


def test_without_a_script_cancel_still_asks_and_cancels(open_screen, anna, slow):
    execution = make_execution(slow)
    page = open_screen(anna, javascript=False).open(page_of(execution))
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator("#dst-head")).to_contain_text("Cancelled by anna.")


def test_the_keyboard_alone_reaches_cancel(open_screen, anna, running):
    page = open_screen(anna).open(page_of(running))
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.dst-ask > summary')"):
            break
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#dst-head")).to_contain_text("Cancelling…")


# --- what is live


def test_the_log_follows_and_stands_still_when_told_to(open_screen, anna, running):
    say(running, 1, 40)
    page = open_screen(anna).open(page_of(running))
    mark(page)
    log = page.get_by_role("log")
    expect(log).to_contain_text("line 40 is here")
    bottom = "e => e.scrollHeight - e.clientHeight - e.scrollTop"
    assert log.evaluate(bottom) <= 1
    say(running, 41, 40)
    expect(log).to_contain_text("line 80 is here", timeout=WITHIN)
    assert log.evaluate(bottom) <= 1
    assert log.locator(".dst-log-line").count() == 80
    page.get_by_label("Follow").uncheck()
    log.evaluate("e => { e.scrollTop = 0; }")
    say(running, 81, 20)
    expect(log).to_contain_text("line 100 is here", timeout=WITHIN)
    assert log.evaluate("e => e.scrollTop") == 0
    assert is_marked(page)


@pytest.mark.slow
@pytest.mark.slow
def test_a_long_log_shows_its_end_and_never_more_than_64_kb(open_screen, anna, running):
    say(running, 1, 3_000)
    page = open_screen(anna).open(page_of(running))
    log = page.get_by_role("log")
    expect(log).to_contain_text("line 3000 is here")
    expect(page.locator("#dst-log-cut")).to_be_visible()
    say(running, 3_001, 1_500)
    expect(log).to_contain_text("line 4500 is here", timeout=WITHIN)
    assert log.evaluate("e => e.textContent.length") <= 65_536
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert len(download.value.path().read_text().splitlines()) == 4_500


def test_progress_without_a_total_claims_no_percentage(open_screen, anna, running):
    Execution.objects.filter(pk=running.pk).update(progress_current=12, progress_message="Reading")
    page = open_screen(anna).open(page_of(running))
    bar = page.get_by_role("progressbar")
    expect(bar).to_be_visible()
    assert bar.get_attribute("value") is None
    assert "%" not in page.locator("#dst-head").inner_text()
    assert bar.evaluate("e => e.matches(':indeterminate')")


@pytest.mark.slow
def test_the_end_is_shown_and_said_without_a_reload(open_screen, anna, running):
    page = open_screen(anna).open(page_of(running))
    mark(page)
    Execution.objects.filter(pk=running.pk).update(
        status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, completed_at=read_now(), lease_until=None, result={"n": 7}
    )
    expect(page.locator("#dst-head")).to_contain_text("Completed", timeout=WITHIN)
    expect(page.locator("#dst-result")).to_contain_text('"n": 7')
    expect(page.locator("#dst-announce")).to_have_text("Completed. Finished without an error.")
    assert page.locator("#dst-announce").get_attribute("role") == "status"
    assert is_marked(page)


@pytest.mark.slow
def test_it_says_that_it_is_live_as_long_as_it_is(open_screen, anna, running):
    page = open_screen(anna).open(page_of(running))
    sign = page.locator("#dst-live-sign")
    expect(sign).to_have_text("Live · updated 0 s ago", timeout=WITHIN)
    page.wait_for_timeout(3_500)  # meanwhile nothing has changed: the answer is 204
    assert sign.inner_text() in {"Live · updated 0 s ago", "Live · updated 1 s ago", "Live · updated 2 s ago"}
    page.context.set_offline(True)
    expect(sign).to_contain_text("Not live: offline for ", timeout=WITHIN)
    page.context.set_offline(False)
    expect(sign).to_contain_text("Live · updated", timeout=WITHIN)
    page.context.clear_cookies()
    expect(sign).to_have_text("Not live: sign in again", timeout=WITHIN)


def test_its_health_line_stays_true_while_nothing_else_changes(open_screen, anna, running, monkeypatch):
    monkeypatch.setattr(health, "LINE_EVERY", 1)
    presence.seen(PresenceKind.SCHEDULER)
    page = open_screen(anna).open(page_of(running))
    line = page.get_by_role("group", name="Health")
    expect(line).not_to_contain_text("not seen")
    Presence.objects.filter(kind=PresenceKind.SCHEDULER).update(last_seen_at=read_now() - timedelta(hours=2))
    expect(line).to_contain_text("Scheduler not seen for 2 h", timeout=WITHIN)


def test_without_a_script_it_does_not_say_that_it_is_live(open_screen, anna, running):
    page = open_screen(anna, javascript=False).open(page_of(running))
    expect(page.locator("#dst-live-sign")).to_be_hidden()
    assert "Live" not in page.locator("#dst-head").inner_text()


def test_the_link_of_the_page_is_copied(open_screen, anna, running):
    page = open_screen(anna).open(page_of(running))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Copy link").click()
    expect(page.get_by_role("link", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


# --- again


def test_run_again_is_filled_with_the_parameters_and_says_from_where(open_screen, anna, engine):
    presence.seen(PresenceKind.WORKER)
    task = make_task(function="testapp.add", params={"a": 1})
    first = make_execution(task, status=Status.ERRORS, params={"a": 7, "b": 5})
    page = open_screen(anna).open(page_of(first))
    page.get_by_role("link", name="Run again…").click()
    assert page.locator("#id_param-p-a").input_value() == "7"
    assert page.locator("#id_param-p-b").input_value() == "5"
    page.fill("#id_reason", "after the outage")
    page.get_by_role("button", name="Run once", exact=True).click()
    expect(page.locator("#dst-rest")).to_contain_text(f"Again from Execution #{first.pk}.")
    expect(page.locator("#dst-rest")).to_contain_text("after the outage")
    again = Execution.objects.latest("pk")
    assert (again.params, again.rerun_of_id, again.triggered_by) == ({"a": 7, "b": 5}, first.pk, anna)


def test_signed_out_while_an_execution_is_open_shows_a_notice(open_screen, running):
    page = open_screen(make_user(*LOG_VIEWER, name="viktor")).open(page_of(running))
    page.context.clear_cookies()
    expect(page.locator("#dst-connection")).to_contain_text("signed out", timeout=WITHIN)
    assert page.locator("input[type=password]").count() == 0
    expect(page.locator("#dst-head")).to_contain_text("Sync stock levels")
