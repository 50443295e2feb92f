"""Take a picture of every screen: ``python -m tests.browser.screenshots [folder]``, default ``docs/images``.

It needs Chromium. Pages under another theme of the admin are taken in a process of their own, since the admin's base
class is chosen when it is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

THEMES = ("unfold", "jazzmin", "simpleui", "grappelli")
"""Apps that draw the admin anew; their pictures are taken where they are installed."""
SETTINGS = {"stock": "tests.browser.settings"} | {
    name: f"tests.browser.settings_{name}" for name in THEMES if find_spec(name) is not None
}


def main(arguments: list[str]) -> int:
    """Take them with the stock admin and with each theme that is installed."""
    look = os.environ.get("SCREENSHOTS_LOOK")
    folder = Path(arguments[0] if arguments else "docs/images")
    if look:
        take(look, folder)
        return 0
    codes = [
        subprocess.run(
            [sys.executable, "-m", "tests.browser.screenshots", str(folder)],
            env=os.environ | {"SCREENSHOTS_LOOK": name, "DJANGO_SETTINGS_MODULE": module},
            check=False,
        ).returncode
        for name, module in SETTINGS.items()
    ]
    return max(codes)


@contextmanager
def server() -> Iterator[str]:
    """Serve the admin on an empty database of its own."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.management import call_command
    from django.db import connection
    from django.test.testcases import LiveServerThread

    with tempfile.TemporaryDirectory() as folder:
        connection.settings_dict["NAME"] = str(Path(folder) / "screenshots.sqlite3")
        call_command("migrate", verbosity=0)
        thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
        thread.daemon = True
        thread.start()
        thread.is_ready.wait()
        try:
            yield f"http://127.0.0.1:{thread.port}"
        finally:
            thread.terminate()
            connection.close()


def take(look: str, folder: Path) -> None:
    """Take the pictures of one look."""
    import django

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    django.setup()
    from playwright.sync_api import sync_playwright

    from tests.browser.harness import launch
    from tests.browser.shots import Camera

    with server() as url, sync_playwright() as playwright:
        browser = launch(playwright)
        camera = Camera(browser=browser, url=url, folder=folder, look=look)
        if look == "stock":
            camera.empty()
        camera.fill()
        camera.take()
        browser.close()
        for complaint in sorted(set(camera.complaints)):
            print(f"{look}: {complaint}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
