"""Pings as Healthchecks has them: a request to a URL, and to ``…/start`` and ``…/fail`` below it.

Source: "Pinging API", https://healthchecks.io/docs/http_api/
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlencode

from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.services.alerts.channels.http import check_address, request
from django_scheduled_tasks.services.alerts.channels.named import named_secret
from django_scheduled_tasks.services.alerts.monitors.lines import complain, line

_NO_SLUG = re.compile(r"[^a-z0-9_-]+")


def ping(name: str, *, slug: str, run: str = "", sign: str = "") -> None:
    """Let a ping be sent; nobody waits for it.

    Args:
        name: Of the setting or environment variable that holds the URL.
        slug: What ``{slug}`` in it stands for.
        run: Which execution it is about; it lets the monitor tell those that overlap apart.
        sign: ``start``, ``fail``, or empty: success.
    """
    try:
        url = check_address(named_secret(name).replace("{slug}", slug))
    except NotDelivered as exc:
        complain(name, str(exc))
        return
    target = _with(url, sign, run)
    line(url.netloc, name).say(lambda: request("GET", target, is_trusted=True))


def slug_of(task: str) -> str:
    """Return what monitors call *task*: its name in small letters, digits, underscores and hyphens."""
    return _NO_SLUG.sub("-", task.lower()).strip("-") or "task"


def _with(url: SplitResult, sign: str, run: str) -> SplitResult:
    path = f"{url.path.rstrip('/')}/{sign}" if sign else url.path
    query = "&".join(filter(None, [url.query, urlencode({"rid": run}) if run else ""]))
    return url._replace(path=path, query=query)
