"""What people do in the admin, in Chromium: start, follow, be refused, be signed out."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from playwright.sync_api import expect

from django_scheduled_tasks.models import Execution, PresenceKind
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.browser.harness import TASKS
from tests.cluster import cluster, scheduler
from tests.factories import VIEWER, make_task, make_user
from tests.selection import first_in_gate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WITHIN = 15_000
"""Milliseconds; the page promises five seconds, a busy machine needs more."""
BUTTON = "Run once: Sync stock levels"


@pytest.fixture
def task():
    return make_task(name="Sync stock levels", function="testapp.add", params={"a": 1})


@pytest.fixture
def owner():
    return make_user(name="anna", superuser=True)


@pytest.mark.cluster
@pytest.mark.parametrize("javascript", first_in_gate([True, False]), ids=["live", "plain"])
def test_run_once_from_the_list_ends_completed_and_the_message_links_to_it(open_screen, task, owner, javascript):
    page = open_screen(owner, javascript=javascript).open(TASKS)
    with cluster(workers=1) as workers, scheduler():
        page.get_by_role("button", name=BUTTON).click()
        link = page.locator(".messagelist a", has_text="Execution #")
        expect(link).to_be_visible()
        row = page.locator("#result_list tbody tr")
        if javascript:
            expect(row).to_contain_text("Completed", timeout=WITHIN)
        else:
            for _ in range(WITHIN // 500):
                page.reload()
                if "Completed" in row.inner_text():
                    break
                page.wait_for_timeout(500)
            expect(row).to_contain_text("Completed")
        execution = Execution.objects.get()
        assert workers.is_running
        if javascript:
            assert link.get_attribute("href").endswith(f"/execution/{execution.pk}/change/")
        page.goto("about:blank")
    assert execution.triggered_by == owner
    assert LogEntry.objects.get().user == owner


def test_a_double_click_makes_one_execution(open_screen, task, owner, engine):
    presence.seen(PresenceKind.WORKER)
    page = open_screen(owner).open(TASKS)
    page.get_by_role("button", name=BUTTON).dblclick()
    expect(page.locator(".messagelist")).to_contain_text("Execution #")
    assert Execution.objects.count() == 1


def test_without_a_worker_the_message_warns_with_the_command(open_screen, task, owner, engine):
    page = open_screen(owner).open(TASKS)
    page.get_by_role("button", name=BUTTON).click()
    message = page.locator(".messagelist .warning")
    expect(message).to_contain_text("no worker has been seen")
    expect(message).to_contain_text("python manage.py qcluster")


def post_run_once(page, task) -> int:
    """Post as the page's user without its button, with a CSRF token that holds; return the status."""
    (token,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken"]
    path = f"{page.url}{task.pk}/run-once/"
    return page.request.post(path, headers={"X-CSRFToken": token}, max_redirects=0).status


def test_who_may_only_look_has_no_button_and_a_post_is_403(open_screen, task, engine):
    page = open_screen(make_user(*VIEWER, name="viktor")).open(TASKS)
    assert page.get_by_role("button", name="Run once").count() == 0
    assert post_run_once(page, task) == 403
    assert not Execution.objects.exists()
    assert not LogEntry.objects.exists()


def test_the_same_post_by_who_may_run_is_taken(open_screen, task, owner, engine):
    assert post_run_once(open_screen(owner).open(TASKS), task) == 302
    assert Execution.objects.count() == 1


def test_signed_out_while_the_list_is_open_shows_a_notice_and_no_login_form(open_screen, task, owner):
    page = open_screen(owner).open(TASKS)
    page.context.clear_cookies()
    with page.expect_response(lambda answer: answer.status == 401, timeout=30_000):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("body")).to_contain_text("signed out")
    assert page.locator("input[type=password]").count() == 0
    expect(page.locator("#result_list")).to_contain_text("Sync stock levels")


@pytest.mark.parametrize("width", first_in_gate([1280, 390]))
@pytest.mark.parametrize("dark", first_in_gate([False, True]), ids=["light", "dark"])
def test_a_form_saved_late_shows_what_differs_and_keeps_what_was_typed(open_screen, task, owner, width, dark):
    screen = open_screen(owner, width=width, dark=dark)
    page = screen.open(f"{TASKS}{task.pk}/change/")
    update_task(task, user=make_user(name="berta"), queue="slow")
    page.fill("#id_description", "typed by anna")
    page.locator("input[name=_save], button[name=_save]").first.click()
    conflict = page.locator("#dst-conflict")
    assert "slow" in conflict.inner_text()
    assert "berta" in conflict.inner_text()
    assert screen.sideways() <= 0
    assert screen.axe() == []
    page.locator("input[name=_save], button[name=_save]").first.click()
    page.wait_for_url(f"**{TASKS}")
    task.refresh_from_db()
    assert (task.description, task.queue) == ("typed by anna", "")
