"""Opening pages in Chromium and asking what a reader would ask."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from tests.browser.unfold import NOT_OURS
from tests.profiles import chromium as find_chromium

TASKS = "/admin/django_scheduled_tasks/scheduledtask/"
EXECUTIONS = "/admin/django_scheduled_tasks/execution/"
WORKERS = "/admin/django_scheduled_tasks/presence/"
ALERTS = "/admin/django_scheduled_tasks/alert/"
RULES = "/admin/django_scheduled_tasks/alertrule/"
CHANNELS = "/admin/django_scheduled_tasks/channel/"
COLOURS = 256
"""Of a picture."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium."""
    return playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)


def sign_in(context: BrowserContext, url: str, user: Any) -> None:
    """Let *context* be signed in as *user*, without typing a password."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session.session_key or "", "url": url}])


@dataclass
class Screen:
    """A window of the browser, and what went wrong in it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look)

    def _note(self, message: Any) -> None:
        if message.type in {"error", "warning"} and "favicon" not in str(message.location):
            self.complaints.append(f"{message.text} {(message.location or {}).get('url', '')}")

    def _look(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(request.url)

    def open(self, path: str) -> Page:
        """Open a page and wait until it is there."""
        self.page.goto(self.url + path, wait_until="load")
        return self.page

    def set_theme(self, theme: str) -> None:
        """Choose light, dark or auto, as the admin's own switch does."""
        self.page.add_init_script(f"localStorage.setItem('theme', '{theme}')")

    def sideways(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def axe(self) -> list[str]:
        """Return what axe-core finds, except in what is not ours."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page)
        return [
            f"{item['id']}: {node['html'][:160]} "
            + json.dumps([part["message"] for part in node["any"] + node["all"]])[:300]
            for item in found.response["violations"]
            if item["id"] not in NOT_OURS
            for node in item["nodes"]
        ]

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Save a picture of the page with its most frequent colours, so that the file is small and colours stay."""
        from PIL import Image

        path.parent.mkdir(parents=True, exist_ok=True)
        shot = Image.open(io.BytesIO(self.page.screenshot(full_page=whole))).convert("RGB")
        counted = sorted(shot.getcolors(shot.width * shot.height) or [], reverse=True)[:COLOURS]
        palette = Image.new("P", (1, 1))
        palette.putpalette([part for _count, colour in counted for part in colour])
        shot.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
