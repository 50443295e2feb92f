"""``manage.py demo``: the whole example with one command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rest_framework.authtoken.models import Token

START_WITHIN = 60.0
STOP_WITHIN = 40.0
HURRY = 3.0
"""Seconds that are left when Ctrl-C is pressed once more."""
LOGIN = PASSWORD = "admin"  # nosec  (the demo is refused unless DEBUG is on)


class Command(BaseCommand):
    """Migrate, create the demo login, start web, scheduler and workers; stop all of them again."""

    help = "Start the example: web, scheduler and workers, with a login to try it. Stop it with Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")

    def handle(self, *_args: Any, host: str, port: int, **_options: Any) -> None:
        """Run until SIGINT or SIGTERM, or until one of the processes ends."""
        if not settings.DEBUG:
            raise CommandError("The demo creates a login that everybody knows, so it is refused unless DEBUG is on.")
        _check_free(host, port)
        url = f"http://{host}:{port}"
        os.environ |= {"SITE_URL": url, "DJANGO_RUNSERVER_HIDE_WARNING": "true"}
        call_command("migrate", verbosity=0)
        token = _create_login()
        stopping = _StopRequests()
        processes = [
            _start("runserver", "--noreload", "--skip-checks", f"{host}:{port}"),
            _start("runscheduler", "--with-cluster", "--verbosity", "0"),
        ]
        try:
            if _wait_for(url, processes, stopping):
                self._say(url, token)
                while not stopping.asked and all(process.poll() is None for process in processes):
                    time.sleep(0.2)
            if not stopping.asked:
                raise CommandError("One of the processes has ended by itself; see above.")
        finally:
            _stop(processes, stopping)
        self.stdout.write("Stopped.")

    def _say(self, url: str, token: str) -> None:
        api = f"{url}/api/scheduled-tasks"
        self.stdout.write(
            f"""
  Admin    {url}/admin/    login {LOGIN}, password {PASSWORD}
  API      {url}/api/docs/
  Run one  curl -X POST -H 'Authorization: Token {token}' {api}/tasks/billOnDemand/run-once/

Stop it with Ctrl-C.
"""
        )
        self.stdout.flush()  # it may be a file or a pipe, and has to be read now


class _StopRequests:
    """Counts how often SIGINT or SIGTERM came."""

    def __init__(self) -> None:
        self.asked = 0
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked += 1


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({exc.strerror}). Choose another: PORT={port + 1} make demo"
            ) from exc


def _create_login() -> str:
    user, created = get_user_model().objects.get_or_create(
        username=LOGIN, defaults={"is_staff": True, "is_superuser": True}
    )
    if created:
        user.set_password(PASSWORD)
        user.save()
    return str(Token.objects.get_or_create(user=user)[0].key)


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the terminal comes to us, and we stop them in order.
    return subprocess.Popen([sys.executable, sys.argv[0], *arguments], start_new_session=True)  # noqa: S603


def _wait_for(url: str, processes: list[subprocess.Popen[bytes]], stopping: _StopRequests) -> bool:
    """Wait until the web process answers; False if it cannot any more."""
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline and not stopping.asked and all(item.poll() is None for item in processes):
        try:
            with urllib.request.urlopen(f"{url}/alive/", timeout=2):  # noqa: S310  # nosec  (our own address)
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _stop(processes: list[subprocess.Popen[bytes]], stopping: _StopRequests) -> None:
    """Ask all to stop, and again when we are asked again; then leave none behind."""
    told, deadline = -1, time.monotonic() + STOP_WITHIN
    while (left := [process for process in processes if process.poll() is None]) and time.monotonic() < deadline:
        if told != stopping.asked:
            if told >= 0:
                deadline = time.monotonic() + HURRY
            told = stopping.asked
            for process in left:
                process.terminate()
        time.sleep(0.05)
    for process in left:
        process.kill()
        process.wait()
