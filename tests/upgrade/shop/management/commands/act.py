"""What people and programs do with a release: ``manage.py act fill`` and ``manage.py act look``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.test import Client

API = "/api/scheduled-tasks"
ADMIN = "/admin/django_scheduled_tasks"
TASKS = (
    {"name": "each second", "function": "shop.count", "scheduleKind": "cron", "expression": "* * * * * *"},
    {"name": "nightly", "function": "shop.count", "scheduleKind": "cron", "expression": "0 3 * * *"},
    {"name": "by hand", "function": "shop.count", "params": {"start": 41}},
    {"name": "failing", "function": "shop.fail", "params": {"password": "pa55word"}, "maxAttempts": 2},
    {"name": "paused", "function": "shop.count", "scheduleKind": "interval", "expression": "1h"},
    {"name": "off", "function": "shop.count", "scheduleKind": "interval", "expression": "1d", "enabled": False},
)


class Command(BaseCommand):
    """Print, as JSON, the tracking ids of what was started."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the argument."""
        parser.add_argument("what", choices=["fill", "look"])

    def handle(self, *_args: Any, what: str, **_options: Any) -> None:
        """Do it."""
        import django_scheduled_tasks

        user, _is_new = get_user_model().objects.get_or_create(username="boss", is_staff=True, is_superuser=True)
        self.client = Client(raise_request_exception=True)
        self.client.force_login(user)
        if what == "fill":
            for values in TASKS:
                self._post("tasks/", **values)
            self._post("tasks/paused/pause/", reason="for a while")
        started = [self._post(f"tasks/{name}/run-once/", reason=what)["info"] for name in ("by hand", "failing")]
        if what == "look":
            self._look(started[0]["trackingId"])
        ids = [one["trackingId"] for one in started]
        self.stdout.write(json.dumps({"code": str(django_scheduled_tasks.__path__[0]), "started": ids}))

    def _post(self, path: str, **values: Any) -> Any:
        answer = self.client.post(f"{API}/{path}", json.dumps(values), content_type="application/json")
        assert answer.status_code < 300, (path, answer.status_code, answer.content)
        return answer.json()

    def _look(self, tracking_id: str) -> None:
        """Open the lists and a page of each kind, in the admin and over REST."""
        task = self.client.get(f"{API}/tasks/by%20hand/").json()
        listed = self.client.get(f"{API}/executions/").json()["results"]
        number = next(one["id"] for one in listed if one["trackingId"] == tracking_id)
        for path in (
            *(f"{ADMIN}/scheduledtask/", f"{ADMIN}/scheduledtask/{task['id']}/change/"),
            *(f"{ADMIN}/execution/", f"{ADMIN}/execution/{number}/change/"),
            *(f"{API}/tasks/", f"{API}/executions/{tracking_id}/", f"{API}/tasks/by%20hand/status/{tracking_id}/"),
        ):
            answer = self.client.get(path)
            assert answer.status_code == 200, (path, answer.status_code, answer.content[:2000])
