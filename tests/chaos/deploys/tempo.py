"""Lets the hours of a deploy pass in seconds, and breaks one rule if asked, in each process of the runner."""

from __future__ import annotations

import os
from datetime import timedelta

from django_scheduled_tasks.scheduler import upkeep
from django_scheduled_tasks.services.running import giveback
from django_scheduled_tasks.services.scheduling import left, occurrences
from django_scheduled_tasks.services.tasks import standstill
from django_scheduled_tasks.services.tasks.declared import precedence

UNKNOWN_FOR = 4.0
"""For so long nobody may know a task until it is paused; two minutes in production."""
NEVER_KNOWN_FOR = 8.0
"""For so long nobody may know an execution until it fails; ten minutes in production."""
GONE_FOR = 6.0
"""A scheduler that stops says that it was last seen so long ago: its ``PRESENCE_TIMEOUT`` and a second. That is half a
minute of the ten in production, but most of the time here."""
SEEN_BEFORE = 3.0
"""Who is killed was last seen so long ago at most: of the workers of a host one says for all that they are there, and
if it ends, another one notices. That is 18 seconds of the ten minutes in production."""
NEWER_WRITES, NEWER_KEEPS = timedelta(seconds=3), timedelta(seconds=8)
"""Two minutes and an hour in production."""
SYNC_INTERVAL = 1.0
"""Twenty seconds in production, as is the next."""
BROKEN_INTERVAL = 1.0
LOOK_FOR_BROKEN_INTERVAL = 2.0
"""A minute in production."""

BROKEN_RULES = {
    "pause": "a scheduler pauses at once what it does not know",
    "retire": "a release switches off whatever it does not declare",
    "write": "an older release puts its values over those of a newer one",
    "fail": "a worker fails what it cannot call",
    "ledger": "what was due while a task stood still gets no row",
    "create": "an older release creates again what a newer one has renamed",
}


def speed_up() -> None:
    """Shorten the times that a deploy takes, in this process."""
    left.UNKNOWN_FOR, left.LEAVE_FOR = UNKNOWN_FOR, 0.5
    giveback.UNKNOWN_FOR = timedelta(seconds=NEVER_KNOWN_FOR)
    giveback.FIRST_WAIT, giveback.LONGEST_WAIT = timedelta(seconds=0.2), timedelta(seconds=3)
    giveback.LONGEST_WAIT_IF_KNOWN = timedelta(seconds=0.5)
    precedence.NEWER_WRITES, precedence.NEWER_KEEPS = NEWER_WRITES, NEWER_KEEPS
    upkeep.SYNC_INTERVAL, upkeep.BROKEN_INTERVAL = SYNC_INTERVAL, BROKEN_INTERVAL
    upkeep.LOOK_FOR_BROKEN_INTERVAL = LOOK_FOR_BROKEN_INTERVAL


def break_rule(name: str) -> None:
    """Break the rule called *name*, of :data:`BROKEN_RULES`, in this process: the verdict has to find it."""
    if name == "pause":
        occurrences.leave = lambda *_: False
    elif name == "retire":
        precedence.Precedence.may_retire = lambda *_: True
    elif name == "write":
        precedence.Precedence.may_write = lambda *_: True
    elif name == "fail":
        from django_scheduled_tasks.runner import execute

        execute.wait_for_others = lambda *_: None
    elif name == "ledger":
        standstill.skipped_row = lambda *_: None
        occurrences.standstill.skipped_row = lambda *_: None
    elif name == "create":
        precedence.Precedence.may_create = lambda *_: True
        precedence.Precedence.was_renamed = lambda *_: False


def apply() -> None:
    """Do both, as the environment says."""
    speed_up()
    if name := os.environ.get("DEPLOYS_BROKEN_RULE"):
        break_rule(name)
