"""Whether all tasks of a project can run: for a test of its own, which runs in its continuous integration."""

from __future__ import annotations

import copy


def problems() -> list[str]:
    """Return what is wrong with the tasks that the code declares, and with those in the database, a sentence each.

    Among it: an unknown function, a parameter that is missing or wrong, a zone that there is not, a schedule that never
    is due. The tasks that the code declares are written first, as ``migrate`` does it.
    """
    from django_scheduled_tasks.exceptions import InvalidTask  # noqa: PLC0415  (plugins are loaded before models)
    from django_scheduled_tasks.models import ScheduledTask, read_now  # noqa: PLC0415
    from django_scheduled_tasks.planner import first_run_at  # noqa: PLC0415
    from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks  # noqa: PLC0415
    from django_scheduled_tasks.services.tasks.validation import validate  # noqa: PLC0415

    failed = sync_declared_tasks().failed
    found = [f"{name}: {message}" for name, message in failed.items()]
    now = read_now()
    for row in ScheduledTask.objects.order_by("name_key"):
        if row.name in failed:
            continue
        try:
            validate(copy.copy(row))
        except InvalidTask as exc:
            found += [f"{row.name}: {error.field}: {error.message}" for error in exc.errors]
            continue
        may_run = row.enabled and row.runs_here and row.paused_at is None and row.schedule_kind != "manual"
        if may_run and not row.run_count and first_run_at(row.policy, now=now) is None:
            found.append(f"{row.name}: it is never due: its schedule has ended before it ran once.")
    return found


def assert_all_tasks_valid() -> None:
    """Fail if a task cannot run; the message says which, and why. It needs the database.

    Raises:
        AssertionError: See :func:`problems`.
    """
    found = problems()
    if found:
        raise AssertionError("\n".join(["Scheduled tasks that cannot run:", *found]))
