"""The watchdog ends a process in which no Python code can run, by the kernel's timer or without one."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

STUCK = """
import sys, time
{before}
from django_scheduled_tasks.runner import watchdog
watchdog.arm({first})
{between}
print("armed", flush=True)
def looking_for_a_needle():
    import re
    re.match(r"(a+)+$", "a" * 64 + "b")  # holds the interpreter for ages
looking_for_a_needle()
"""
OTHER_KERNEL = "sys.platform = 'other'"
kernels = pytest.mark.parametrize("before", ["", OTHER_KERNEL], ids=["timer of the kernel", "thread"])


def run(source: str, **options: object) -> tuple[subprocess.CompletedProcess[str], float]:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    return done, time.monotonic() - began


@kernels
def test_it_ends_a_process_that_is_stuck_in_c_and_says_where(before):
    done, seconds = run(STUCK.format(before=before, first=0.5, between=""))
    assert done.stdout == "armed\n"
    assert done.returncode != 0
    assert "looking_for_a_needle" in done.stderr
    assert 0.5 <= seconds < 20


@kernels
def test_arming_it_again_counts_from_then(before):
    again = "time.sleep(0.2)\nwatchdog.arm(1.0)\nbegan = time.monotonic()\ntime.sleep(0.5)\nprint('alive', flush=True)"
    done, _ = run(STUCK.format(before=before, first=0.5, between=again))
    assert done.stdout == "alive\narmed\n"
    assert done.returncode != 0


@kernels
def test_disarmed_it_lets_the_process_live(before):
    source = f"import sys, time\n{before}\nfrom django_scheduled_tasks.runner import watchdog\n"
    source += "watchdog.arm(0.2); watchdog.disarm(); time.sleep(0.5); print('alive')"
    done, _ = run(source)
    assert (done.stdout, done.returncode, done.stderr) == ("alive\n", 0, "")


@kernels
def test_a_child_process_is_not_ended_with_its_parents_watchdog(before):
    source = f"import os, sys, time\n{before}\nfrom django_scheduled_tasks.runner import watchdog\n"
    source += (
        "watchdog.arm(0.4)\nif os.fork() == 0:\n    time.sleep(0.8); print('child lives', flush=True); os._exit(0)\n"
    )
    source += "else:\n    watchdog.disarm(); os.wait()"
    done, _ = run(source)
    assert (done.stdout, done.returncode) == ("child lives\n", 0)


@kernels
def test_it_needs_no_stderr(before):
    done, _ = run(STUCK.format(before=f"{before}\nsys.__stderr__ = None", first=0.3, between=""))
    assert done.returncode != 0
    assert "needle" not in done.stderr
