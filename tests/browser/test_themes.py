"""Each screen under whichever theme draws the admin: nothing falls off the window, and what one presses is seen."""

from __future__ import annotations

import pytest
from django.apps import apps

from tests.browser.test_screens import SCREENS

THEME = next((name for name in ("unfold", "jazzmin", "simpleui", "grappelli") if apps.is_installed(name)), "")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), *[pytest.mark.slow] * (not THEME)]
OURS = "#dst-chips a, #dst-presence, .dst-pill, .dst-button, .dst-tool, #id_schedule_kind label"
MISPLACED = f"""() => [...document.querySelectorAll("{OURS}")].filter((one) => {{
    const box = one.getBoundingClientRect();
    return box.width && (box.left < 0 || box.right > document.documentElement.clientWidth || box.height < 10);
}}).map((one) => one.outerHTML.slice(0, 120))"""
UNREADABLE = """() => {
    const parts = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((value) => value / 255)
        .map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
    return [...document.querySelectorAll(".dst-pill, .dst-tool")].filter((one) => {
        const style = getComputedStyle(one), back = parts(style.backgroundColor);
        if (!one.offsetWidth || back[3] === 0) { return false; }
        const [low, high] = [light(parts(style.color)), light(back)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05) < 4.5;
    }).map((one) => one.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_screen_under_this_theme(shop, open_screen, settings, name, width):
    if THEME:
        settings.TEST_CONTENT_SECURITY_POLICY = ""
    user, paths = shop
    screen = open_screen(user, width=width)
    statuses = []
    screen.page.on("response", lambda response: statuses.append((response.status, response.url)))
    page = screen.open(paths[name])
    assert [item for item in statuses if item[0] >= 500] == []
    assert screen.sideways() <= 0
    assert page.evaluate(MISPLACED) == []
    assert page.evaluate(UNREADABLE) == []
