"""Each screen in Chromium: wide and narrow, light and dark, under a strict policy, and as axe-core sees it."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import ScheduledTask
from tests.browser.harness import EXECUTIONS, TASKS
from tests.browser.unfold import IS_UNFOLD
from tests.factories import make_user
from tests.selection import first_in_gate, some_in_gate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCREENS = (
    *("list", "list-attention", "list-none", "upcoming", "add", "form", "pause", "run-once", "run-once-typed"),
    *("running", "failed", "completed", "history", "history-none", "cancel", "compare", "workers"),
    *("alerts", "alert", "silence", "rule", "channel-test", "load", "clock-changes"),
)

IN_GATE = {
    "list",
    "list-attention",
    "form",
    "run-once-typed",
    "running",
    "failed",
    "history",
    "compare",
    "alerts",
    "rule",
    "load",
}
"""The others are like one of these."""


@pytest.mark.parametrize("name", some_in_gate(SCREENS, gate=lambda name: name in IN_GATE))
@pytest.mark.parametrize("dark", first_in_gate([False, True]), ids=["light", "dark"])
def test_a_screen_is_readable_fits_and_keeps_to_the_policy(shop, open_screen, name, dark):
    user, paths = shop
    screen = open_screen(user, dark=dark)
    page = screen.open(paths[name])
    assert_fits(screen, name)
    page.set_viewport_size({"width": 390, "height": 900})
    page.reload()
    assert_fits(screen, name)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_timeout(100)
    assert screen.complaints == []
    assert screen.foreign == []
    assert screen.axe() == []  # last: it fetches style sheets once more, from where they are not


@pytest.mark.slow
@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_on_a_phone_either(shop, open_screen, name, dark):
    user, paths = shop
    screen = open_screen(user, dark=dark, width=390)
    screen.open(paths[name])
    assert screen.axe() == []


def assert_fits(screen, name) -> None:
    """Neither the page is wider than the window, nor does a table hide columns behind its own right edge."""
    assert screen.sideways() <= 0
    if "list" in name or name.startswith("history"):
        inner = "[...document.querySelectorAll('.results')].map(e => e.scrollWidth - e.clientWidth)"
        assert all(beyond <= 0 for beyond in screen.page.evaluate(inner))


def test_the_policy_is_in_force_and_a_request_to_others_would_be_seen(shop, open_screen):
    user, paths = shop
    screen = open_screen(user)
    page = screen.open(paths["list"])
    page.evaluate("document.head.append(Object.assign(document.createElement('img'), {src: 'https://example.com/'}))")
    page.wait_for_timeout(100)
    assert "Content Security Policy" in "".join(screen.complaints)
    assert screen.foreign == ["https://example.com/"]  # so that those who ask for none would see one


CONTRAST = """
(tones) => {
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * x + .7152 * y + .0722 * z;
    };
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    return tones.map(tone => {
        const pill = document.createElement("span");
        pill.className = "dst-pill dst-" + tone;
        pill.textContent = tone;
        document.querySelector(".dst").append(pill);
        const style = getComputedStyle(pill);
        const both = [style.color, style.backgroundColor].map(text => luminance(numbers(text)));
        const [a, b] = both.sort((x, y) => y - x);
        return (a + .05) / (b + .05);
    });
}
"""


@pytest.mark.parametrize("dark", first_in_gate([False, True]), ids=["light", "dark"])
def test_every_pill_has_enough_contrast(shop, open_screen, dark):
    user, paths = shop
    page = open_screen(user, dark=dark).open(paths["list"])
    found = page.evaluate(CONTRAST, ["ok", "bad", "run", "wait", "warn"])
    assert min(found) >= 4.5, found


def test_the_tabs_title_counts_what_fails(shop, open_screen):
    user, paths = shop
    assert open_screen(user).open(paths["list"]).title().startswith("(2) Scheduled tasks | ")


def test_the_strip_is_closed_once_it_was_closed(shop, open_screen):
    user, paths = shop
    page = open_screen(user).open(paths["list"])
    page.locator(".dst-day summary").click()
    page.reload()
    assert not page.locator(".dst-day").evaluate("element => element.open")


def test_the_chips_are_links_and_the_chosen_one_says_so(shop, open_screen):
    user, paths = shop
    page = open_screen(user, javascript=IS_UNFOLD).open(paths["list"])  # unfold's frame needs its script
    page.get_by_role("link", name="Needs attention 2").click()
    assert page.locator(".dst-chip[aria-current=page]").inner_text() == "Needs attention 2"
    assert page.locator("#result_list tbody tr").count() == 2
    page.goto(page.url.partition("?")[0] + "?state=late")
    assert "Nothing is late." in page.locator(".dst-empty").inner_text()
    assert "Show all 6" in page.locator(".dst-empty").inner_text()


def test_an_empty_list_says_what_to_do(open_screen):
    user = make_user(name="anna", superuser=True)
    page = open_screen(user).open(TASKS)
    assert "No scheduled tasks yet." in page.locator(".dst-empty").inner_text()
    assert "functions in your code, e.g. testapp." in page.locator(".dst-empty").inner_text()
    assert (
        "They appear as soon as a task is due" in open_screen(user).open(EXECUTIONS).locator(".dst-empty").inner_text()
    )
    assert not ScheduledTask.objects.exists()
