"""Starts ``manage.py`` commands for tests in a twentieth of the time: by forking a process that has imported all.

Of what a worker or a scheduler of a test costs, most is importing Django and what else is not ours. :class:`ForkServer`
does that once for each process of pytest; a command is then a fork of it, which imports the settings, the project and
the app itself, in a session of its own. ``make nightly`` starts each by ``python -m django`` instead, as people do.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from tests.selection import IS_NIGHTLY

ROOT = Path(__file__).resolve().parent.parent
OURS = ("__main__", "tests", "django_scheduled_tasks", "example_project")
"""What a command imports itself."""
LOOK = """
import sys
import django
django.setup()
from django.core.management import load_command_class
for app, name in (("django_q", "qcluster"), ("django_scheduled_tasks", "runscheduler")):
    load_command_class(app, name)
import django_q.cluster
print(*sys.modules)
"""
"""Tells what a command imports."""
IS_USED = hasattr(os, "fork") and not IS_NIGHTLY


class ForkServer:
    """The process that forks, as the process of pytest sees it.

    Args:
        environment: Of the first command.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        look = [sys.executable, "-c", LOOK]
        found = subprocess.run(look, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        names = [name for name in found.stdout.split() if name.partition(".")[0] not in OURS]
        ours, theirs = socket.socketpair()
        # Its own surroundings have nothing of the test's: settings must be read by the command, not here.
        surroundings = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forkserver", str(theirs.fileno())],
                cwd=ROOT,
                env=surroundings,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._channel, self._file = ours, ours.makefile("rw")
        self._lock = threading.Lock()
        self.ask({"modules": names})

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Return the answer to *request*."""
        with self._lock:
            self._file.write(json.dumps(request) + "\n")
            self._file.flush()
            return json.loads(self._file.readline())

    def close(self) -> None:
        """Let it end; commands that still run go on."""
        self._file.close()
        self._channel.close()
        self._process.wait()

    def start(self, command: Sequence[str], *, environment: Mapping[str, str], output: Path) -> ForkedProcess:
        """Run ``manage.py`` with *command*; what it writes goes to the end of *output*."""
        asked = {"command": list(command), "environment": dict(environment), "output": str(output)}
        return ForkedProcess(self, self.ask(asked))


class ForkedProcess:
    """What tests need of ``subprocess.Popen``, for a process that is not a child of this one."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server, self.pid = server, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return its exit status.

        Raises:
            subprocess.TimeoutExpired: Not within *timeout* seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def serve(channel: socket.socket) -> None:
    """Answer requests until the process of pytest is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = channel.makefile("r")
    while line := requests.readline():
        answer = _answer(json.loads(line), channel)
        channel.sendall(json.dumps(answer).encode() + b"\n")


def _answer(request: Mapping[str, Any], channel: socket.socket) -> Any:
    if "modules" in request:
        for name in request["modules"]:
            with suppress(Exception):  # it needs settings, or another module that does: the command imports it
                importlib.import_module(name)
        return True
    if "poll" in request:
        pid, status = os.waitpid(request["poll"], os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        channel.close()
        _run(request)
    return pid


def _run(request: Mapping[str, Any]) -> NoReturn:
    """Become the command; never return."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        output = os.open(request["output"], os.O_WRONLY | os.O_APPEND)
        for number in (1, 2):
            os.dup2(output, number)
        os.close(output)
        sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
        sys.stderr.reconfigure(write_through=True)  # type: ignore[union-attr]
        os.environ.clear()
        os.environ.update(request["environment"])
        first = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        sys.path[:] = [*first, *(path for path in sys.path if path not in first)]
        sys.argv = ["django", *request["command"]]
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
    _end(status)


def _end(status: int) -> NoReturn:
    """End as Python does: wait for threads and processes, call what is registered, write what is buffered."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


_server: ForkServer | None = None


def start(command: Sequence[str], *, environment: Mapping[str, str], output: Path) -> ForkedProcess:
    """Run ``manage.py`` with *command* by the server of this process; see :meth:`ForkServer.start`."""
    global _server  # noqa: PLW0603
    if _server is None:
        _server = ForkServer(environment)
        atexit.register(_server.close)
    return _server.start(command, environment=environment, output=output)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
