"""Whether a database is at home where it is used, or a copy in which nothing may run by schedule. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why nothing runs by schedule."""

    ENVIRONMENT = "environment"
    """The setting ``ENVIRONMENT`` says another name than that under which the database was adopted."""
    SECRET_KEY = "secret_key"  # noqa: S105  # nosec  (the name of a cause)
    """Neither ``SECRET_KEY`` nor one of ``SECRET_KEY_FALLBACKS`` is that with which it was signed."""
    ELSEWHERE = "elsewhere"
    """Both address and system of the database are others."""
    SAID = "said"
    """Only one of the two is another one, and somebody said that it is a copy."""
    GAP = "gap"
    """No scheduler was seen for longer than ``HOLD_AFTER_GAP``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from the signs."""

    cause: Cause | None = None
    """Why it is held; None: it runs."""
    has_moved: bool = False
    """Whether it runs, but is to be said once to have moved: one of two signs is another one."""
    is_first_name: bool = False
    """Whether it runs, and gets its name now: it had none, and each sign is as it was."""


def judge(
    *,
    setting: str,
    environment: str,
    is_signed: bool,
    same_address: bool,
    same_system: bool | None,
) -> Verdict:
    """Tell a copy from a database that is at home.

    ==================  =========  ==================  ===================
    setting             signature  address, system     then
    ==================  =========  ==================  ===================
    set, another name   any        any                 held
    set, the first one  valid      both equal          runs, gets the name
    set, the first one  any other  any other           held
    set and equal       not valid  any                 held
    absent              not valid  any                 held
    set and equal       valid      any                 runs
    absent              valid      both differ         held
    absent              valid      one differs         runs, says so once
    ==================  =========  ==================  ===================

    Args:
        setting: ``SCHEDULED_TASKS["ENVIRONMENT"]``; empty: absent.
        environment: The name under which the database was adopted; empty: without one.
        is_signed: Whether its signature is one by our secret key.
        same_address: Whether host, port and name are those of the adoption.
        same_system: Whether the system that answers is that of the adoption; None: not known, which counts as equal but
            for a first name.
    """
    if setting and not environment and is_signed and same_address and same_system:
        return Verdict(is_first_name=True)
    if setting and setting != environment:
        return Verdict(Cause.ENVIRONMENT)
    if not is_signed:
        return Verdict(Cause.SECRET_KEY)
    if setting:
        return Verdict()
    is_other_system = same_system is False
    if not same_address and is_other_system:
        return Verdict(Cause.ELSEWHERE)
    return Verdict(has_moved=not same_address or is_other_system)
