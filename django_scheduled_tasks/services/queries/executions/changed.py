"""What differs between an execution that failed and the last one of its task that succeeded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django_scheduled_tasks.json_checks import same_json
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Change as ChangeOfTask
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.secrets import shown_params

_TOLD_ELSEWHERE = {"paused_until", "pause_reason"}
VERSIONS = ("python", "django", "tzdata")
"""The versions of a release that are compared."""
SHOWN = 200
"""How many characters of a parameter are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is another one now."""

    what: str
    """``release``, ``worker``, ``parameter``, ``task`` or one of :data:`VERSIONS`."""
    before: str
    after: str
    name: str = ""
    """Of the parameter, or of the task's field."""
    by: str = ""
    """Who has changed it last; empty: a program, or the scheduler."""
    at: datetime | None = None
    """When; of a release: since when it has been seen."""
    number: int | None = None
    """Of the row that records who has changed it."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What has changed since the last success."""

    since: Execution
    """The last execution of the task before this one that succeeded."""
    changes: tuple[Change, ...]
    same: tuple[Change, ...]
    """The versions that are as they were."""


def last_success_before(execution: Execution) -> Execution | None:
    """Return the last execution of its task before *execution* that succeeded; one statement."""
    if execution.task_id is None:
        return None
    rows = Execution.objects.filter(task=execution.task_id, status=Status.COMPLETED, pk__lt=execution.pk)
    return rows.order_by("-pk").first()


def changed_since_success(execution: Execution) -> Changed | None:
    """Return what has changed; None if the task never succeeded before.

    Two statements, and one for each release that is not known yet.
    """
    before = last_success_before(execution)
    if before is None:
        return None
    fields = _of_task(before, execution)
    by_person = {one.name: one for one in fields if one.what == "parameter"}
    found = [*_of_releases(before, execution), *_of_parameters(before, execution, by_person)]
    found += [one for one in fields if one.what == "task"]
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
    return [Change("release", *names, at=new.first_seen_at), *found]


def _of_parameters(before: Execution, after: Execution, by_person: Mapping[str, Change]) -> list[Change]:
    """Compare the parameters as they may be shown: a secret that is another one now is not told.

    Args:
        before: The one that succeeded.
        after: The other one.
        by_person: What somebody has changed among the task's parameters, by name.
    """
    old, new = shown_params(before), shown_params(after)
    given = set(after.own_params or ())
    found = []
    for name in sorted(old.keys() | new.keys()):
        if same_json(old.get(name, ...), new.get(name, ...)):
            continue
        change = Change("parameter", _shown(old, name), _shown(new, name), name)
        if name in given:
            who = str(after.triggered_by) if after.triggered_by_id else ""
            change = replace(change, by=who, at=after.triggered_at)
        elif (known := by_person.get(name)) is not None:
            change = replace(change, by=known.by, at=known.at, number=known.number)
        found.append(change)
    return found


def _of_task(before: Execution, after: Execution) -> list[Change]:
    """Return the fields and parameters of the task that somebody has changed between the starts of the two."""
    assert after.task_id is not None  # noqa: S101  (for the type checker: that was asked for)
    rows = ChangeOfTask.objects.filter(
        task=after.task_id,
        at__gt=before.started_at or before.triggered_at,
        at__lte=after.started_at or after.triggered_at,
    )
    first: dict[tuple[str, str], str] = {}
    last: dict[tuple[str, str], Change] = {}
    for row in rows.order_by("pk"):
        for item in row.fields:
            if item["field"] in _TOLD_ELSEWHERE:
                continue
            what, name = ("parameter", item["name"]) if item["field"] == "params" else ("task", item["field"])
            old = first.setdefault((what, name), (item["old"] or "")[:SHOWN])
            last[what, name] = Change(what, old, (item["new"] or "")[:SHOWN], name, row.user_name, row.at, row.pk)
    return list(last.values())


def _shown(params: dict[str, object], name: str) -> str:
    return json.dumps(params[name], ensure_ascii=False, sort_keys=True)[:SHOWN] if name in params else "—"
