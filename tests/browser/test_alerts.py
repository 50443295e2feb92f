"""Alerts in Chromium: what one presses, what changes by itself, and the card in a rule's form."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Alert, AlertRule, PresenceKind, read_now
from django_scheduled_tasks.services.scheduling import presence
from tests.browser.harness import ALERTS, RULES
from tests.browser.unfold import IS_UNFOLD
from tests.factories import OPERATOR, OWNER, make_execution, make_task, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WITHIN = 20_000
"""Milliseconds; a busy machine needs them."""


@pytest.fixture
def alert():
    for kind in PresenceKind:
        presence.seen(kind)
    return make_alert("send-digest")


def make_alert(name):
    row = make_execution(make_task(name=name), status=Status.ERRORS, error_type="ConnectionError")
    return Alert.objects.create(
        kind="failing",
        task=row.task,
        task_name=name,
        opened_at=read_now(),
        open_key=name,
        first_execution=row.pk,
        latest_execution=row.pk,
    )


def tick(page):
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_an_alert_is_acknowledged_that_is_taken_back_and_it_is_silenced(open_screen, alert):
    page = open_screen(make_user(*OPERATOR, name="anna"), javascript=IS_UNFOLD).open(ALERTS)
    page.get_by_role("button", name="Acknowledge: Failing, send-digest").click()
    expect(page.locator("body")).to_contain_text("Acknowledged. No more reminders.")
    expect(page.locator(".dst-alerts")).to_contain_text("acknowledged by anna")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("body")).to_contain_text("Not acknowledged any more.")
    page.get_by_role("link", name="Silence: Failing, send-digest").click()
    page.get_by_label("1 hour").check()
    page.get_by_label("Why? (shown on the list)").fill("deploy")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.locator(".dst-alerts")).to_contain_text("“deploy”")
    page.get_by_role("button", name="End silence: Failing, send-digest").click()
    expect(page.locator("body")).to_contain_text("Its silence has ended.")


def test_a_new_alert_is_a_bar_and_one_that_closes_stays_where_it_is_grey(open_screen, alert):
    page = open_screen(make_user(*OPERATOR)).open(ALERTS)
    make_alert("sync-stock")
    tick(page)
    bar = page.get_by_role("link", name="1 new – show")
    expect(bar).to_be_visible(timeout=WITHIN)
    assert page.locator(".dst-alerts tbody tr").count() == 1
    Alert.objects.filter(pk=alert.pk).update(open_key=None, closed_at=read_now())
    tick(page)
    expect(page.locator(".dst-alerts .dst-pill")).to_have_class("dst-pill dst-wait", timeout=WITHIN)
    expect(page.locator(".dst-alerts")).to_contain_text("send-digest")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    bar.click()
    expect(page.locator(".dst-alerts")).to_contain_text("sync-stock")


@pytest.mark.parametrize("javascript", [True, IS_UNFOLD], ids=["live", "plain"])
def test_the_card_of_a_rule_follows_what_is_typed(open_screen, alert, javascript):
    rule = AlertRule.objects.create(name="Everything", kinds=["failing"])
    screen = open_screen(make_user(*OWNER), javascript=javascript)
    page = screen.open(f"{RULES}{rule.pk}/change/")
    card = page.locator("#dst-card")
    expect(card).to_contain_text("Would have told you once in the last 30 days")
    page.locator("#id_after").fill("2")
    if not javascript:
        page.get_by_role("button", name="See what it would have told").click()
    expect(card).to_contain_text("Would not have told you in the last 30 days", timeout=WITHIN)
    rule.refresh_from_db()
    assert rule.after == 1
    if javascript:
        expect(page.locator("#id_tag")).to_be_hidden()
        page.get_by_label("With tag").check()
        expect(page.locator("#id_tag")).to_be_visible()
        expect(card).to_contain_text("Which tag?", timeout=WITHIN)
    assert screen.complaints == []
