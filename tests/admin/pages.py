"""Addresses of the admin, and what its form for a task sends."""

from __future__ import annotations

from html.parser import HTMLParser

TASKS = "/admin/django_scheduled_tasks/scheduledtask/"
EXECUTIONS = "/admin/django_scheduled_tasks/execution/"
WORKERS = "/admin/django_scheduled_tasks/presence/"
ALERTS = "/admin/django_scheduled_tasks/alert/"
RULES = "/admin/django_scheduled_tasks/alertrule/"
CHANGES = "/admin/django_scheduled_tasks/change/"
CHANNELS = "/admin/django_scheduled_tasks/channel/"
FORM = {
    "name": "Nightly",
    "function": "testapp.noop",
    "enabled": "on",
    "schedule_kind": "cron",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "param-as_json": "{}",
    "overlap": "skip",
    "catch_up": "latest",
    "max_attempts": "1",
    "min_backoff_0": "10",
    "min_backoff_1": "1",
    "max_backoff_0": "300",
    "max_backoff_1": "1",
    "max_doublings": "3",
    "on_worker_lost": "fail",
    "log_level": "INFO",
    "dst_asked": "1",
}


class Fields(HTMLParser):
    """What a browser sends when nothing on a page is changed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self.select = self.area = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        kind = given.get("type", "text")
        if tag == "input" and name and kind not in {"submit", "file"}:
            if kind not in {"checkbox", "radio"} or "checked" in given:
                self.sent[name] = value or ("on" if kind == "checkbox" else "")
        elif tag in {"select", "textarea"}:
            self.select, self.area = (name, "") if tag == "select" else ("", name)
            self.sent[name] = ""
        elif tag == "option" and self.select and "selected" in given:
            self.sent[self.select] = value

    def handle_data(self, data: str) -> None:
        if self.area:
            self.sent[self.area] += data if self.sent[self.area] else data.removeprefix("\n")  # as browsers do

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self.select = self.area = ""
