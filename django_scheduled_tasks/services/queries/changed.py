"""What differs between an execution that failed and the last one of its task that succeeded."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.secrets import shown_params

VERSIONS = ("python", "django", "tzdata")
"""The versions of a release that are compared."""
SHOWN = 200
"""How many characters of a parameter are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is another one now."""

    what: str
    """``release``, ``worker``, ``parameter`` or one of :data:`VERSIONS`."""
    before: str
    after: str
    name: str = ""
    """Of the parameter."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What has changed since the last success."""

    since: Execution
    """The last execution of the task before this one that succeeded."""
    changes: tuple[Change, ...]
    same: tuple[Change, ...]
    """The versions that are as they were."""


def changed_since_success(execution: Execution) -> Changed | None:
    """Return what has changed; None if the task never succeeded before. One statement, and one for each new release."""
    if execution.task_id is None:
        return None
    rows = Execution.objects.filter(task=execution.task_id, status=Status.COMPLETED, pk__lt=execution.pk)
    before = rows.order_by("-pk").first()
    if before is None:
        return None
    found = [*_of_releases(before, execution), *_of_parameters(before, execution)]
    if execution.worker_host and before.worker_host != execution.worker_host:
        found.append(Change("worker", before.worker_host, execution.worker_host))
    return Changed(
        since=before,
        changes=tuple(one for one in found if one.before != one.after),
        same=tuple(one for one in found if one.before == one.after and one.what in VERSIONS and one.after),
    )


def _of_releases(before: Execution, after: Execution) -> list[Change]:
    """Compare the releases that ran them, as far as they are known."""
    known = live.releases({before.release, after.release} - {""})
    old, new = known.get(before.release), known.get(after.release)
    if old is None or new is None:
        return []
    found = [Change(name, old.versions.get(name, ""), new.versions.get(name, "")) for name in VERSIONS]
    if old.key == new.key:
        return found
    names = (old.name, new.name) if old.name != new.name else (old.key, new.key)
    return [Change("release", *names), *found]


def _of_parameters(before: Execution, after: Execution) -> list[Change]:
    """Compare the parameters as they may be shown: a secret that is another one now is not told."""
    old, new = shown_params(before), shown_params(after)
    return [
        Change("parameter", _shown(old, name), _shown(new, name), name)
        for name in sorted(old.keys() | new.keys())
        if old.get(name, ...) != new.get(name, ...)
    ]


def _shown(params: dict[str, object], name: str) -> str:
    return json.dumps(params[name], ensure_ascii=False, sort_keys=True)[:SHOWN] if name in params else "—"
