"""Starting and supervising django-q2's own ``qcluster``, so that one command is a whole installation."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

from django_scheduled_tasks.conf import get_settings

logger = logging.getLogger(__name__)

SETTLED_AFTER = 60.0
"""A qcluster that has run for so many seconds is started again after :data:`FIRST_WAIT` when it dies."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds until it is started again; if it dies soon each time, each wait is twice the one before."""


class ClusterSupervisor:
    """Runs ``qcluster`` in a process group of its own, and starts it again when it dies."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._supervise, name="scheduled-tasks-cluster", daemon=True)

    def start(self) -> None:
        """Start qcluster."""
        self._thread.start()

    def stop(self) -> None:
        """Stop qcluster; it may finish what it runs, within the setting ``STOP_TIMEOUT``.

        Only its first process is told: if its other processes got SIGTERM as well, django-q2 would wait for one that is
        gone, and never end.
        """
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            limit = get_settings().STOP_TIMEOUT.total_seconds()
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                logger.error(
                    "qcluster did not stop within %.0f s and is killed", limit, extra={"event": "cluster_killed"}
                )
        if process is not None:
            _kill_group(process)
        self._thread.join(timeout=5)

    def kill(self) -> None:
        """Kill qcluster and its workers, whatever they run. It takes no lock, so that a signal handler may call it."""
        self._stopping.set()
        if self._process is not None:
            _kill_group(self._process)

    def _supervise(self) -> None:
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                with self._lock:
                    if self._stopping.is_set():
                        return
                    self._process = _start()
            except OSError as exc:  # no memory, or no process, to be had at the moment
                ended = f"could not be started ({exc})"
            else:
                ended = f"ended with exit code {self._process.wait()}"
                if self._stopping.is_set():
                    return
                _kill_group(self._process)
            wait = FIRST_WAIT if time.monotonic() - started > SETTLED_AFTER else min(wait * 2, LONGEST_WAIT)
            logger.error(
                "qcluster %s; it is started again in %.0f s", ended, wait, extra={"event": "cluster_restarted"}
            )
            self._stopping.wait(wait)


def _start() -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    # The scheduler was checked already; see there what the other checks would import. A session of its own: Ctrl-C in
    # the terminal is for us to pass on, once.
    return subprocess.Popen(
        [sys.executable, "-m", "django", "qcluster", "--skip-checks"], env=environment, start_new_session=True
    )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all workers that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
