"""Sentences of ours that are stored with a row: always in English, and translated when they are shown."""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.planner import REASONS

WORKER_LOST = gettext_noop("The worker (%(worker)s) stopped answering.")
WORKER_ENDED = gettext_noop("It did not stop at its time limit, so its worker (%(worker)s) was ended.")
WORKER = gettext_noop("%(host)s, process %(number)s")
TIMED_OUT = gettext_noop("It did not end within its time limit of %(number)s s.")
NOT_YIELDED = gettext_noop("%(reason)s It did not yield, so its worker was ended.")
EXPIRED = gettext_noop("It waited for a worker longer than its task allows.")
NEVER_STARTED = gettext_noop("It was cancelled before it started.")
CANCELLED = gettext_noop("It was cancelled while it ran.")
NOT_OWNED = gettext_noop("It no longer owns its execution.")
KEEPS_FAILING = gettext_noop("%(count)s executions in a row failed; the last one is #%(number)s.")
NOT_PLANNED = gettext_noop("It could not be planned: %(reason)s")
NOT_IN_CODE = gettext_noop("It is no longer in the code.")
WITH_REASON = gettext_noop("%(sentence)s Reason: %(reason)s")
PAUSED = gettext_noop("The task was paused from %(since)s to %(until)s.")
PAUSED_BY = gettext_noop("The task was paused by %(user)s from %(since)s to %(until)s.")
DISABLED = gettext_noop("The task was switched off from %(since)s to %(until)s.")
BROKEN = gettext_noop("The task could not run from %(since)s to %(until)s.")
ELSEWHERE = gettext_noop("From %(since)s to %(until)s the task was for other environments than this one.")
CHANGED = gettext_noop("The schedule was changed at %(until)s, before this was started.")
HELD = gettext_noop("The task was held from %(since)s to %(until)s.")
HELD_BY = gettext_noop("The task was held by %(user)s from %(since)s to %(until)s.")
NOBODY_RAN = gettext_noop("No scheduler ran from %(since)s to %(until)s. %(reason)s")
"""Of what was missed while no scheduler ran; the reason is what the planner says."""
FUNCTION_GONE = gettext_noop(
    'The function "%(function)s" is not in the code. Put @scheduled_task on it in the tasks.py of an installed app,'
    " or choose another function."
)
"""That of :class:`~django_scheduled_tasks.exceptions.FunctionNotRegistered`."""
COPIED = gettext_noop("It waited when the database was copied, and never starts in the copy.")
RAN_ELSEWHERE = gettext_noop("It was running when the copy was made.")

HIDDEN = gettext_noop("The message is for those who may see logs.")
"""Shown in place of what a function said when it failed."""

_OF_THE_SCHEDULER = frozenset({Outcome.SKIPPED, Outcome.MISSED, Outcome.EXPIRED, Outcome.WORKER_LOST})
"""Outcomes whose sentence is never a function's."""
_ALL = (
    # The first, since a reason may end as the others do.
    *(WITH_REASON, NOBODY_RAN, PAUSED, PAUSED_BY, DISABLED, BROKEN, ELSEWHERE, CHANGED, HELD, HELD_BY),
    *(NOT_YIELDED, WORKER_LOST, WORKER_ENDED, TIMED_OUT, EXPIRED, NEVER_STARTED, CANCELLED, NOT_OWNED),
    *(KEEPS_FAILING, NOT_PLANNED, NOT_IN_CODE, FUNCTION_GONE, WORKER, COPIED, RAN_ELSEWHERE),
    *REASONS,
)


def in_words(text: str) -> str:
    """Return a stored sentence in the present language; as it is, if it is not one of ours."""
    for template, pattern in _patterns():
        if match := pattern.fullmatch(text):
            return _(template) % {name: in_words(value) for name, value in match.groupdict().items()}
    return text


def values_of(template: str, text: str) -> dict[str, str] | None:
    """Return what stands in a stored sentence at the places of *template*; None if it is another sentence."""
    pattern = next(pattern for known, pattern in _patterns() if known == template)
    match = pattern.fullmatch(text)
    return match.groupdict() if match else None


def for_everybody(text: str, outcome: str) -> str:
    """Return of an error's message what those may read who may not see logs.

    What a function says when it fails may have anything in it; what we say has not.

    Args:
        text: The message, or its beginning.
        outcome: That of the execution or the attempt; empty while it is open.
    """
    return text if not text or outcome in _OF_THE_SCHEDULER or _is_ours(text) else _(HIDDEN)


def _is_ours(text: str) -> bool:
    for template, pattern in _patterns():
        # Those two quote what anybody has said.
        if template not in {NOT_PLANNED, WITH_REASON} and (match := pattern.fullmatch(text)):
            reason = match.groupdict().get("reason")
            return reason is None or _is_ours(reason)
    return False


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, re.compile(_pattern(template), re.DOTALL)) for template in _ALL]


def _pattern(template: str) -> str:
    parts = re.split(r"%\((\w+)\)s", template)
    return "".join(f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
