"""Conditions of requests: ``ETag``, ``If-Match`` and ``If-None-Match``."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from rest_framework.request import Request

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.tasks.edit import version_of


def etag_of_body(body: Any) -> str:
    """Return the entity tag of a response; weak, since it says nothing about how the JSON is written."""
    return f'W/"{_digest(json.dumps(body, sort_keys=True), 32)}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` says that the reader has what *etag* stands for."""
    known = _tags(request.headers.get("If-None-Match", ""))
    return etag.removeprefix("W/") in known or "*" in known


def etag_of_task(task: ScheduledTask) -> str:
    """Return the entity tag of a task: its version, and behind a dot what only the schedule changes."""
    return f'"{version_of(task)}.{_digest(f"{task.next_run_at} {task.run_count}", 8)}"'


def asked_versions(request: Request) -> set[str] | None:
    """Return the versions of a task that ``If-Match`` names; None: it does not matter.

    What the schedule changes by itself is no reason to refuse a change. Nor is a weak tag, as RFC 9110 would have it:
    a proxy that compresses makes ours weak, and the version is what it stands for all the same.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return {tag.strip('"').partition(".")[0] for tag in _tags(header)}


def _tags(header: str) -> set[str]:
    return {item.strip().removeprefix("W/") for item in header.split(",")}


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
